import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeConfig } from '../stream/config/describe.ts'
import { editDistance, nearest } from '../stream/config/nearest.ts'
import { type LoadedConfig, loadConfig } from '../stream/config.ts'
import { configurationDigests } from '../stream/contract/configuration.ts'
import { topicNames } from '../stream/contract/topics.ts'
import { SentinelError } from '../stream/errors.ts'

type Files = Readonly<Record<string, string>>

function load(yaml: string, options: { files?: Files; env?: Record<string, string> } = {}): Promise<LoadedConfig> {
  const files: Files = { '/c/sentinel.yaml': yaml, ...options.files }
  const readFile = async (path: string) => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
    return text
  }
  return loadConfig({ path: '/c/sentinel.yaml', env: options.env ?? {}, readFile })
}

/** The lines of what is wrong, without the first, which names the file. */
async function problems(yaml: string, options: Parameters<typeof load>[1] = {}): Promise<string[]> {
  try {
    await load(yaml, options)
  } catch (error) {
    expect(error).toBeInstanceOf(SentinelError)
    expect((error as SentinelError).code).toBe('CONFIGURATION_INVALID')
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  throw new Error('the configuration is fine')
}

const noFiles = async (path: string) => {
  throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' })
}

describe('without a file', () => {
  it('reads logs, metrics and predictions where they exist', async () => {
    const { config, origin, warnings } = await loadConfig({ env: {}, readFile: noFiles })
    expect(config.sources.map((source) => [source.name, source.topic, source.format, source.tenant])).toEqual([
      ['logs', 'logs', 'json-log', 'default'],
      ['metrics', 'metrics', 'metric', 'default'],
      ['predictions', 'predictions', 'prediction', 'default'],
    ])
    expect(config.optionalSources).toEqual(['logs', 'metrics', 'predictions'])
    expect(origin).toEqual({ file: null, brokers: 'default' })
    expect(warnings).toEqual([])
  })

  it('has the numbers that the design settled', async () => {
    const { config } = await loadConfig({ env: {}, readFile: noFiles })
    const { detect, respond, topics, http } = config
    expect([detect.window, detect.slide, config.sources[0]!.lateness, config.sources[0]!.pane]).toEqual([
      3_600_000, 300_000, 30_000, 10_000,
    ])
    expect([respond.cooldown, respond.notAfter, respond.correlation]).toEqual([1_800_000, 900_000, 600_000])
    expect([topics.partitions.panes, topics.partitions.casefile, http.host, http.port]).toEqual([
      12,
      4,
      '127.0.0.1',
      8470,
    ])
  })

  it('gives every topic of ours partitions and a retention', async () => {
    const { config } = await loadConfig({ env: {}, readFile: noFiles })
    expect(Object.keys(config.topics.partitions).sort()).toEqual([...topicNames].sort())
    expect(Object.keys(config.topics.retention).sort()).toEqual([...topicNames].sort())
  })

  it('is an error when the file was asked for', async () => {
    for (const ask of [{ path: 'x.yaml', env: {} }, { env: { SENTINEL_CONFIG: 'x.yaml' } }]) {
      await expect(loadConfig({ ...ask, readFile: noFiles })).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' })
    }
  })
})

describe('a file', () => {
  it('may use anchors, and durations in words or ms', async () => {
    const { config } = await load(
      'sources: [{name: a, format: metric, pane: &p 30s, lateness: 1500}, {name: b, format: metric, pane: *p}]',
    )
    expect(config.sources.map(({ pane, lateness }) => [pane, lateness])).toEqual([
      [30_000, 1500],
      [30_000, 30_000],
    ])
    expect(config.optionalSources).toEqual([])
  })

  it('fills in the options of every detector that votes, so that digests cover defaults', async () => {
    const { config, digests } = await load('detect: {detectors: {psi: {bins: 20}}}')
    expect(config.detect.detectors['psi']).toMatchObject({ bins: 20, driftScore: 3 })
    expect(Object.keys(config.detect.detectors)).toContain('student-t')
    expect(digests).toEqual(configurationDigests(config))
  })

  it('gives a digest that ports, prefixes and brokers do not change', async () => {
    const [one, other, third] = await Promise.all([
      load('{}'),
      load(
        '{http: {port: 1}, topics: {prefix: x.}, kafka: {brokers: ["b:1"]}, log: {level: debug}, database: {schema: y}}',
      ),
      load('{detect: {slide: 10m}}'),
    ])
    expect(other.digests).toEqual(one.digests)
    expect(third.digests.detect).not.toBe(one.digests.detect)
    expect(third.digests.respond).toBe(one.digests.respond)
  })

  it('loads runbooks beside it', async () => {
    const restart = 'name: restart\nmatch: {problems: [errors]}\nsteps: [{action: restart-service}]\n'
    const { config } = await load('respond: {runbooks: [books/a.yaml]}', { files: { '/c/books/a.yaml': restart } })
    expect(config.respond.runbooks).toMatchObject([
      { name: 'restart', match: { entities: ['*'] }, steps: [{ target: '{cause}', verify: { within: 1_800_000 } }] },
    ])
  })

  it('derives counts of partitions from those of the inputs', async () => {
    const { config } = await load('topics: {partitions: {panes: 3, casefile: 2, audit: 5}}')
    expect(config.topics.partitions).toMatchObject({
      panes: 3,
      measurements: 3,
      casefile: 2,
      incidents: 2,
      commands: 2,
      audit: 5,
    })
  })

  it('speaks of the join of labels only where a source has labels', async () => {
    const without = await load('sources: [{name: a, format: prediction}]')
    expect(describeConfig(without.config)).not.toContain('model-quality')
    const alone = await load('sources: [{name: b, format: label}]')
    expect(alone.warnings.join()).toContain('none has predictions')
    const { config, warnings } = await load('sources: [{name: a, format: prediction}, {name: b, format: label}]')
    expect(warnings.join()).not.toContain('none has predictions')
    expect(describeConfig(config)).toContain('predictions wait for their labels for 7d, counted in slots of 1h')
    expect(describeConfig(config)).toContain('sentinel.model-quality.v1')
  })

  it('is described without leaving anything to guess', async () => {
    const { config } = await load('topics: {prefix: a., retention: {panes: forever}}')
    const text = describeConfig(config)
    expect(text).toContain('logs as json-log, tenant default, where the topic exists: panes of 10s')
    expect(text).toContain('a.sentinel.panes.v1: 12 partitions, kept for ever')
    expect(text).toContain('psi: bins 10')
  })
})

describe('the environment', () => {
  const env = { KAFKA_BROKERS: 'a:1, b:2', DATABASE_URL: 'postgres://u:p@h/d', SENTINEL_TOKEN: '0123456789abcdef' }

  it('comes before the file, and secrets stay apart', async () => {
    const loaded = await load('kafka: {brokers: [c:3]}', { env })
    expect(loaded.config.kafka.brokers).toEqual(['a:1', 'b:2'])
    expect(loaded.origin.brokers).toBe('environment')
    expect(loaded.secrets).toEqual({
      databaseUrl: 'postgres://u:p@h/d',
      token: '0123456789abcdef',
      signingKey: undefined,
    })
    expect(JSON.stringify(loaded.config)).not.toContain('0123456789abcdef')
    expect(describeConfig(loaded.config)).not.toContain('u:p')
  })

  it('is checked without showing what it holds', async () => {
    const found = await problems('{}', {
      env: { DATABASE_URL: 'mysql://hush', SENTINEL_TOKEN: 'short', KAFKA_BROKERS: 'x' },
    })
    expect(found).toHaveLength(3)
    expect(found.join()).not.toMatch(/hush|short/)
  })

  it('counts an empty variable as none, and warns of one that is misspelt', async () => {
    const loaded = await load('{}', { env: { KAFKA_BROKERS: ' ', SENTINEL_TOKN: 'x' } })
    expect(loaded.origin.brokers).toBe('default')
    expect(loaded.warnings).toEqual(['SENTINEL_TOKN in the environment is not read; did you mean SENTINEL_TOKEN?'])
  })
})

describe('security', () => {
  const auth = 'auth: {issuer: i, audience: a, jwksUrl: "https://login.example/keys"}'
  const two = 'respond: {approvals: {required: 2}}'

  it('takes several approvals where persons are told apart', async () => {
    const loaded = await load(`${two}\nhttp: {localOperator: false, ${auth}}`)
    expect(loaded.config.respond.approvals.required).toBe(2)
    expect((await problems(two)).join()).toContain('without http.auth the API knows one person')
    expect((await problems(`${two}\nhttp: {${auth}}`)).join()).toContain('would count twice')
  })

  it.each([
    ['http: {localOperator: false}', 'http.localOperator (line 1): found false; allowed: true'],
    ['http: {auth: {issuer: i, audience: a}}', 'http.auth (line 1): allowed: one of jwksUrl and keysFile'],
    [
      'http: {auth: {issuer: i, audience: a, keysFile: f, jwksUrl: "https://h/k"}}',
      'http.auth (line 1): allowed: one of',
    ],
    ['http: {auth: {issuer: i, audience: a, jwksUrl: "http://h/k"}}', 'https://'],
    ['http: {auth: {issuer: i, audience: a, jwksUrl: "file:///etc/passwd"}}', 'https://'],
    ['kafka: {sasl: {mechanism: plain}}', 'kafka.sasl.username (line 1): is missing; or set KAFKA_SASL_USERNAME'],
    ['kafka: {sasl: {mechanism: plain, username: u, password: p}}', 'looks like a secret'],
    ['kafka: {sasl: {mechanism: gssapi, username: u}}', 'kafka.sasl.mechanism'],
    ['kafka: {tls: {cert: c.pem}}', 'kafka.tls (line 1): allowed: cert and key together'],
    ['kafka: {tls: {rejectUnauthorized: false}}', 'rejectUnauthorized'],
    ['sources: [{name: a, format: metric, tenant: sentinel/0}]', 'allowed: names that do not begin with sentinel/'],
  ])('refuses %s', async (yaml, message) => {
    const found = await problems(yaml)
    expect(found.join('\n')).toContain(message)
  })

  it('takes who we are to the broker from the file or the environment, and the password from there alone', async () => {
    const env = { KAFKA_SASL_USERNAME: 'worker', KAFKA_SASL_PASSWORD: 'canary-password' }
    const loaded = await load('kafka: {tls: {}, sasl: {mechanism: scram-sha-512, username: other}}', { env })
    expect(loaded.config.kafka.sasl).toEqual({ mechanism: 'scram-sha-512', username: 'worker' })
    expect(loaded.secrets.saslPassword).toBe('canary-password')
    expect(JSON.stringify(loaded.config) + describeConfig(loaded.config)).not.toContain('canary')
    const plain = await load('kafka: {sasl: {mechanism: plain, username: u}}')
    expect(plain.warnings.join()).toMatch(/set KAFKA_SASL_PASSWORD.*in the clear/s)
  })
})

describe('mistakes', () => {
  it.each([
    ['detect: {windw: 1h}', 'detect.windw (line 1): unknown key; did you mean "window"?'],
    ['detcet: {}', 'detcet (line 1): unknown key; did you mean "detect"?'],
    ['http: {xyzzy: 1}', 'http.xyzzy (line 1): unknown key; allowed: host, port'],
    ['\nhttp:\n  port: 99999', 'http.port (line 3): found 99999; allowed: a whole number from 0 to 65535'],
    ['sources: [{name: a, formt: metric}]', 'sources[0].formt (line 1): unknown key; did you mean "format"?'],
    [
      'sources: [{name: a}]',
      'sources[0].format (line 1): missing; allowed: auto, ecs, fluent-bit, json-log, label, metric, otlp-logs, otlp-metrics, prediction, syslog, text, vector or workflow-run',
    ],
    [
      'sources: [{name: a, format: metrc}]',
      'sources[0].format (line 1): found "metrc"; allowed: auto, ecs, fluent-bit, json-log, label, metric, otlp-logs, otlp-metrics, prediction, syslog, text, vector or workflow-run; did you mean "metric"?',
    ],
    [
      'detect: {slide: soon}',
      'detect.slide (line 1): found "soon"; allowed: a duration such as 500ms, 30s, 5m, 1h or 2d',
    ],
    [
      'topics: {retention: {panes: always}}',
      'topics.retention.panes (line 1): found "always"; allowed: a duration such as 500ms, 30s, 5m, 1h or 2d or forever',
    ],
    ['- a', 'found a list of 1; allowed: a mapping with sources, topics'],
    ['kafka: {brokers: [nowhere]}', 'kafka.brokers[0] (line 1): found "nowhere"; allowed: host:port'],
    [
      'detect: {votes: {text: [{vote: v, problem: errors, features: [error], detectors: [rate], quorum: 1, sustain: {evaluatons: 2}}]}}',
      'detect.votes.text[0].sustain.evaluatons (line 1): unknown key; did you mean "evaluations"?',
    ],
    ['constructor: 1', 'constructor (line 1): unknown key; allowed: sources'],
  ])('names them: %s', async (yaml, message) => {
    const found = await problems(yaml)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(message)
  })

  it.each([
    [
      'detect: {windowMinRows: 2000}',
      'detect.windowMinRows (line 1): found 2000; allowed: at most detect.windowRows, 1000',
    ],
    [
      'detect: {windowMinRows: 200, windowLongest: 30m}',
      'detect.windowLongest (line 1): found 30m; allowed: a multiple',
    ],
    [
      'detect: {windowMinRows: 200, windowLongest: 61m}',
      'detect.windowLongest (line 1): found 61m; allowed: a multiple',
    ],
    ['detect: {referenceSeason: day}', 'detect.referenceSeason (line 1): found day, of a detect.referencePeriod of 1d'],
    ['detect: {referenceTimeZone: Mars}', 'detect.referenceTimeZone (line 1): found "Mars"; allowed: IANA names'],
    ['detect: {window: 17m}', 'detect.window (line 1): found 17m; allowed: a multiple of detect.slide, 5m'],
    [
      'sources: [{name: a, format: metric, pane: 7s}]',
      'sources[0].pane (line 1): found 7s; allowed: what divides detect.slide, 5m',
    ],
    ['sources: [{name: a, format: metric, pane: 0}]', 'sources[0].pane (line 1): found 0'],
    [
      'sources: [{name: a, format: metric}, {name: a, topic: b, format: metric}]',
      'sources[1].name (line 1): found "a" a second time',
    ],
    [
      'sources: [{name: a, format: metric}, {name: b, topic: a, format: text}]',
      'sources[1].topic (line 1): topic "a" is read by source "a" already',
    ],
    ['sources: [{name: sentinel.panes.v1, format: metric}]', 'a topic that we write'],
    ['sources: [{name: commands, topic: their-commands, format: metric}]', 'passes through the same tasks'],
    [
      'topics: {partitions: {measurements: 3}}',
      'topics.partitions.measurements (line 1): found 3; allowed: at least as many as topics.partitions.panes, 12',
    ],
    ['topics: {partitions: {model-quality: 3}}', 'at least as many as topics.partitions.outcomes, 12'],
    ['outcomes: {slot: 0}', 'outcomes.slot (line 1): found 0; allowed: a duration above 0'],
    ['outcomes: {horizon: 90m}', 'outcomes.horizon (line 1): found 90m; allowed: a multiple of outcomes.slot, 1h'],
    ['outcomes: {slot: 1m}', 'up to 1000 of them'],
    ['topics: {partitions: {audit: 3}}', 'at least as many as topics.partitions.casefile, 4'],
    ['detect: {detectors: {adwinn: {}}}', 'no detector is called "adwinn"; did you mean "adwin"?'],
    [
      'detect: {detectors: {adwin: {delta: 3}}}',
      'detect.detectors.adwin.delta (line 1): found 3; allowed: a number from',
    ],
    ['detect: {detectors: {psi: {bns: 3}}}', 'detect.detectors.psi.bns (line 1): unknown key; did you mean "bins"?'],
    [
      'detect: {votes: {metric: [{vote: v, problem: anomaly, features: every numeric, detectors: [zscore], quorum: 1}]}}',
      'no detector is called "zscore"; allowed:',
    ],
    [
      'detect: {votes: {metric: [{vote: v, problem: anomaly, features: every numeric, detectors: [student-t], quorum: 2}]}}',
      'it could never agree',
    ],
    [
      'detect: {votes: {metric: [{vote: v, problem: anomaly, features: every numeric, detectors: [psi-categorical], quorum: 1}]}}',
      'judges categories',
    ],
    [
      'detect: {votes: {model: [{vote: v, problem: drift, features: every categorical, detectors: [psi], quorum: 1}]}}',
      'judges numbers',
    ],
    [
      'detect: {votes: {text: [{vote: v, problem: volume, features: [volume], detectors: [psi], quorum: 1}]}}',
      'volume is judged by other detectors',
    ],
    ['respond: {dependsOn: {payment: []}}', 'found "payment"; allowed: service:<name>'],
    ['respond: {dependsOn: {"service:a": ["service:a"]}}', 'cannot depend on itself'],
    ['respond: {policy: {allow: [a], deny: [a]}}', 'respond.policy.allow[0] (line 1): "a" is denied too'],
    ['respond: {runbooks: [none.yaml]}', 'respond.runbooks[0] (line 1): cannot read /c/none.yaml'],
  ])('holds what binds keys together: %s', async (yaml, message) => {
    const found = await problems(yaml)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(message)
  })

  it('tells all of them at once, those of runbooks with their file', async () => {
    const found = await problems(
      'http: {port: x}\ndetect: {slide: x, detectors: {psi: {bns: 1}}}\ntopcs: {}\nrespond: {runbooks: [a.yaml], cooldown: x}',
      {
        files: { '/c/a.yaml': '\nname: a\nmatch: {problems: [error]}\nsteps: []' },
        env: { DATABASE_URL: 'x' },
      },
    )
    expect(found).toHaveLength(8)
    expect(found.join('\n')).toContain('match.problems[0] (/c/a.yaml, line 3): found "error"')
  })

  it.each([
    [
      'http: {token: abc}',
      'http.token (line 1): looks like a secret, and secrets do not belong in a file; set SENTINEL_TOKEN in the environment',
    ],
    [
      'database: {url: "postgres://h/d"}',
      'database.url (line 1): may hold a password, and secrets do not belong in a file; set DATABASE_URL',
    ],
    ['database: {password: x}', 'set it in the environment of what uses it'],
    ['signingKey: x', 'set SENTINEL_SIGNING_KEY in the environment'],
    ['kafka: {clientId: "http://user:hush@host"}', 'kafka.clientId (line 1): holds a secret'],
  ])('refuses secrets, and does not show them: %s', async (yaml, message) => {
    const found = await problems(yaml)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(message)
    expect(found[0]).not.toContain('hush')
  })

  it.each([
    ['a: 1\na: 2', 'not valid YAML: Map keys must be unique'],
    ['a: [1', 'not valid YAML'],
    ['a: !!js/function x', 'not valid YAML'],
    ['a: 1\n---\nb: 2', 'not valid YAML'],
    [
      `a: &a [x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f'].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${'abcde'[index]}`).join(',')}]`).join('\n')}`,
      'Excessive alias count',
    ],
    [`a: ${'x'.repeat(1_000_001)}`, 'allowed: at most 1000000'],
    [`a: ${'['.repeat(20_000)}`, 'not valid YAML'],
  ])('bounds YAML', async (yaml, message) => {
    expect((await problems(yaml))[0]).toContain(message)
  })

  it('does not let a key reach what all objects inherit', async () => {
    expect((await problems('__proto__: {polluted: true}'))[0]).toContain('__proto__')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('warnings', () => {
  it.each([
    ['http: {host: 0.0.0.0}', 'other machines reach the API'],
    [
      'detect: {votes: {service: [], model: [], metric: [], text: []}, detectors: {psi: {}}}',
      'detect.detectors.psi changes nothing',
    ],
    ['respond: {policy: {allow: [restart]}}', 'names the action "restart", which no runbook has'],
    ['detect: {windowRows: 5000}', 'above detect.referenceRows'],
  ])('%s', async (yaml, message) => {
    expect((await load(yaml)).warnings.join()).toContain(message)
  })
})

describe('examples', () => {
  it.each(['sentinel.yaml', 'nab.yaml'])('%s holds', async (file) => {
    const path = resolve(import.meta.dirname, '../examples', file)
    const loaded = await loadConfig({ path, env: {}, readFile: (at) => readFile(at, 'utf8') })
    expect(loaded.warnings).toEqual([])
  })
})

describe('nearest', () => {
  it('finds what was meant, and nothing far', () => {
    expect(nearest('windw', ['window', 'slide'])).toBe('window')
    expect(nearest('Group-Prefix', ['groupPrefix'])).toBe('groupPrefix')
    expect(nearest('colour', ['window'])).toBeUndefined()
    expect(nearest('x'.repeat(1000), ['window'])).toBeUndefined()
  })

  it('counts insertions, deletions, replacements and swaps', () => {
    expect([editDistance('', 'abc'), editDistance('abc', 'acb'), editDistance('kitten', 'sitting')]).toEqual([3, 1, 3])
  })
})

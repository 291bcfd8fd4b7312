/** What no schema of one key can hold: rules between keys, and names that other files declare. */
import type { DetectConfig, OutcomesConfig, RespondConfig, SourceConfig, VoteRule } from '../contract/configuration.ts'
import { entityKind } from '../contract/pane.ts'
import { isReservedTenant, reservedTenantPrefix } from '../contract/tenant.ts'
import { brokerTopic, type TopicName, topicNames } from '../contract/topics.ts'
import { type AnyDetector, detectors, isTwoSample } from '../detect/detectors/registry.ts'
import { isTimeZone } from '../detect/local-time.ts'
import { ROWS } from '../detect/plan.ts'
import { seasonPeriodMs } from '../detect/season-offsets.ts'
import { calibratedFor } from '../detect/threshold.ts'
import { judgedTopics, judgingStages, ownedTopics } from '../topology.ts'
import { durationText, jsonSchemaOf, listText } from './json-schema.ts'
import { nearest } from './nearest.ts'
import { type Problem, problemsOf } from './problem.ts'

/** What was read so far: a part that has mistakes of its own is absent, and rules about it wait until they are mended. */
export interface Draft {
  readonly sources?: readonly SourceConfig[]
  readonly detect?: DetectConfig
  /** Options of detectors as the file has them. */
  readonly givenOptions?: DetectConfig['detectors']
  readonly respond?: RespondConfig
  readonly outcomes?: OutcomesConfig
  readonly topics?: { readonly prefix: string; readonly partitions: Readonly<Record<TopicName, number>> }
  readonly http?: {
    readonly host: string
    readonly localOperator: boolean
    readonly auth?: { readonly jwksUrl?: string | undefined; readonly keysFile?: string | undefined } | undefined
  }
  readonly kafka?: {
    readonly tls?: { readonly cert?: string | undefined; readonly key?: string | undefined } | undefined
    readonly sasl?: { readonly mechanism: string; readonly username?: string | undefined } | undefined
  }
  readonly schemaRegistry?: { readonly url?: string | undefined } | undefined
  /** Budgets are not held to a calibration: there is none yet. */
  readonly isUncalibrated?: boolean
  /** Whether the environment has the password of kafka.sasl. */
  readonly hasSaslPassword?: boolean
}

export interface Checked {
  readonly problems: readonly Problem[]
  readonly warnings: readonly string[]
  /** Options, every default filled in, of each detector that votes or was given some. */
  readonly detectors: DetectConfig['detectors']
}

export function crossCheck(draft: Draft): Checked {
  const problems: Problem[] = []
  const warnings: string[] = []
  checkSources(draft, problems)
  checkTimes(draft, problems, warnings)
  checkPartitions(draft, problems)
  checkOutcomes(draft, problems, warnings)
  checkVotes(draft, problems)
  checkBudgets(draft, problems, warnings)
  const options = detectorOptions(draft, problems, warnings)
  checkRespond(draft, problems, warnings)
  checkSecurity(draft, problems, warnings)
  if (draft.schemaRegistry !== undefined && draft.schemaRegistry.url === undefined) {
    problems.push({ path: ['schemaRegistry', 'url'], text: 'is missing; or set SCHEMA_REGISTRY_URL' })
  }
  if (draft.http !== undefined && !['127.0.0.1', '::1', 'localhost'].includes(draft.http.host)) {
    warnings.push(`http.host ${draft.http.host}: other machines reach the API; put TLS in front of it`)
  }
  return { problems, warnings, detectors: options }
}

/** Several have to agree: then the API must know persons, and nobody may count twice. */
function checkApprovals({ respond, http }: Draft, problems: Problem[]): void {
  const required = respond?.approvals.required ?? 1
  if (required <= 1 || http === undefined) return
  const path = ['respond', 'approvals', 'required']
  if (http.auth === undefined) {
    const text = `found ${required}; allowed: 1, because without http.auth the API knows one person, who holds its token`
    problems.push({ path, text })
  } else if (http.localOperator) {
    const text = `found ${required}; allowed: 1 while http.localOperator is true, because who holds that token beside one of their own would count twice`
    problems.push({ path, text })
  }
}

function checkSecurity(draft: Draft, problems: Problem[], warnings: string[]): void {
  const { http, kafka } = draft
  checkApprovals(draft, problems)
  if (http?.auth !== undefined && (http.auth.jwksUrl === undefined) === (http.auth.keysFile === undefined)) {
    const text = 'allowed: one of jwksUrl and keysFile, so that signatures can be verified'
    problems.push({ path: ['http', 'auth'], text })
  }
  if (http !== undefined && !http.localOperator && http.auth === undefined) {
    problems.push({
      path: ['http', 'localOperator'],
      text: 'found false; allowed: true, or nobody could ask; http.auth names an issuer',
    })
  }
  const { tls, sasl } = kafka ?? {}
  if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined)) {
    problems.push({ path: ['kafka', 'tls'], text: 'allowed: cert and key together, or neither' })
  }
  if (sasl === undefined) return
  if (sasl.username === undefined) {
    problems.push({ path: ['kafka', 'sasl', 'username'], text: 'is missing; or set KAFKA_SASL_USERNAME' })
  }
  if (draft.hasSaslPassword === false) {
    warnings.push('kafka.sasl takes a password: set KAFKA_SASL_PASSWORD in the environment before anything connects')
  }
  if (sasl.mechanism === 'plain' && tls === undefined) {
    warnings.push('kafka.sasl plain without kafka.tls: the password crosses the network in the clear')
  }
}

/** Their tasks of ingest are named as a source's would be. */
const carried: ReadonlySet<string> = new Set<TopicName>(['commands', 'command-results'])

function checkSources({ sources = [], topics }: Draft, problems: Problem[]): void {
  const ours = new Set(topicNames.map((topic) => brokerTopic(topic, topics?.prefix ?? '')))
  const names = new Set<string>()
  const read = new Map<string, string>()
  for (const [index, source] of sources.entries()) {
    const path = ['sources', index]
    if (names.has(source.name)) {
      problems.push({
        path: [...path, 'name'],
        text: `found "${source.name}" a second time; allowed: a name of its own`,
      })
    }
    const other = read.get(source.topic)
    if (other !== undefined) {
      const text = `topic "${source.topic}" is read by source "${other}" already; allowed: one source for a topic`
      problems.push({ path: [...path, 'topic'], text })
    }
    if (carried.has(source.name)) {
      problems.push({
        path: [...path, 'name'],
        text: `found "${source.name}", the name of a topic of ours that passes through the same tasks; allowed: another name`,
      })
    }
    if (ours.has(source.topic)) {
      problems.push({
        path: [...path, 'topic'],
        text: `found "${source.topic}", a topic that we write; allowed: topics of yours`,
      })
    }
    // the audit of what belongs to no tenant has chains of such names, see ownTenant in respond/audit.ts
    if (isReservedTenant(source.tenant)) {
      problems.push({
        path: [...path, 'tenant'],
        text: `found "${source.tenant}"; allowed: names that do not begin with ${reservedTenantPrefix}`,
      })
    }
    if (source.pane < 1) problems.push({ path: [...path, 'pane'], text: 'found 0; allowed: a duration above 0' })
    names.add(source.name)
    read.set(source.topic, source.name)
  }
}

function checkTimes({ sources = [], detect }: Draft, problems: Problem[], warnings: string[]): void {
  if (detect === undefined) return
  const { slide, window } = detect
  if (slide < 1) return void problems.push({ path: ['detect', 'slide'], text: 'found 0; allowed: a duration above 0' })
  if (window < slide || window % slide !== 0) {
    const text = `found ${durationText(window)}; allowed: a multiple of detect.slide, ${durationText(slide)}`
    problems.push({ path: ['detect', 'window'], text })
  }
  for (const [index, source] of sources.entries()) {
    if (source.pane < 1 || slide % source.pane === 0) continue
    const text = `found ${durationText(source.pane)}; allowed: what divides detect.slide, ${durationText(slide)}`
    problems.push({ path: ['sources', index, 'pane'], text })
  }
  checkWindowByCount(detect, problems)
  checkSeason(detect, problems)
  for (const key of ['referencePeriod', 'baseline'] as const) {
    if (detect[key] >= window) continue
    const text = `found ${durationText(detect[key])}; allowed: detect.window, ${durationText(window)}, or longer`
    problems.push({ path: ['detect', key], text })
  }
  if (detect.windowRows > detect.referenceRows) {
    warnings.push('detect.windowRows is above detect.referenceRows: the reference is the coarser side of every test')
  }
}

function checkWindowByCount(detect: DetectConfig, problems: Problem[]): void {
  const { slide, window, windowRows, windowMinRows, windowLongest } = detect
  if (windowMinRows === 0) return
  if (windowMinRows > windowRows) {
    const text = `found ${windowMinRows}; allowed: at most detect.windowRows, ${windowRows}`
    problems.push({ path: ['detect', 'windowMinRows'], text })
  }
  if (windowLongest < window || windowLongest % slide !== 0) {
    const text = `found ${durationText(windowLongest)}; allowed: a multiple of detect.slide, ${durationText(slide)}, from detect.window on, ${durationText(window)}`
    problems.push({ path: ['detect', 'windowLongest'], text })
  }
}

function checkSeason(detect: DetectConfig, problems: Problem[]): void {
  const { referenceSeason: season, referenceTimeZone: timeZone, referencePeriod } = detect
  if (!isTimeZone(timeZone)) {
    const text = `found "${timeZone}"; allowed: IANA names that this runtime knows, such as Europe/Berlin`
    problems.push({ path: ['detect', 'referenceTimeZone'], text })
  }
  if (season === 'none' || referencePeriod >= seasonPeriodMs[season]) return
  const text = `found ${season}, of a detect.referencePeriod of ${durationText(referencePeriod)}; allowed: a referencePeriod of ${durationText(seasonPeriodMs[season])} or longer`
  problems.push({ path: ['detect', 'referenceSeason'], text })
}

/** A task writes its public records to the partition of its own number, so that each has one writer. */
/** Slots that the horizon holds at most: each series has so many in memory. */
const slotsMax = 1_000

function checkOutcomes({ outcomes, sources = [] }: Draft, problems: Problem[], warnings: string[]): void {
  if (outcomes === undefined) return
  const { slot, horizon } = outcomes
  if (slot < 1) return void problems.push({ path: ['outcomes', 'slot'], text: 'found 0; allowed: a duration above 0' })
  if (horizon < slot || horizon % slot !== 0 || horizon / slot > slotsMax) {
    const text = `found ${durationText(horizon)}; allowed: a multiple of outcomes.slot, ${durationText(slot)}, up to ${slotsMax} of them`
    problems.push({ path: ['outcomes', 'horizon'], text })
  }
  const formats = sources.map(({ format }) => format)
  if (formats.includes('label') && !formats.includes('prediction') && !formats.includes('auto')) {
    warnings.push('a source has the format label, and none has predictions: its labels wait for nothing')
  }
}

function checkPartitions({ topics }: Draft, problems: Problem[]): void {
  if (topics === undefined) return
  for (const stage of judgingStages) {
    const input = judgedTopics[stage]
    for (const output of ownedTopics[stage]) {
      const { [input]: least, [output]: found } = topics.partitions
      if (found >= least) continue
      const text = `found ${found}; allowed: at least as many as topics.partitions.${input}, ${least}`
      problems.push({ path: ['topics', 'partitions', output], text })
    }
  }
}

const registry: Readonly<Record<string, AnyDetector>> = detectors

function lookUp(name: string): AnyDetector | undefined {
  return Object.hasOwn(registry, name) ? registry[name] : undefined
}

function unknownDetector(name: string): string {
  const guess = nearest(name, Object.keys(registry))
  const known = listText(Object.keys(registry))
  return guess === undefined
    ? `no detector is called "${name}"; allowed: ${known}`
    : `no detector is called "${name}"; did you mean "${guess}"? allowed: ${known}`
}

function checkVotes({ detect }: Draft, problems: Problem[]): void {
  for (const [kind, rules] of Object.entries(detect?.votes ?? {})) {
    const seen = new Set<string>()
    for (const [index, rule] of rules.entries()) {
      const path = ['detect', 'votes', kind, index]
      if (seen.has(rule.vote)) {
        problems.push({
          path: [...path, 'vote'],
          text: `found "${rule.vote}" a second time; allowed: a name of its own`,
        })
      }
      seen.add(rule.vote)
      checkVote(rule, path, problems)
    }
  }
}

function checkVote(rule: VoteRule, path: readonly PropertyKey[], problems: Problem[]): void {
  const groups = new Set<string>()
  for (const [index, name] of rule.detectors.entries()) {
    const detector = lookUp(name)
    const at = [...path, 'detectors', index]
    if (detector === undefined) {
      problems.push({ path: at, text: unknownDetector(name) })
      continue
    }
    groups.add(detector.group)
    const categorical = detector.input === 'categorical'
    const ofRows = detector.input === 'rows'
    const named = Array.isArray(rule.features) ? rule.features : []
    if (categorical && rule.features === 'every numeric') {
      problems.push({ path: at, text: `"${name}" judges categories; allowed here: detectors of numbers` })
    }
    if (!categorical && rule.features === 'every categorical') {
      problems.push({ path: at, text: `"${name}" judges numbers; allowed here: detectors of categories` })
    }
    if (isTwoSample(detector) && named.includes('volume')) {
      problems.push({ path: at, text: `"${name}" compares samples of rows; volume is judged by other detectors` })
    }
    if (ofRows !== named.includes(ROWS) || (ofRows && named.length > 1)) {
      const text = ofRows
        ? `"${name}" judges whole rows; allowed here: a vote of its own whose features are ["${ROWS}"]`
        : `"${name}" judges one feature; allowed for "${ROWS}": detectors of whole rows`
      problems.push({ path: at, text })
    }
  }
  if (groups.size > 0 && rule.quorum > groups.size) {
    const text = `found ${rule.quorum}, but its detectors are of ${groups.size} group${groups.size === 1 ? '' : 's'} (${listText([...groups])}): it could never agree; allowed: ${groups.size === 1 ? '1' : `1 to ${groups.size}`}`
    problems.push({ path: [...path, 'quorum'], text })
  }
  if ('duration' in rule.sustain && rule.sustain.duration < 1) {
    problems.push({ path: [...path, 'sustain', 'duration'], text: 'found 0; allowed: a duration above 0' })
  }
}

/** A vote has one number: at most one setting of it, and a calibration where that is a rate. */
function checkBudgets({ detect, isUncalibrated }: Draft, problems: Problem[], warnings: string[]): void {
  if (detect === undefined) return
  const settings = ['sensitivity', 'falseAlarms', 'threshold'] as const
  let isCalibrated = false
  for (const kind of entityKind.options) {
    for (const [index, rule] of detect.votes[kind].entries()) {
      const path = ['detect', 'votes', kind, index]
      const given = settings.filter((setting) => rule[setting] !== undefined)
      if (given.length > 1) {
        problems.push({ path, text: `found ${listText(given)}; allowed: one of them, they set the same number` })
      }
      if (rule.falseAlarms === undefined || isUncalibrated === true) continue
      isCalibrated = true
      const found = calibratedFor({ kind, rule, config: detect, targetPerWeek: rule.falseAlarms })
      if ('reason' in found) problems.push({ path: [...path, 'falseAlarms'], text: found.reason })
    }
  }
  if (detect.calibration !== null && !isCalibrated) {
    warnings.push('detect.calibration changes nothing: no vote has falseAlarms')
  }
}

function detectorOptions(draft: Draft, problems: Problem[], warnings: string[]): DetectConfig['detectors'] {
  const given = draft.givenOptions ?? {}
  const rules = Object.values(draft.detect?.votes ?? {}).flat()
  const voting = new Set(rules.flatMap((rule) => rule.detectors))
  const filled: [string, Record<string, unknown>][] = []
  for (const name of [...new Set([...voting, ...Object.keys(given)])].sort()) {
    const path = ['detect', 'detectors', name]
    const detector = lookUp(name)
    const options = Object.hasOwn(given, name) ? given[name]! : {}
    if (detector === undefined) {
      if (Object.hasOwn(given, name)) problems.push({ path, text: unknownDetector(name) })
      continue
    }
    const parsed = detector.config.safeParse(options)
    if (parsed.success) filled.push([name, parsed.data as Record<string, unknown>])
    else {
      const schema = jsonSchemaOf(detector.config)
      problems.push(...problemsOf(parsed.error.issues, { schema, value: options, prefix: path }))
    }
    if (draft.detect !== undefined && !voting.has(name)) {
      warnings.push(`detect.detectors.${name} changes nothing: no vote has this detector`)
    }
  }
  return Object.fromEntries(filled)
}

function checkRespond({ respond }: Draft, problems: Problem[], warnings: string[]): void {
  if (respond === undefined) return
  for (const [entity, needed] of Object.entries(respond.dependsOn)) {
    const path = ['respond', 'dependsOn', entity]
    checkEntity(entity, path, problems)
    for (const [index, other] of needed.entries()) {
      if (other === entity) problems.push({ path: [...path, index], text: `"${entity}" cannot depend on itself` })
      else checkEntity(other, [...path, index], problems)
    }
  }
  const names = new Set<string>()
  for (const [index, { name }] of respond.runbooks.entries()) {
    if (names.has(name)) {
      problems.push({
        path: ['respond', 'runbooks', index],
        text: `a second runbook called "${name}"; allowed: a name of its own`,
      })
    }
    names.add(name)
  }
  const { allow, deny } = respond.policy
  for (const [index, action] of allow.entries()) {
    if (deny.includes(action)) {
      problems.push({
        path: ['respond', 'policy', 'allow', index],
        text: `"${action}" is denied too; allowed: one of the two`,
      })
    }
  }
  const known = new Set(
    respond.runbooks.flatMap((book) =>
      book.steps.flatMap((step) => [step.action, step.rollback?.action ?? step.action]),
    ),
  )
  for (const action of new Set([...allow, ...deny])) {
    if (!known.has(action)) warnings.push(`respond.policy names the action "${action}", which no runbook has`)
  }
}

/** `service:payment`: what an entity is, a colon, its name. */
function checkEntity(entity: string, path: readonly PropertyKey[], problems: Problem[]): void {
  const [kind, ...rest] = entity.split(':')
  if (rest.join(':') !== '' && entityKind.options.some((option) => option === kind)) return
  const text = `found "${entity}"; allowed: ${listText(entityKind.options.map((option) => `${option}:<name>`))}`
  problems.push({ path, text })
}

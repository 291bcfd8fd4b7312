import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

/** What the code of a folder may import: folders and files of ours end with / or .ts, all else is a package. */
interface Rule {
  readonly folder: string
  readonly may: readonly string[]
}

const stage = (folder: string, ...packages: string[]): Rule => ({
  folder,
  may: [folder, 'stream/contract/', 'stream/errors.ts', 'zod', ...packages],
})

/** Folders where only what is listed may be imported. */
const closed: readonly Rule[] = [
  { folder: 'stream/contract/', may: ['stream/contract/', 'zod', 'node:crypto'] },
  stage('stream/ingest/'),
  stage('stream/detect/'),
  stage('stream/join/'),
  stage('stream/respond/', 'node:crypto'),
  { folder: 'stream/simulate/', may: ['stream/simulate/', 'stream/contract/'] },
]

/** What only these may import. */
const guarded: readonly { readonly target: string; readonly by: readonly string[] }[] = [
  { target: 'stream/io/', by: ['stream/main.ts', 'stream/cli/', 'stream/io/', 'deploy/', 'test/', 'bench/'] },
  { target: 'kafkajs', by: ['stream/io/', 'test/', 'deploy/', 'bench/'] },
  { target: 'pg', by: ['stream/io/', 'test/', 'deploy/', 'bench/'] },
  { target: '@opentelemetry', by: ['stream/io/tracing/'] },
  { target: 'jose', by: ['stream/io/http/', 'test/'] },
  { target: '@kafkajs/confluent-schema-registry', by: ['stream/io/registry/', 'test/'] },
  { target: 'avsc', by: ['stream/io/registry/', 'test/'] },
  { target: 'protobufjs', by: ['stream/io/registry/', 'test/'] },
  // both only make text of what they are told: where it goes is told from outside
  { target: 'pino', by: ['stream/log.ts'] },
  {
    target: 'prom-client',
    by: [
      'stream/metrics.ts',
      'stream/telemetry.ts',
      'stream/drift-series.ts',
      'stream/case-gauges.ts',
      'stream/quality-gauges.ts',
      'deploy/',
      'test/',
    ],
  },
  { target: 'stream/cli/', by: ['stream/main.ts', 'stream/cli/', 'test/', 'bench/'] },
  { target: 'stream/main.ts', by: ['test/'] },
]

/** Code that is a function of its input: no clock, no chance, no process, no timers. */
const pure = [
  'stream/contract/',
  'stream/ingest/',
  'stream/detect/',
  'stream/join/',
  'stream/respond/',
  'stream/simulate/',
]

/** The one reader of the environment. */
const environmentReader = 'stream/config.ts'

/** Every breach of the rules in one file, a sentence each; `path` is relative to the project. */
function breaches(path: string, text: string): string[] {
  const imported = ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName)
  const targets = imported.map((name) =>
    name.startsWith('.') ? relative(root, join(root, dirname(path), name)) : name,
  )
  const found = targets.flatMap((target) => importBreaches(path, target))
  if (!path.startsWith('stream/')) return found
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const isPure = pure.some((folder) => path.startsWith(folder))
  const visit = (node: ts.Node): void => {
    if (isPure) found.push(...impurity(node).map((what) => `${path} is pure, and uses ${what}`))
    if (path !== environmentReader && isProcessEnv(node) && !isAssigned(node)) {
      found.push(`${path} reads process.env, which only ${environmentReader} does`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function covers(pattern: string, target: string): boolean {
  if (pattern.endsWith('/')) return target.startsWith(pattern)
  return target === pattern || (!pattern.endsWith('.ts') && target.startsWith(`${pattern}/`))
}

function importBreaches(path: string, target: string): string[] {
  const rule = closed.find((one) => path.startsWith(one.folder))
  const isOutside = rule !== undefined && !rule.may.some((pattern) => covers(pattern, target))
  const guards = guarded.filter((one) => covers(one.target, target) && !one.by.some((pattern) => covers(pattern, path)))
  return [
    ...(isOutside ? [`${path} imports ${target}; ${rule.folder} may import ${rule.may.join(', ')}`] : []),
    ...guards.map((one) => `${path} imports ${target}; only ${one.by.join(', ')} may`),
  ]
}

const impureGlobals = ['process', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'globalThis']
const impureMembers = ['Date.now', 'Math.random', 'crypto.randomUUID', 'crypto.randomBytes', 'crypto.getRandomValues']
/** Named imports from node:crypto that draw, under whatever name. */
const drawing = ['randomUUID', 'randomBytes', 'randomInt', 'randomFillSync', 'generateKeyPairSync', 'webcrypto']
/** Members that depend on the machine's locale or time zone. */
const local = ['localeCompare', 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString', 'getTimezoneOffset']

function impurity(node: ts.Node): string[] {
  if (ts.isPropertyAccessExpression(node)) {
    const member = `${nameOf(node.expression)}.${node.name.text}`
    if (impureMembers.includes(member)) return [member]
    if (local.includes(node.name.text)) return [node.name.text]
  }
  if (ts.isNewExpression(node) && nameOf(node.expression) === 'Date' && (node.arguments ?? []).length === 0)
    return ['new Date()']
  if (ts.isCallExpression(node) && nameOf(node.expression) === 'Date') return ['Date()']
  if (ts.isImportSpecifier(node) && drawing.includes((node.propertyName ?? node.name).text)) return [node.name.text]
  if (ts.isIdentifier(node) && impureGlobals.includes(node.text) && isFree(node)) return [node.text]
  return []
}

/** Setting a variable for a library is not reading the environment. */
function isAssigned(node: ts.Node): boolean {
  const { parent } = node
  const isMember = ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)
  const target = isMember && parent.expression === node ? parent.parent : undefined
  return (
    target !== undefined &&
    ts.isBinaryExpression(target) &&
    target.left === parent &&
    target.operatorToken.kind === ts.SyntaxKind.EqualsToken
  )
}

function nameOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isIdentifier(node) ? node.text : undefined
}

/** Whether a name stands for itself: not a member, a key, or something that the file declares under that name. */
function isFree(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isMethodDeclaration(parent))
    return parent.name !== node
  return !ts.isBindingElement(parent) && !ts.isParameter(parent) && !ts.isImportSpecifier(parent)
}

function isProcessEnv(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return nameOf(node.expression) === 'process' && node.name.text === 'env'
  if (ts.isElementAccessExpression(node)) {
    return (
      nameOf(node.expression) === 'process' &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === 'env'
    )
  }
  const isTaken = ts.isVariableDeclaration(node) && nameOf(node.initializer) === 'process'
  return isTaken && ts.isObjectBindingPattern(node.name) && node.name.getText().includes('env')
}

function sources(): string[] {
  return ['stream', 'deploy', 'bench', 'test'].flatMap((folder) => {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    return files.filter((file) => file.endsWith('.ts')).map((file) => `${folder}/${file}`)
  })
}

describe('the import rule', () => {
  const files = sources()

  it('looks at every folder that it speaks of', () => {
    for (const { folder } of closed)
      expect(
        files.some((file) => file.startsWith(folder)),
        folder,
      ).toBe(true)
    expect(files).toContain(environmentReader)
  })

  it('holds', () => {
    expect(files.flatMap((file) => breaches(file, readFileSync(join(root, file), 'utf8')))).toEqual([])
  }, 60_000)

  it('has one place that reads process.env', () => {
    const text = readFileSync(join(root, environmentReader), 'utf8')
    const source = ts.createSourceFile(environmentReader, text, ts.ScriptTarget.Latest, true)
    let count = 0
    const visit = (node: ts.Node): void => {
      if (isProcessEnv(node)) count++
      ts.forEachChild(node, visit)
    }
    visit(source)
    expect(count).toBe(1)
  })
})

describe('the test of the rule', () => {
  it.each([
    ['stream/ingest/ingest.ts', "import { Kafka } from 'kafkajs'"],
    ['stream/ingest/ingest.ts', "import { detect } from '../detect/detect.ts'"],
    ['stream/ingest/ingest.ts', "import { createHash } from 'node:crypto'"],
    ['stream/detect/detectors/psi.ts', "import type { Config } from '../../config.ts'"],
    ['stream/detect/detect.ts', "export * from '../respond/respond.ts'"],
    ['stream/detect/detect.ts', "const late = await import('../io/kafka/consumer.ts')"],
    ['stream/respond/respond.ts', "import { readFile } from 'node:fs/promises'"],
    ['stream/contract/pane.ts', "import { fold } from '../ingest/pane.ts'"],
    ['stream/contract/pane.ts', "import { SentinelError } from '../errors.ts'"],
    ['stream/runtime/replay.ts', "import { connect } from '../io/kafka/connect.ts'"],
    ['stream/config.ts', "import pg from 'pg'"],
    ['stream/telemetry.ts', "import { trace } from '@opentelemetry/api'"],
    ['stream/cli/run.ts', "import { pino } from 'pino'"],
    ['stream/runtime/replay.ts', "import { main } from '../main.ts'"],
    ['stream/detect/vote.ts', 'const now = Date.now()'],
    ['stream/detect/vote.ts', 'const now = new Date()'],
    ['stream/detect/vote.ts', 'const now = Date()'],
    ['stream/ingest/pane.ts', 'if (Math.random() < 0.5) throw 1'],
    ['stream/respond/plan.ts', 'const seen = performance.now()'],
    ['stream/respond/plan.ts', 'process.exit(1)'],
    ['stream/respond/plan.ts', 'setTimeout(() => 1, 5)'],
    ['stream/respond/plan.ts', "import { randomUUID as id } from 'node:crypto'"],
    ['stream/detect/vote.ts', 'names.sort((a, b) => a.localeCompare(b))'],
    ['stream/io/kafka/client.ts', "const brokers = process.env['KAFKA_BROKERS']"],
    ['stream/cli/run.ts', "const brokers = process['env'].KAFKA_BROKERS"],
    ['stream/cli/run.ts', 'const { env } = process'],
  ])('finds a breach in %s: %s', (path, text) => {
    expect(breaches(path, text).length).toBeGreaterThan(0)
  })

  it.each([
    [
      'stream/ingest/ingest.ts',
      "import { z } from 'zod'\nimport type { Pane } from '../contract/pane.ts'\nimport { invariant } from '../errors.ts'",
    ],
    ['stream/detect/detectors/psi.ts', "import { insufficient } from '../score.ts'"],
    ['stream/respond/sign.ts', "import { verify } from 'node:crypto'"],
    ['stream/detect/vote.ts', '// Date.now() is never called\nconst text = "process.env"'],
    ['stream/detect/vote.ts', 'const time = new Date(0).toISOString()'],
    ['stream/detect/vote.ts', 'const { process } = { process: 1 }'],
    ['stream/cli/run.ts', "import { connect } from '../io/kafka/connect.ts'\nprocess.exitCode = 1"],
    ['test/ingest/pane.test.ts', "import { Kafka } from 'kafkajs'\nconst now = Date.now()"],
    ['stream/io/kafka/client.ts', "process.env['QUIET'] = '1'"],
    [environmentReader, 'export const variables = process.env'],
  ])('finds none in %s: %s', (path, text) => {
    expect(breaches(path, text)).toEqual([])
  })
})

/** `docs/detectors.md`, made of the docstrings that stand beside each detector's code. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { type AnyDetector, detectors } from '../stream/detect/detectors/registry.ts'

const head = `<!-- Made by npm run generate of the docstrings in stream/detect/detectors. -->

# Detectors

What each is for, its formula, its options with their defaults and why, what it needs, what it costs, and where it comes from.
Whom a detector votes with is its group: a group has one voice in a vote. Every option can be set under
\`detect.detectors.<name>\` ([configuration.md](configuration.md)); what the verdicts assume of the data, and what is done about
it, is in [statistics.md](statistics.md); the numbers that each is held to, in
[test/conformance/vectors](../test/conformance/vectors).

`

const inputs: Readonly<Record<AnyDetector['input'], string>> = {
  numeric: 'Numeric features: a window against the reference',
  categorical: 'Categorical features: a window against the reference',
  rows: 'Whole rows, the feature `(rows)`: a window against the reference',
  values: 'Numeric features and volume: value after value, in standard deviations of the reference',
  errors: 'Rates: outcome after outcome, needs labels or another rate of errors',
  moments: 'Numeric features and volume: each value against the rolling baseline',
  levels: 'Numeric features and volume: the level of each slide against the rolling baseline',
  rate: 'Rates: each value against the rolling baseline',
  series: 'Numeric features and volume: each value against a memory of its own',
}

/** @throws RangeError for a detector without a docstring, or one that leaves out an option, what it answers or where it comes from */
export async function detectorsPage(root: string): Promise<string> {
  const sections: string[] = []
  for (const [input, title] of Object.entries(inputs)) {
    const named = Object.entries(detectors).filter(([, detector]) => detector.input === input)
    if (named.length > 0) sections.push(`## ${title}\n`)
    for (const [name, detector] of named) {
      const path = join(root, 'stream/detect/detectors', `${name}.ts`)
      sections.push(section(detector, docstringOf(await readFile(path, 'utf8'), name)))
    }
  }
  return head + sections.join('\n')
}

interface Docstring {
  readonly text: string
  readonly options: readonly { readonly name: string; readonly text: string }[]
  readonly tags: ReadonlyMap<string, string>
}

/** Of the exported constant whose \`name\` is the detector's. */
function docstringOf(source: string, name: string): Docstring {
  const file = ts.createSourceFile(`${name}.ts`, source, ts.ScriptTarget.Latest, true)
  const statement = file.statements.find(
    (each) => ts.isVariableStatement(each) && each.getText(file).includes(`name: '${name}'`),
  )
  const doc = statement === undefined ? undefined : ts.getJSDocCommentsAndTags(statement).find(ts.isJSDoc)
  if (doc === undefined) throw new RangeError(`${name}.ts: the detector has no docstring`)
  const tags = new Map<string, string>()
  const options: { name: string; text: string }[] = []
  for (const tag of doc.tags ?? []) {
    const text = plain(ts.getTextOfJSDocComment(tag.comment))
    if (ts.isJSDocParameterTag(tag)) options.push({ name: tag.name.getText(file).replace('config.', ''), text })
    else tags.set(tag.tagName.text, sourceText(tag, file))
  }
  for (const needed of ['returns', 'see']) {
    if (!tags.has(needed)) throw new RangeError(`${name}.ts: the docstring has no @${needed}`)
  }
  return { text: paragraphs(ts.getTextOfJSDocComment(doc.comment)), options, tags }
}

/** As it stands: the parser takes the first word of some tags for a name or a type. */
function sourceText(tag: ts.JSDocTag, file: ts.SourceFile): string {
  const lines = tag.getFullText(file).split('\n')
  const text = lines.map((line) => line.replace(/^\s*\*(?!\w)/, '')).join(' ')
  return plain(text.replace(/^\s*@\w+/, '').replace(/\*\/?\s*$/, ''))
}

const plain = (text: string | undefined): string => (text ?? '').replace(/\s+/g, ' ').trim()

function paragraphs(text: string | undefined): string {
  return (text ?? '')
    .split(/\n\s*\n/)
    .map(plain)
    .join('\n\n')
}

function section(detector: AnyDetector, { text, options, tags }: Docstring): string {
  const defaults = detector.config.parse({}) as Record<string, unknown>
  const silent = Object.keys(defaults).filter((name) => !options.some((option) => option.name === name))
  if (silent.length > 0) throw new RangeError(`${detector.name}.ts: the docstring says nothing of ${silent.join(', ')}`)
  const rows = options.map(({ name, text: meaning }) => {
    const value = JSON.stringify(defaults[name]) ?? ''
    return `| \`${name}\` | \`${value}\` | ${meaning.replaceAll('|', '\\|')} |`
  })
  const example = tags.get('example')
  return [
    `### ${detector.name}\n`,
    `Group: ${detector.group}. Minimum: ${detector.minSamples}${isCostly(detector) ? '. Asked only where another detector stands at warning or worse' : ''}.\n`,
    `${text}\n`,
    ...(rows.length > 0 ? ['| option | default | |', '|---|---|---|', ...rows, ''] : []),
    `**Answers:** ${tags.get('returns')}\n`,
    ...(example === undefined ? [] : [`**Example:** ${example}\n`]),
    `**Source:** ${tags.get('see')}\n`,
  ].join('\n')
}

const isCostly = (detector: AnyDetector): boolean => 'isCostly' in detector && detector.isCostly === true

import type { ExplanationResponse } from '../contract/api.ts'
import { recordId } from '../contract/primitives.ts'
import { SentinelError } from '../errors.ts'
import { explain as inWords } from '../explain/explanation.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { apiFlags, connectApi } from './load.ts'
import { clean, type Style, type Terminal } from './terminal.ts'

const flags = {
  ...apiFlags,
  feature: { type: 'text', value: 'NAME', description: 'Only this feature, whole' },
  all: { type: 'boolean', description: 'Every feature whole, also those whose vote is stable' },
  json: { type: 'boolean', description: 'The evidence as JSON, for programs' },
} as const

/** Says why the verdicts of one measurement fell as they did. */
export const explain = defineCommand({
  name: 'explain',
  summary: 'Say why a verdict fell as it did, from what is stored of it',
  description:
    'Asks the API of a running worker for one measurement and says in words and numbers who voted, who abstained and why, by how much, and what was compared: the window beside its reference, the rolling baseline, the course of running statistics. Nothing is tested anew. `sentinel incidents <id>` names the measurement behind each signal, and so does every finding.',
  flags,
  positionals: [{ name: 'id', description: 'Id of a measurement: 32 hex digits', required: true }],
  examples: [
    { line: 'sentinel explain 0f3a1c5e7b9d2f4a6c8e0b1d3f5a7c9e', what: 'what stands out in it' },
    { line: 'sentinel explain 0f3a1c5e7b9d2f4a6c8e0b1d3f5a7c9e --feature amount', what: 'one feature, whole' },
    { line: 'sentinel explain 0f3a1c5e7b9d2f4a6c8e0b1d3f5a7c9e --json', what: 'the evidence, for a script' },
  ],
  exitCodes: { 66: 'there is no such measurement, or it has no such feature' },
  run,
})

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal, positionals } = context
  const id = (positionals[0] ?? '').toLowerCase()
  if (!recordId.safeParse(id).success) {
    throw new SentinelError('USAGE', `The id of a measurement has 32 hex digits; found "${clean(id)}"`)
  }
  const api = await connectApi(context)
  const evidence = await api.explanation(id).catch((error: unknown) => {
    if (error instanceof SentinelError && error.code === 'NOT_FOUND') return null
    throw error
  })
  if (evidence === null) {
    terminal.fail(
      `there is no measurement ${id}: it is another, or past its retention; \`sentinel incidents <id>\` names those behind an incident`,
    )
    return 66
  }
  if (given.json) {
    terminal.print(JSON.stringify(evidence))
    return 0
  }
  return show(terminal, evidence, given)
}

const styles: Readonly<Record<string, Style>> = {
  heading: 'bold',
  drift: 'red',
  warning: 'yellow',
  stable: 'green',
  insufficient: 'dim',
}

/** Draws an explanation. @returns the exit code */
export function show(
  terminal: Pick<Terminal, 'print' | 'fail' | 'style' | 'columns'>,
  evidence: ExplanationResponse,
  asked: { feature?: string | undefined; all?: boolean },
): number {
  const { feature, all = false } = asked
  const lines = inWords(evidence, { width: terminal.columns, all, ...(feature === undefined ? {} : { feature }) })
  if (lines === null) {
    const names = evidence.measurement.features.map((each) => clean(each.feature)).join(', ')
    terminal.fail(`the measurement has no feature ${clean(feature ?? '')}; it has ${names}`)
    return 66
  }
  for (const { text, tone } of lines) {
    const shown = clean(text)
    terminal.print(tone === undefined ? shown : terminal.style(styles[tone] ?? 'bold', shown))
  }
  return 0
}

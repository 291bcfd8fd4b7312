import type { Incident } from '../contract/incident.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { bareName } from './incident-change.ts'
import { apiFlags, connectApi } from './load.ts'
import { clean, type Terminal } from './terminal.ts'

const flags = {
  ...apiFlags,
  status: { type: 'text', value: 'STATUS', choices: ['open', 'closed'], description: 'Only these' },
  limit: { type: 'integer', value: 'N', default: 20, min: 1, max: 200, description: 'Newest so many' },
  json: { type: 'boolean', description: 'As JSON, for programs' },
} as const

/** Lists incidents, or shows one whole. */
export const incidents = defineCommand({
  name: 'incidents',
  summary: 'List incidents of a running worker, or show one with its story',
  description:
    'Asks the API of a running worker. With the beginning of an id it shows one incident: what is attached in order of onset, what was proposed, who answered, how it ended.',
  flags,
  positionals: [{ name: 'id', description: 'Id of an incident, or its first digits' }],
  examples: [
    { line: 'sentinel incidents', what: 'the newest twenty' },
    { line: 'sentinel incidents 3f2a', what: 'one of them, whole' },
    { line: 'sentinel incidents --status open --json', what: 'for a script' },
  ],
  exitCodes: { 66: 'there is no such incident' },
  run,
})

async function run(context: CommandContext<typeof flags>): Promise<number> {
  const { flags: given, terminal, positionals } = context
  const api = await connectApi(context)
  const [id] = positionals
  const limit = String(id === undefined ? given.limit : 200)
  const query = given.status === undefined ? { limit } : { limit, status: given.status }
  const found = (await api.incidents(query)).incidents
  if (id === undefined) {
    if (given.json) terminal.print(JSON.stringify(found))
    else list(terminal, found)
    return 0
  }
  const one = found.filter((incident) => incident.id.startsWith(id.toLowerCase()))
  if (one.length !== 1) {
    terminal.fail(
      one.length === 0
        ? `there is no incident ${id} among the newest ${limit}`
        : `${id} begins ${one.length} ids; give more digits`,
    )
    return 66
  }
  if (given.json) terminal.print(JSON.stringify(one[0]))
  else show(terminal, one[0]!)
  return 0
}

function list(terminal: Terminal, found: readonly Incident[]): void {
  if (found.length === 0) {
    terminal.print('No incidents.')
    return
  }
  const rows = found.map(({ id, openedMs, status, severity, title, remediations }) => [
    id.slice(0, 8),
    time(openedMs),
    status,
    severity,
    title,
    remediations.at(-1)?.state ?? '',
  ])
  const columns = ['id', 'opened (UTC)', 'status', 'severity', 'title', 'remedy'].map((title) => ({ title }))
  terminal.print(terminal.table(columns, rows))
}

function show(terminal: Terminal, incident: Incident): void {
  terminal.print(terminal.style('bold', incident.title))
  terminal.print(
    `${incident.id}  ${incident.severity}  ${incident.status}${incident.resolution === undefined ? '' : `, ${incident.resolution}`}`,
  )
  terminal.print(`opened ${time(incident.openedMs)}, updated ${time(incident.updatedMs)}, version ${incident.version}`)
  terminal.print(`cause: ${incident.cause.explanation}`)
  const columns = ['onset (UTC)', 'entity', 'problem', 'features', 'status', 'score'].map((title) => ({ title }))
  const rows = incident.entities.map(({ onsetMs, entity, problem, features, status, score }) => [
    time(onsetMs),
    entity,
    problem,
    features.join(', '),
    status,
    score.toFixed(1),
  ])
  terminal.print(terminal.table(columns, rows))
  const explained = incident.entities.filter(({ measurementId }) => measurementId !== undefined)
  for (const { entity, problem, measurementId } of explained) {
    terminal.print(`why ${problem} of ${clean(bareName(entity))}: sentinel explain ${measurementId}`)
  }
  for (const { proposal, state, approvals, result } of incident.remediations) {
    const who = approvals.map(({ principal, decision }) => `${decision} by ${principal}`).join(', ')
    terminal.print(
      `${proposal.purpose} ${proposal.commandId.slice(0, 8)}: ${proposal.action} on ${proposal.target}: ${state}${who === '' ? '' : ` (${who})`}${result === undefined ? '' : `, ${result.state} by ${result.executor}`}`,
    )
  }
  for (const line of incident.narrative) terminal.print(`- ${line}`)
}

function time(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

import { SentinelError } from '../errors.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { apiFlags, connectApi } from './load.ts'

const flags = {
  ...apiFlags,
  reason: { type: 'text', value: 'TEXT', description: 'Why; goes into the audit' },
} as const

function decisionCommand(name: 'approve' | 'reject') {
  return defineCommand({
    name,
    summary: name === 'approve' ? 'Approve a proposal: the command is sent' : 'Reject a proposal: nothing is sent',
    description:
      'Without an id it lists what waits. With the beginning of one it decides: the API signs the decision, bound to the ' +
      'digest of the very proposal that it shows you, and puts it on the casefile.',
    flags,
    positionals: [{ name: 'command', description: 'Id of the proposed command, or its first digits' }],
    examples: [
      { line: `sentinel ${name}`, what: 'what waits' },
      { line: `sentinel ${name} 9c1e --reason "looked at the graphs"`, what: 'one of them' },
    ],
    exitCodes: { 66: 'nothing that waits has this id' },
    run: (context: CommandContext<typeof flags>) => decide(name, context),
  })
}

/** Answer proposals of a running worker. */
export const approve = decisionCommand('approve')
export const reject = decisionCommand('reject')

async function decide(decision: 'approve' | 'reject', context: CommandContext<typeof flags>): Promise<number> {
  const { terminal, positionals, flags: given } = context
  const api = await connectApi(context)
  const { approvals } = await api.approvals()
  const waiting = approvals.filter(({ remediation }) => remediation.state === 'awaiting-approval')
  const [id] = positionals
  if (id === undefined) {
    if (waiting.length === 0) terminal.print('Nothing waits for approval.')
    for (const { remediation, incidentTitle } of waiting) {
      const { commandId, action, target, parameters } = remediation.proposal
      terminal.print(
        `${commandId.slice(0, 8)}  ${action} on ${target} ${JSON.stringify(parameters)}  for: ${incidentTitle}`,
      )
    }
    return 0
  }
  const chosen = waiting.filter(({ remediation }) => remediation.proposal.commandId.startsWith(id.toLowerCase()))
  if (chosen.length !== 1) {
    const text =
      chosen.length === 0
        ? `nothing that waits begins with ${id}`
        : `${id} begins ${chosen.length} ids; give more digits`
    throw new SentinelError('NOT_FOUND', `${text}. \`sentinel ${decision}\` lists what waits.`)
  }
  const { proposal, proposalDigest } = chosen[0]!.remediation
  const { decisionId } = await api.decide(proposal.commandId, {
    decision,
    proposalDigest,
    ...(given.reason === undefined ? {} : { reason: given.reason }),
  })
  terminal.print(
    `${decision === 'approve' ? 'Approved' : 'Rejected'}: ${proposal.action} on ${proposal.target} (decision ${decisionId.slice(0, 8)})`,
  )
  return 0
}

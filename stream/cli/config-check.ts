import { describeConfig } from '../config/describe.ts'
import { joinsLabels } from '../contract/outcome.ts'
import { type CommandContext, defineCommand } from './args.ts'
import { load } from './load.ts'

/** Reads a configuration and says what it comes to. */
export const configCheck = defineCommand({
  name: 'config check',
  summary: 'Check a configuration and print what it comes to',
  description:
    'Reads the configuration, its runbooks and the environment. Problems are listed all at once, each with its place and what is allowed; otherwise it prints what the configuration comes to, every default filled in.',
  flags: {},
  positionals: [],
  examples: [{ line: 'sentinel config check --config sentinel.yaml', what: 'before a deployment' }],
  exitCodes: { 78: 'it has problems, listed' },
  async run(context: CommandContext<Record<never, never>>): Promise<number> {
    const { config, digests } = await load(context)
    context.terminal.print(describeConfig(config))
    const join = joinsLabels(config.sources) ? `, join ${digests.join}` : ''
    context.terminal.print(`digests  detect ${digests.detect}, respond ${digests.respond}${join}`)
    return 0
  },
})

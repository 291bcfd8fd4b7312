/** Tells the demo's story on a terminal, and asks there. */
import type { Incident, Remediation } from '../contract/incident.ts'
import type { Narrator } from '../simulate/story.ts'
import { bareName, changesOf } from './incident-change.ts'
import type { Terminal } from './terminal.ts'

export interface TerminalNarrator extends Narrator {
  /** Takes away what moves: what follows is said by others. */
  finish(): void
}

export interface NarratorOptions {
  readonly terminal: Terminal
  /** Approve without asking. */
  readonly yes: boolean
  /** The command by which another terminal answers; null where there is no API. */
  readonly elsewhere: ((commandId: string) => string) | null
  readonly signal: AbortSignal
}

const hourMs = 3_600_000
const answeredEveryMs = 1_000

export function createNarrator(options: NarratorOptions): TerminalNarrator {
  const { terminal } = options
  const told = new Map<string, Incident>()
  let progress: ReturnType<Terminal['progress']> | undefined
  const finish = () => {
    progress?.finish()
    progress = undefined
  }
  return {
    finish,
    phase(text) {
      finish()
      terminal.print()
      terminal.print(terminal.style('bold', text))
    },
    progress(done, total) {
      progress ??= terminal.progress({ label: 'event time', total: total / hourMs, unit: 'h' })
      progress.update(done / hourMs)
      if (done === total) finish()
    },
    incident(incident) {
      tellIncident(terminal, told.get(incident.id), incident)
      told.set(incident.id, incident)
    },
    say(text) {
      terminal.print(`       ${text}`)
    },
    async ask(remediation, _incident, answered) {
      const { proposal, policy } = remediation
      const parameters = Object.entries(proposal.parameters).map(([name, value]) => `${name}=${value}`)
      terminal.print(`       proposal: ${[proposal.action, proposal.target, ...parameters].join(' ')}`)
      terminal.print(`       ${policy.reasons.join('; ')}`)
      if (options.yes) {
        terminal.print('       approved: --yes')
        return 'approve'
      }
      return askPerson(remediation, answered, options)
    },
  }
}

/** @param before the version that was told of last; undefined for the first. Nothing is said where only figures moved. */
function tellIncident(terminal: Terminal, before: Incident | undefined, incident: Incident): void {
  const change = before === undefined ? 'opened' : incident.change
  const changes = before === undefined ? [] : changesOf(before, incident)
  if (change === 'updated' && changes.length === 0) return
  const time = new Date(incident.updatedMs).toISOString().slice(11, 16)
  const color = change === 'closed' ? 'green' : change === 'updated' ? 'dim' : 'red'
  const text = change === 'updated' ? `${bareName(incident.cause.entity)}: ${changes.join('; ')}` : incident.title
  terminal.print(`${time}  ${terminal.style(color, change.padEnd(9))} ${incident.severity.padEnd(8)} ${text}`)
  if (before === undefined) terminal.print(`       cause: ${incident.cause.explanation}`)
  if (change === 'closed') terminal.print(`       ${incident.resolution}`)
}

/**
 * Asks until there is an answer, here or elsewhere. Where nobody can answer here, it says how one answers elsewhere and
 * waits for that; where there is no elsewhere either, the answer is no.
 */
async function askPerson(
  remediation: Remediation,
  answered: () => Promise<boolean>,
  options: Omit<NarratorOptions, 'yes'>,
): Promise<'approve' | 'reject' | null> {
  const { terminal, signal, elsewhere } = options
  const done = new AbortController()
  const watch = setInterval(() => {
    // what is wrong with the story's port its own waiting says
    answered().then(
      (yes) => yes && done.abort(),
      () => {},
    )
  }, answeredEveryMs)
  try {
    for (;;) {
      const text = await terminal.ask('       approve? [y/n] ', AbortSignal.any([done.signal, signal]))
      if (signal.aborted) return null
      if (done.signal.aborted) {
        terminal.print('       answered elsewhere')
        return null
      }
      if (text === null && elsewhere === null) {
        terminal.print('       nobody answers here: taken as no')
        return 'reject'
      }
      if (text === null) {
        terminal.print('       nobody answers here; from another terminal:')
        terminal.print(`         ${elsewhere!(remediation.proposal.commandId.slice(0, 8))}`)
        return null
      }
      if (/^y(es)?$/i.test(text)) return 'approve'
      if (/^no?$/i.test(text)) return 'reject'
      terminal.print('       answer y or n')
    }
  } finally {
    clearInterval(watch)
  }
}

/** Every command, one line each, in the order of the help. */
import type { AnyCommand } from './args.ts'
import { demo } from './demo.ts'

export const commands: readonly AnyCommand[] = [demo]

/** Every command, one line each, in the order of the help. */
import type { AnyCommand } from './args.ts'
import { auditVerify } from './audit-verify.ts'
import { calibrate } from './calibrate.ts'
import { configCheck } from './config-check.ts'
import { approve, reject } from './decide.ts'
import { demo } from './demo.ts'
import { doctor } from './doctor.ts'
import { explain } from './explain.ts'
import { incidents } from './incidents.ts'
import { keysList, keysRotate } from './keys.ts'
import { migrate } from './migrate.ts'
import { produce } from './produce.ts'
import { replay } from './replay.ts'
import { run } from './run.ts'
import { simulate } from './simulate.ts'
import { topics } from './topics.ts'

export const commands: readonly AnyCommand[] = [
  demo,
  run,
  simulate,
  produce,
  replay,
  calibrate,
  incidents,
  explain,
  approve,
  reject,
  auditVerify,
  keysList,
  keysRotate,
  topics,
  migrate,
  configCheck,
  doctor,
]

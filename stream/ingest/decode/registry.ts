import type { SourceFormat } from '../../contract/configuration.ts'
import type { Decoder } from './decoder.ts'
import { jsonLog } from './json-log.ts'
import { metric } from './metric.ts'
import { prediction } from './prediction.ts'
import { text } from './text.ts'

/** Every format, a line each. */
export const decoders: { readonly [format in SourceFormat]: Decoder } = {
  'json-log': jsonLog,
  metric,
  prediction,
  text,
}

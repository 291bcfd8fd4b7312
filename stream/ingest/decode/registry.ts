import type { SourceFormat } from '../../contract/configuration.ts'
import { auto } from './auto.ts'
import type { Decoder } from './decoder.ts'
import { ecs } from './ecs.ts'
import { fluentBit } from './fluent-bit.ts'
import { jsonLog } from './json-log.ts'
import { label } from './label.ts'
import { metric } from './metric.ts'
import { otlpLogs } from './otlp-logs.ts'
import { otlpMetrics } from './otlp-metrics.ts'
import { prediction } from './prediction.ts'
import { syslog } from './syslog.ts'
import { text } from './text.ts'
import { vector } from './vector.ts'
import { workflowRun } from './workflow-run.ts'

/** Every format, a line each. */
export const decoders: { readonly [format in SourceFormat]: Decoder } = {
  auto,
  ecs,
  'fluent-bit': fluentBit,
  'json-log': jsonLog,
  label,
  metric,
  'otlp-logs': otlpLogs,
  'otlp-metrics': otlpMetrics,
  prediction,
  syslog,
  text,
  vector,
  'workflow-run': workflowRun,
}

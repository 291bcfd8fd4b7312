/** Every code that a log line may carry. They are stable: what alerts and people search for. */
import type { ErrorCode } from './errors.ts'

/** What happened, by code. */
export const events = {
  STARTED: 'The process runs its stages.',
  STOPPING: 'The process drains and leaves; the message says why.',
  STOPPED: 'Everything was stored and left.',
  CONFIGURATION_DOUBTFUL: 'The configuration says something that is probably not meant; the message says what.',
  COMPONENT_READY: 'A component (broker, database, a stage) is ready.',
  COMPONENT_NOT_READY: 'A component is not ready; the message says why.',
  MIGRATED: 'The tables were looked at, and brought up to date.',
  EVENTS_REJECTED: 'Records could not be read: the reasons are on dead-letters.',
  EVENTS_LATE: 'Events came later than their source allows, and were not folded.',
  EVENTS_SKEWED: 'Events lie ahead of their source and were not folded: a clock is wrong.',
  STAGE_JOINED: 'A stage was given partitions.',
  STAGE_LOST: 'A stage gave up a partition.',
  STAGE_FAILED: 'A step or a recovery failed; it is tried again.',
  STAGE_OFFSET_RESET:
    'The position was not on the log any more: records were lost to retention, or the topic is another.',
  STAGE_CONFIGURATION_SWITCH: 'A task goes on under another configuration, from a stated event time on.',
  STAGE_SOURCE_LEFT: 'A source that was read before is not in the configuration: nothing waits for it any more.',
  STAGE_IDLE: 'A silent source partition was declared idle.',
  FINDING: 'A vote of an entity changed.',
  BUDGET_EXCEEDED: 'A vote opened more often than its falseAlarms allow, by more than chance explains.',
  INCIDENT_OPENED: 'An incident was opened.',
  INCIDENT_UPDATED: 'An incident changed.',
  INCIDENT_ESCALATED: 'An incident was escalated.',
  INCIDENT_CLOSED: 'An incident was closed.',
  CHECKPOINT_STORED: 'A checkpoint was stored.',
  AUDIT_BREAK: 'An audit entry does not follow its chain.',
  RECORDS_UNREADABLE: 'Records on our own topics are not what their contract says: see the table unreadable.',
  RETENTION_APPLIED: 'Old rows were dropped.',
  LISTENING: 'The API listens.',
  TOKEN_KEPT: 'The token of the API was written to a file.',
  REQUEST_REFUSED: 'A request was refused for want of a right.',
  DECISION_APPENDED: 'The API signed a decision and appended it.',
  SCHEMA_REGISTRY_AWAY: 'The schema registry does not answer; records that need it wait.',
  SCHEMA_REGISTRY_BACK: 'The schema registry answers again.',
  TRACES_LOST: 'Spans were lost: the collector is away or too slow. Nothing else is touched.',
} as const

/** What failed, by code: those of `errors.ts`, and what is none of them. */
export const failures: Readonly<Record<ErrorCode | 'UNEXPECTED', string>> = {
  CONFIGURATION_INVALID: 'The configuration or the environment is wrong; the message says where.',
  CONFIGURATION_CHANGED: 'A checkpoint belongs to another configuration or to another incarnation of its topic.',
  USAGE: 'The command line cannot be understood.',
  NOT_FOUND: 'What was named is not there.',
  INPUT_UNREADABLE: 'A file cannot be read.',
  BROKER_UNAVAILABLE: 'No broker answers.',
  DATABASE_UNAVAILABLE: 'The database does not answer.',
  SERVICE_UNAVAILABLE: 'Something else does not answer.',
  INVARIANT_BROKEN: 'The log or the runtime broke a rule that results rest on: the process stops.',
  CONSUMER_DEAD: 'A consumer ended for good: the process stops, a supervisor starts it again.',
  CHECKPOINT_REFUSED: 'Another owner of the task stored a checkpoint meanwhile: it is recovered from that.',
  PERMISSION_DENIED: 'A right is missing.',
  AUDIT_BROKEN: 'The audit does not verify.',
  UNEXPECTED: 'An error that nobody foresaw; the line carries its stack.',
}

export type LogCode = keyof typeof events | keyof typeof failures

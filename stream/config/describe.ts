/** What a configuration comes to, for people: `sentinel config check` prints it. */
import type { Config } from '../config.ts'
import type { VoteRule } from '../contract/configuration.ts'
import { joinsLabels } from '../contract/outcome.ts'
import { type EntityKind, entityKind } from '../contract/pane.ts'
import { brokerTopic, type TopicName } from '../contract/topics.ts'
import { topicsInUse } from '../topology.ts'
import { falseAlarmText } from './false-alarms.ts'
import { durationText } from './json-schema.ts'

/** Several lines without a newline at the end; holds no secrets, because a {@link Config} has none. */
export function describeConfig(config: Config): string {
  return [
    'sources',
    ...config.sources.map((source) => `  ${sourceText(source, config)}`),
    'detect',
    ...detectLines(config).map((line) => `  ${line}`),
    'respond',
    ...respondLines(config).map((line) => `  ${line}`),
    ...(joinsLabels(config.sources) ? ['outcomes', `  ${outcomesText(config)}`] : []),
    'topics of ours',
    ...topicsInUse({ joinsLabels: joinsLabels(config.sources) }).map((topic) => `  ${topicText(topic, config)}`),
    `kafka     ${config.kafka.brokers.join(', ')}; groups ${config.topics.prefix}${config.kafka.groupPrefix}.<stage>`,
    `database  schema ${config.database.schema}; measurements kept for ${durationText(config.database.retention)}`,
    `http      ${config.http.host}:${config.http.port === 0 ? '<any free port>' : config.http.port}`,
  ].join('\n')
}

function sourceText(source: Config['sources'][number], config: Config): string {
  const topic = source.topic === source.name ? '' : ` from topic ${source.topic}`
  const optional = config.optionalSources.includes(source.name) ? ', where the topic exists' : ''
  const keyed = source.partitioning === 'keyed' ? ', each entity in one partition' : ''
  return (
    `${source.name}${topic} as ${source.format}, tenant ${source.tenant}${optional}: panes of ${durationText(source.pane)}, ` +
    `events up to ${durationText(source.lateness)} late${keyed}, idle after ${durationText(source.idleAfter)}`
  )
}

function outcomesText({ outcomes }: Config): string {
  const { horizon, slot, maxWaiting, maxSeries } = outcomes
  return (
    `predictions wait for their labels for ${durationText(horizon)}, counted in slots of ${durationText(slot)}; ` +
    `${maxWaiting.toLocaleString('en')} are remembered at most, of ${maxSeries} models, versions and segments`
  )
}

function detectLines({ detect }: Config): string[] {
  return [
    `windows of ${durationText(detect.window)}, judged every ${durationText(detect.slide)}; rolling baseline ${durationText(detect.baseline)}`,
    `references learned from ${durationText(detect.referencePeriod)} and the rows of ${detect.referenceWindows} windows at least`,
    ...entityKind.options.flatMap((kind) => detect.votes[kind].flatMap((rule) => voteLines(kind, rule, detect))),
    `votes of one rule over many features at once are lowered for it: ${detect.multiplicity}`,
    ...Object.entries(detect.detectors).map(([name, options]) => `${name}: ${optionsText(options)}`),
  ]
}

function voteLines(kind: EntityKind, rule: VoteRule, config: Config['detect']): string[] {
  return [`${kind}: ${voteText(rule)}`, `  ${falseAlarmText({ kind, rule, config })}`]
}

function voteText(rule: VoteRule): string {
  const over = typeof rule.features === 'string' ? `${rule.features} feature` : rule.features.join(', ')
  const sustained =
    'duration' in rule.sustain
      ? `unbroken for ${durationText(rule.sustain.duration)}`
      : `at ${rule.sustain.evaluations} evaluation${rule.sustain.evaluations === 1 ? '' : 's'} half a window apart`
  const groups = rule.quorum === 1 ? 'one group' : `${rule.quorum} groups`
  return `"${rule.vote}" over ${over}: ${groups} of ${rule.detectors.join(', ')}, ${sustained}`
}

function optionsText(options: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(options).map(([key, value]) => `${key} ${JSON.stringify(value)}`)
  return entries.length === 0 ? 'no options' : entries.join(', ')
}

function respondLines({ respond }: Config): string[] {
  const { approvals, policy, runbooks } = respond
  const persons = approvals.required === 1 ? 'one approval' : `${approvals.required} approvals`
  return [
    respond.killSwitch
      ? 'KILL SWITCH IS ON: nothing is proposed or commanded'
      : `a command needs ${persons} within ${durationText(approvals.expireAfter)}`,
    ...(policy.allow.length > 0 ? [`without approval: ${policy.allow.join(', ')}`] : []),
    ...(policy.deny.length > 0 ? [`never: ${policy.deny.join(', ')}`] : []),
    `findings within ${durationText(respond.correlation)} are one incident; cooldown ${durationText(respond.cooldown)}`,
    ...Object.entries(respond.dependsOn).map(([entity, needed]) => `${entity} depends on ${needed.join(', ')}`),
    ...(runbooks.length === 0 ? ['no runbooks: incidents are opened, no remedy is proposed'] : []),
    ...runbooks.map(
      ({ name, match, steps }) =>
        `runbook "${name}" for ${match.problems.join(', ')} of ${match.entities.join(', ')}: ${steps.map((step) => `${step.action} on ${step.target}`).join(', then ')}`,
    ),
  ]
}

function topicText(topic: TopicName, { topics }: Config): string {
  const count = topics.partitions[topic]
  const partitions = count === 1 ? '1 partition' : `${count} partitions`
  return `${brokerTopic(topic, topics.prefix)}: ${partitions}, kept ${keptText(topics.retention[topic])}`
}

function keptText(retentionMs: number): string {
  return retentionMs < 0 ? 'for ever' : durationText(retentionMs)
}

/**
 * Metric points: `{name, value, time, entity, labels}`, or an array of them in one record. The value is a number (or
 * null, for one that was asked for and is missing); `entity` and `labels` (an object of texts, numbers or truth values)
 * are optional. One bad point rejects its record as a whole: the dead letter holds all of it.
 */
import { compareCodeUnits } from '../../contract/encoding.ts'
import type { Decoder, MetricObservation, Observation, Rejected } from './decoder.ts'
import { isObject, jsonDecoder, labelMember, numberMember, textMember } from './json.ts'
import { rejectedTime, timeMember } from './time.ts'

/** Points in one record: more would make one step of the loop too long. */
const POINTS_MAX = 10_000

const notPoint: Rejected = { code: 'invalid', reason: 'a metric point is a JSON object, or an array of them' }
const noPoints: Rejected = { code: 'invalid', reason: 'an array without metric points' }
const manyPoints: Rejected = { code: 'too-large', reason: `more than ${POINTS_MAX} metric points in one record` }
const noName: Rejected = { code: 'invalid', reason: 'no name: a metric point has a name, a text that is not empty' }
const noValue: Rejected = { code: 'invalid', reason: 'no value: a metric point has a value, a number or null' }

const noLabels: readonly (readonly [string, string])[] = []

function labelsOf(value: unknown): readonly (readonly [string, string])[] {
  if (!isObject(value)) return noLabels
  const labels: [string, string][] = []
  for (const label of Object.keys(value).sort(compareCodeUnits)) {
    const text = labelMember(value[label])
    if (text !== undefined) labels.push([label, text])
  }
  return labels
}

function point(json: unknown): MetricObservation | Rejected {
  if (!isObject(json)) return notPoint
  const timeMs = timeMember(json)
  if (timeMs === undefined) return rejectedTime
  const name = textMember(json['name'])
  if (name === undefined) return noName
  const value = json['value'] === null ? null : numberMember(json['value'])
  if (value === undefined) return noValue
  return { kind: 'metric', timeMs, name, value, entity: labelMember(json['entity']), labels: labelsOf(json['labels']) }
}

function read(json: unknown): readonly Observation[] | Rejected {
  if (!Array.isArray(json)) {
    const observation = point(json)
    return 'code' in observation ? observation : [observation]
  }
  if (json.length === 0) return noPoints
  if (json.length > POINTS_MAX) return manyPoints
  const observations: MetricObservation[] = []
  for (const member of json) {
    const observation = point(member)
    if ('code' in observation) return observation
    observations.push(observation)
  }
  return observations
}

export const metric: Decoder = jsonDecoder('metric', read)

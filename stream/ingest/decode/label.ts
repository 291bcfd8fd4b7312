/**
 * Label events: `{prediction_id, model, version, label, time, segment?}`, what turned out to be true of a prediction. The
 * label is a feature of the model, `label`: a category when it is a text, a truth value or a whole number (a class), a
 * number when it has a fraction (what a regression is about), null when it is null or nested.
 */
import type { Decoder, Observation, Rejected, Scalar } from './decoder.ts'
import { isObject, jsonDecoder, labelMember, predictionIdMember, scalarMember } from './json.ts'
import { rejectedTime, timeMember } from './time.ts'

const notObject: Rejected = { code: 'invalid', reason: 'a label event is a JSON object' }
const noPrediction: Rejected = { code: 'invalid', reason: 'no prediction_id: a text that is not empty, or a number' }
const noModel: Rejected = { code: 'invalid', reason: 'no model or version: both are texts that are not empty' }
const noLabel: Rejected = { code: 'invalid', reason: 'no label: a text, a number, a truth value or null' }

const labelName: readonly string[] = ['label']

function classOf(label: unknown): Scalar {
  const scalar = scalarMember(label)
  return typeof scalar === 'number' && Number.isInteger(scalar) ? String(scalar) : scalar
}

function read(json: unknown): readonly Observation[] | Rejected {
  if (!isObject(json)) return notObject
  const timeMs = timeMember(json)
  if (timeMs === undefined) return rejectedTime
  const predictionId = predictionIdMember(json)
  if (predictionId === undefined) return noPrediction
  const model = labelMember(json['model'])
  const version = labelMember(json['version'])
  if (model === undefined || version === undefined) return noModel
  const label = json['label']
  if (label === undefined) return noLabel
  return [
    {
      kind: 'model',
      timeMs,
      model,
      version,
      segment: labelMember(json['segment']),
      featureNames: labelName,
      featureValues: [classOf(label)],
      prediction: undefined,
      score: undefined,
      outcome: { kind: 'label', predictionId },
    },
  ]
}

export const label: Decoder = jsonDecoder('label', read)

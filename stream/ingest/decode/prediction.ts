/**
 * Prediction events: `{model, version, features, prediction, score?, segment?, time}`. `features` is an object of
 * numbers, texts (categories), truth values and nulls; what is nested counts as null. `version` and `segment` may be
 * numbers; `prediction` may be a number or a category. A `prediction_id` is what a label event names it by.
 */
import type { Decoder, Observation, Rejected, Scalar } from './decoder.ts'
import { isObject, jsonDecoder, labelMember, numberMember, predictionIdMember, scalarMember } from './json.ts'
import { rejectedTime, timeMember } from './time.ts'

const notObject: Rejected = { code: 'invalid', reason: 'a prediction event is a JSON object' }
const noModel: Rejected = { code: 'invalid', reason: 'no model or version: both are texts that are not empty' }
const noFeatures: Rejected = { code: 'invalid', reason: 'no features: an object of numbers, texts and nulls' }

function read(json: unknown): readonly Observation[] | Rejected {
  if (!isObject(json)) return notObject
  const timeMs = timeMember(json)
  if (timeMs === undefined) return rejectedTime
  const model = labelMember(json['model'])
  const version = labelMember(json['version'])
  if (model === undefined || version === undefined) return noModel
  const features = json['features']
  if (!isObject(features)) return noFeatures
  const featureNames = Object.keys(features)
  const featureValues: Scalar[] = []
  for (const name of featureNames) featureValues.push(scalarMember(features[name]))
  const predictionId = predictionIdMember(json)
  const predicted = json['prediction']
  const score = json['score']
  return [
    {
      kind: 'model',
      timeMs,
      model,
      version,
      segment: labelMember(json['segment']),
      featureNames,
      featureValues,
      prediction: predicted === undefined ? undefined : scalarMember(predicted),
      score: score === undefined ? undefined : (numberMember(score) ?? null),
      ...(predictionId === undefined ? {} : { outcome: { kind: 'prediction', predictionId } }),
    },
  ]
}

export const prediction: Decoder = jsonDecoder('prediction', read)

import type { Observation, Rejected } from './decode/decoder.ts'

/**
 * Code units of all names that the observations of one record give: each is hashed as a whole, in a quarter of a second for
 * so many. 50,000 observations with names of 600 units are within it.
 */
const NAME_UNITS_MAX = 32 * 1024 * 1024

const tooManyUnits: Rejected = {
  code: 'too-large',
  reason: `the names of its observations have more than ${NAME_UNITS_MAX} characters in all`,
}

/**
 * The observations of a record, rejected where it says little and names much: a name of a megabyte, of a resource or in
 * the labels of a summary, is written once and told with each of 50,000 points. O(labels), only for several observations.
 */
export function withNamesBounded(decoded: readonly Observation[] | Rejected): readonly Observation[] | Rejected {
  if (!('length' in decoded) || decoded.length < 2) return decoded
  let units = 0
  for (const observation of decoded) units += unitsOf(observation)
  return units > NAME_UNITS_MAX ? tooManyUnits : decoded
}

/** Of what a record of several observations may hold; one of any other kind is a record of its own. */
function unitsOf(observation: Observation): number {
  if (observation.kind === 'service') return observation.service?.length ?? 0
  if (observation.kind !== 'metric') return 0
  const { name, entity, labels } = observation
  let units = name.length + (entity?.length ?? 0)
  for (const [label, value] of labels) units += label.length + value.length
  return units
}

/**
 * From an observation to a row: which entity it is of, and the values of its features. Bounds hold here, so that what
 * comes after never meets a number or a name that a record could not hold.
 *
 * | kind | entity | features |
 * |---|---|---|
 * | service | `service:<name>`, without a name `service:<source>` | rates `error` (level, or status >= 500) and `http_5xx` (rows with a status); `duration_ms` |
 * | model | `model:<model>@<version>`, `#<segment>` | `prediction`, `score`, each member of `features` |
 * | metric | `metric:<name>`, `{<entity>,<label>=<value>,…}` | `value` |
 * | text | `text:<source>` | rate `error` (a line with one of the error words) |
 *
 * A model's own feature named `prediction` or `score` becomes `feature.prediction`, `feature.score`. Volume is the
 * pane's count. Names are cut to 256 code units; NUL and lone surrogates become U+FFFD. A name that was changed so ends in
 * a hash of what it was, and so does the name of an entity that reads like that of a rest, `(other)`.
 */
import { hashText } from '../contract/hash.ts'
import type { Outcome } from '../contract/outcome.ts'
import { type EntityKind, entityKind, restOf } from '../contract/pane.ts'
import type {
  MetricObservation,
  ModelObservation,
  Observation,
  Scalar,
  ServiceObservation,
  TextObservation,
} from './decode/decoder.ts'
import { errorWord } from './decode/error-word.ts'

/** Code units of a name. Longer ones are also in no cache, which are bounded by their number. */
export const NAME_LENGTH_MAX = 256
/** Larger magnitudes are null: their squares, summed over all that a pane could hold, have to stay finite. */
const MAGNITUDE_MAX = 1e100
/** Entities whose names are remembered, where they are short, only to save building them again. */
const ENTITY_CACHE_MAX = 20_000

/** One observation, as panes fold it. `names` and `values` go side by side: a number, a category, or null. */
export interface Row {
  readonly kind: EntityKind
  readonly entity: string
  readonly timeMs: number
  readonly names: readonly string[]
  readonly values: readonly Scalar[]
  /** Rates that this row is a trial of; bit i of `hits` says that it was a hit of `rates[i]`. */
  readonly rates: readonly string[]
  readonly hits: number
  /** What it says to those who join predictions with labels; only where that is asked for. */
  readonly outcome?: RowOutcome
}

/** The part of an outcome that the event itself tells. Names are cleaned. */
export type RowOutcome = Pick<Outcome, 'kind' | 'predictionId' | 'model' | 'version' | 'segment' | 'class' | 'score'>

const control = /[\0\uD800-\uDFFF]/
const unwanted = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g

const rests = new Set<string>(entityKind.options.map(restOf))
const REST_LENGTH_MAX = Math.max(...[...rests].map(({ length }) => length))

/**
 * A name that any record may hold: cut, cleaned, `(empty)` when there was nothing. One that was changed ends in its hash:
 * two names that differ only in what cannot be held stay two.
 */
export function cleanName(name: string): string {
  if (name.length === 0) return '(empty)'
  if (name.length > NAME_LENGTH_MAX) return withHash(name)
  if (!control.test(name)) return name
  // pairs of surrogates stay, as emoji are
  return name.replace(unwanted, '\uFFFD') === name ? name : withHash(name)
}

/** The name of an entity, with its kind: never that of a rest, which only a pane without room makes. */
export function cleanEntity(name: string): string {
  return name.length <= REST_LENGTH_MAX && rests.has(name) ? withHash(name) : cleanName(name)
}

/** Cut first, then cleaned: a cut through a pair leaves half of it, and of a name of a megabyte the rest is only hashed. */
function withHash(name: string): string {
  const suffix = `~${hashText(name).toString(16).padStart(14, '0')}`
  return copyOf(name.slice(0, NAME_LENGTH_MAX - suffix.length).replace(unwanted, '\uFFFD') + suffix)
}

/** The same short text in memory of its own: a part of a text, as V8 makes it, holds the whole as long as it lives. */
function copyOf(text: string): string {
  const units: number[] = []
  for (let index = 0; index < text.length; index++) units.push(text.charCodeAt(index))
  return String.fromCharCode(...units)
}

/** A number within bounds, 0 for -0, null for one out of bounds. */
export function boundedNumber(value: number): number | null {
  return value <= MAGNITUDE_MAX && value >= -MAGNITUDE_MAX ? value + 0 : null
}

function bounded(value: Scalar): Scalar {
  if (typeof value === 'number') return boundedNumber(value)
  return value === null ? null : cleanName(value)
}

const errorLevels = new Set([
  'error',
  'err',
  'fatal',
  'critical',
  'crit',
  'alert',
  'emerg',
  'emergency',
  'panic',
  'severe',
])
/** Bunyan's and Pino's number for error; fatal is 60. */
const ERROR_LEVEL_MIN = 50

const knownLevels = new Map<string, boolean>()
const KNOWN_LEVELS_MAX = 1000

/** Whether a level says error or worse, whatever its case. */
export function isErrorLevel(level: string | number | undefined): boolean {
  if (level === undefined) return false
  if (typeof level === 'number') return level >= ERROR_LEVEL_MIN
  const known = knownLevels.get(level)
  if (known !== undefined) return known
  const isError = level.length <= 32 && errorLevels.has(level.toLowerCase())
  if (level.length <= 32 && knownLevels.size < KNOWN_LEVELS_MAX) knownLevels.set(level, isError)
  return isError
}

/** Shared by all rows that have these names: who folds knows them by identity. */
export const NO_NAMES: readonly string[] = []
export const DURATION: readonly string[] = ['duration_ms']
const VALUE: readonly string[] = ['value']
export const ERROR: readonly string[] = ['error']
export const ERROR_AND_5XX: readonly string[] = ['error', 'http_5xx']

/** Extracts the rows of one source. Holds a cache of names, nothing that shows in a result. */
export class Extractor {
  readonly #textEntity: string
  readonly #sourceEntity: string
  readonly #serviceEntities = new Map<string, string>()
  readonly #isJoined: boolean

  /**
   * @param source   logical name of the source: the entity of its text lines, and of logs that name no service
   * @param isJoined whether rows say what joins predictions with labels
   */
  constructor(source: string, isJoined = false) {
    this.#isJoined = isJoined
    this.#textEntity = cleanEntity(`text:${source}`)
    this.#sourceEntity = cleanEntity(`service:${source}`)
  }

  extract(observation: Observation): Row {
    switch (observation.kind) {
      case 'service':
        return this.#service(observation)
      case 'metric':
        return metricRow(observation)
      case 'model':
        return this.#isJoined ? withOutcome(modelRow(observation), observation) : modelRow(observation)
      case 'text':
        return this.#text(observation)
    }
  }

  #service(log: ServiceObservation): Row {
    const { statusCode, durationMs } = log
    const is5xx = statusCode !== undefined && statusCode >= 500
    const isError = is5xx || isErrorLevel(log.level)
    return {
      kind: 'service',
      entity: log.service === undefined ? this.#sourceEntity : this.#serviceEntity(log.service),
      timeMs: log.timeMs,
      names: durationMs === undefined ? NO_NAMES : DURATION,
      values: durationMs === undefined ? NO_NAMES : [durationMs === null ? null : boundedNumber(durationMs)],
      rates: statusCode === undefined ? ERROR : ERROR_AND_5XX,
      hits: (isError ? 1 : 0) | (is5xx ? 2 : 0),
    }
  }

  #serviceEntity(service: string): string {
    if (service.length > NAME_LENGTH_MAX) return cleanEntity(`service:${service}`)
    let entity = this.#serviceEntities.get(service)
    if (entity === undefined) {
      entity = cleanEntity(`service:${service}`)
      if (this.#serviceEntities.size >= ENTITY_CACHE_MAX) this.#serviceEntities.clear()
      this.#serviceEntities.set(copyOf(service), entity) // it may be a part of its line
    }
    return entity
  }

  #text(text: TextObservation): Row {
    return {
      kind: 'text',
      entity: this.#textEntity,
      timeMs: text.timeMs,
      names: NO_NAMES,
      values: NO_NAMES,
      rates: ERROR,
      hits: errorWord.test(text.line) ? 1 : 0,
    }
  }
}

function metricRow(point: MetricObservation): Row {
  let inBraces = point.entity ?? ''
  for (const [label, value] of point.labels) inBraces += `${inBraces === '' ? '' : ','}${label}=${value}`
  return {
    kind: 'metric',
    entity: cleanEntity(inBraces === '' ? `metric:${point.name}` : `metric:${point.name}{${inBraces}}`),
    timeMs: point.timeMs,
    names: VALUE,
    values: [point.value === null ? null : boundedNumber(point.value)],
    rates: NO_NAMES,
    hits: 0,
  }
}

function modelRow(event: ModelObservation): Row {
  const names: string[] = []
  const values: Scalar[] = []
  if (event.prediction !== undefined) {
    names.push('prediction')
    values.push(bounded(event.prediction))
  }
  if (event.score !== undefined) {
    names.push('score')
    values.push(bounded(event.score))
  }
  const { featureNames, featureValues } = event
  for (let index = 0; index < featureNames.length; index++) {
    const name = featureNames[index]!
    names.push(name === 'prediction' || name === 'score' ? `feature.${name}` : cleanName(name))
    values.push(bounded(featureValues[index]!))
  }
  const segment = event.segment === undefined ? '' : `#${event.segment}`
  return {
    kind: 'model',
    entity: cleanName(`model:${event.model}@${event.version}${segment}`),
    timeMs: event.timeMs,
    names,
    values,
    rates: NO_NAMES,
    hits: 0,
  }
}

function withOutcome(row: Row, event: ModelObservation): Row {
  if (event.outcome === undefined) return row
  const { kind, predictionId } = event.outcome
  return {
    ...row,
    outcome: {
      kind,
      predictionId: cleanName(predictionId),
      model: cleanName(event.model),
      version: cleanName(event.version),
      segment: event.segment === undefined ? null : cleanName(event.segment),
      class: classOf(kind === 'label' ? event.featureValues[0] : event.prediction),
      score: typeof event.score === 'number' ? boundedNumber(event.score) : null,
    },
  }
}

/** A text, or a whole number as its text: a label event may write the class as one, and the prediction as the other. */
function classOf(value: Scalar | undefined): string | null {
  if (typeof value === 'number') return Number.isInteger(value) ? cleanName(String(value + 0)) : null
  return typeof value === 'string' ? cleanName(value) : null
}

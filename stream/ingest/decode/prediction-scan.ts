/**
 * Prediction events read from their bytes, without parsing: the same rows as `prediction.ts` and `extract.ts` make of
 * them, or none where that is not certain (an escape in a name or a value that is read, a name twice, a value of an
 * unusual type): then the record is parsed.
 */
import { boundedNumber, cleanName, NAME_LENGTH_MAX } from '../extract.ts'
import { scanNumber, scannedNumber } from './json-number.ts'
import {
  CLOSE_OBJECT,
  COMMA,
  isDigitOrMinus,
  OPEN_OBJECT,
  QUOTE,
  skipColon,
  skipNumber,
  skipPlainText,
  skipSpace,
  skipValue,
  UNSURE,
} from './json-scan.ts'
import { type KeyNode, KeyTree } from './key-tree.ts'
import { FIRST_MEMBER, ObjectScanner } from './object-scan.ts'
import {
  CATEGORY,
  emptyScannedRow,
  NULL,
  NUMBER,
  type RowScanner,
  SCANNED_VALUES_MAX,
  type ScannedRow,
} from './scanned-row.ts'
import { TextTable } from './text-table.ts'

/** Numbered in this order; the third is the segment. */
const members = ['model', 'version', 'segment', 'features', 'prediction', 'score']
const MODEL = FIRST_MEMBER
const VERSION = FIRST_MEMBER + 1
const FEATURES = FIRST_MEMBER + 3
const PREDICTION = FIRST_MEMBER + 4
const SCORE = FIRST_MEMBER + 5

/** Values of a row: the prediction, the score, then the features. */
const PREDICTION_AT = 0
const SCORE_AT = 1
const FEATURES_AT = 2

const ENTITY_SLOTS = 4096

/** Names of a row by which of prediction (1) and score (2) were there. */
type Variants = (readonly string[] | undefined)[]

export class PredictionScanner extends ObjectScanner implements RowScanner {
  readonly #row = emptyScannedRow('model')
  readonly #featureKeys = new KeyTree<Variants>(() => [])
  readonly #labels = new TextTable()
  readonly #categories = new TextTable(cleanName)
  readonly #entities = {
    models: new Array<string>(ENTITY_SLOTS).fill(''),
    versions: new Array<string>(ENTITY_SLOTS).fill(''),
    segments: new Array<string>(ENTITY_SLOTS).fill(''),
    names: new Array<string>(ENTITY_SLOTS).fill(''),
  }
  #model = ''
  #version = ''
  #segment = ''
  #features: KeyNode<Variants> | null = null

  constructor() {
    super(members)
  }

  scan(value: Uint8Array | null): ScannedRow | null {
    this.#segment = '' // one that is there is not empty
    const seen = this.scanObject(value)
    return seen === 0 ? null : this.#finish(seen)
  }

  protected override readMember(member: number, bytes: Uint8Array, at: number, end: number): number {
    switch (member) {
      case FEATURES:
        return this.#readFeatures(bytes, at, end)
      case PREDICTION:
        return this.#readScalar(PREDICTION_AT, bytes, at, end)
      case SCORE:
        // a number in quotes counts as one, and is seldom
        return bytes[at] === QUOTE ? UNSURE : this.#readScore(bytes, at, end)
      default:
        return this.#readLabel(member, bytes, at, end)
    }
  }

  /** A text that is not empty, or an integer, whose digits are its text. */
  #readLabel(member: number, bytes: Uint8Array, at: number, end: number): number {
    let start = at
    let behind: number
    let close: number
    if (bytes[at] === QUOTE) {
      start = at + 1
      behind = skipPlainText(bytes, start, end)
      close = behind - 1
    } else {
      behind = skipNumber(bytes, at)
      close = behind
      if (!isShortInteger(bytes, at, behind)) return UNSURE
    }
    if (behind < 0 || behind > end || start === close) return UNSURE
    const label = this.#labels.get(bytes, start, close)
    if (member === MODEL) this.#model = label
    else if (member === VERSION) this.#version = label
    else this.#segment = label
    return behind
  }

  #readScore(bytes: Uint8Array, at: number, end: number): number {
    if (isDigitOrMinus(bytes[at])) return this.#readScalar(SCORE_AT, bytes, at, end)
    this.#row.types[SCORE_AT] = NULL
    return skipValue(bytes, at, end)
  }

  #readFeatures(bytes: Uint8Array, start: number, end: number): number {
    if (bytes[start] !== OPEN_OBJECT) return UNSURE
    let node = this.#featureKeys.root
    let at = skipSpace(bytes, start + 1)
    // the other way round a name is looked for before the brace
    while (bytes[at] === QUOTE) {
      const next = this.#featureKeys.next(node, bytes, at + 1, end)
      if (next === null) return UNSURE
      at = skipColon(bytes, at + 1 + this.#featureKeys.length(next))
      if (at < 0) return UNSURE
      const index = FEATURES_AT + node.depth
      if (index >= SCANNED_VALUES_MAX) return UNSURE
      node = next
      at = this.#readScalar(index, bytes, at, end)
      if (at < 0) return UNSURE
      at = skipSpace(bytes, at)
      if (bytes[at] !== COMMA) {
        this.#features = node
        return bytes[at] === CLOSE_OBJECT ? at + 1 : UNSURE
      }
      at = skipSpace(bytes, at + 1)
    }
    return UNSURE
  }

  /** A number, a category, or null for what is neither. */
  #readScalar(index: number, bytes: Uint8Array, at: number, end: number): number {
    const row = this.#row
    const byte = bytes[at]
    if (isDigitOrMinus(byte)) {
      const behind = scanNumber(bytes, at)
      if (behind < 0) return UNSURE
      const value = boundedNumber(scannedNumber())
      row.types[index] = value === null ? NULL : NUMBER
      row.numbers[index] = value ?? 0
      return behind
    }
    if (byte === QUOTE) {
      const behind = skipPlainText(bytes, at + 1, end)
      if (behind < 0) return UNSURE
      row.types[index] = CATEGORY
      row.texts[index] = this.#categories.get(bytes, at + 1, behind - 1)
      return behind
    }
    if (byte === 0x74 || byte === 0x66) return UNSURE // true and false are categories, and seldom
    row.types[index] = NULL
    return skipValue(bytes, at, end)
  }

  #finish(seen: number): ScannedRow | null {
    const required = (1 << MODEL) | (1 << VERSION) | (1 << FEATURES)
    if ((seen & required) !== required) return null
    const features = this.#features!
    const row = this.#row
    const hasPrediction = (seen & (1 << PREDICTION)) !== 0
    const hasScore = (seen & (1 << SCORE)) !== 0
    if (hasPrediction && !hasScore) {
      row.types[SCORE_AT] = row.types[PREDICTION_AT]!
      row.numbers[SCORE_AT] = row.numbers[PREDICTION_AT]!
      row.texts[SCORE_AT] = row.texts[PREDICTION_AT]!
    }
    row.first = FEATURES_AT - (hasPrediction ? 1 : 0) - (hasScore ? 1 : 0)
    const variant = (hasPrediction ? 1 : 0) | (hasScore ? 2 : 0)
    row.names = features.mark[variant] ??= rowNames(features.names, { hasPrediction, hasScore })
    row.entity = this.#entity()
    row.timeMs = this.timeMs
    return row
  }

  /** The entity's name, from the slot where names of these three parts were kept last; long ones are not kept. */
  #entity(): string {
    const { models, versions, segments, names } = this.#entities
    const model = this.#model
    const version = this.#version
    const segment = this.#segment
    const hash = mixText(mixText(mixText(0, model), version), segment)
    const slot = (hash ^ (hash >>> 12)) & (ENTITY_SLOTS - 1)
    if (models[slot] === model && versions[slot] === version && segments[slot] === segment) return names[slot]!
    const entity = cleanName(`model:${model}@${version}${segment === '' ? '' : `#${segment}`}`)
    if (model.length + version.length + segment.length > NAME_LENGTH_MAX) return entity
    models[slot] = model
    versions[slot] = version
    segments[slot] = segment
    names[slot] = entity
    return entity
  }
}

/** Length and end of a text: names that come in numbers differ there. */
function mixText(start: number, text: string): number {
  const { length } = text
  let hash = (Math.imul(start, 31) + length) | 0
  for (let index = length > 6 ? length - 6 : 0; index < length; index++)
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

function rowNames(features: readonly string[], has: { hasPrediction: boolean; hasScore: boolean }): string[] {
  const names: string[] = []
  if (has.hasPrediction) names.push('prediction')
  if (has.hasScore) names.push('score')
  for (const name of features) names.push(featureName(name))
  return names
}

function featureName(name: string): string {
  return name === 'prediction' || name === 'score' ? `feature.${name}` : cleanName(name)
}

/** Digits alone, few enough that the number's own text is the same; not -0. */
function isShortInteger(bytes: Uint8Array, start: number, end: number): boolean {
  if (end < 0 || end - start > 15) return false
  for (let at = start; at < end; at++) if (bytes[at]! < 48 || bytes[at]! > 57) return false
  return true
}

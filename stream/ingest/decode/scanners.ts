import type { SourceFormat } from '../../contract/configuration.ts'
import { JsonLogScanner } from './json-log-scan.ts'
import { PredictionScanner } from './prediction-scan.ts'
import type { RowScanner } from './scanned-row.ts'

/** What reads a format's records from their bytes, for the formats that are worth it; null for the others. */
export function createScanner(format: SourceFormat): RowScanner | null {
  switch (format) {
    case 'json-log':
      return new JsonLogScanner()
    case 'prediction':
      return new PredictionScanner()
    default:
      return null
  }
}

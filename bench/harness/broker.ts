/** The broker of the benchmarks: the one of KAFKA_BROKERS, else a local Apache Kafka that is kept for the next run. */
import { run } from '../../deploy/local/script.ts'

const report = (line: string) => console.error(line)

export async function provideBroker(): Promise<string[]> {
  const given = process.env['KAFKA_BROKERS']
  if (given !== undefined && given !== '') return given.split(',').map((broker) => broker.trim())
  return [await run({ file: 'kafka.sh', environment: process.env }, ['start'], report)]
}

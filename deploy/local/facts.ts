/** What this machine offers: the input of the choice in choose.ts. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Facts, ServiceFacts } from './choose.ts'
import { info, type Script } from './script.ts'

/** The major version in the output of `java -version`: `17.0.15` is 17, `1.8.0_402` is 8. */
export function javaMajorOf(text: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(text)
  return match === null ? undefined : Number(match[1])
}

/** Debian itself: what derives from it has other package archives. */
export function isDebian(osRelease: string): boolean {
  return /^ID="?debian"?$/m.test(osRelease)
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8')
  } catch {
    return ''
  }
}

function serviceFacts(script: Script): ServiceFacts {
  const facts = info(script)
  return {
    version: facts['version'] ?? '',
    downloaded: facts['downloaded'] === 'yes',
    running: facts['running'],
  }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim()
}

/** Looks, starts nothing. About 0.3 s, most of it for Java. */
export function gatherFacts(environment: NodeJS.ProcessEnv): Facts {
  const works = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args, { env: environment, stdio: 'ignore' }).status === 0
  const kafkaBrokers = nonEmpty(environment['KAFKA_BROKERS'])
  const databaseUrl = nonEmpty(environment['DATABASE_URL'])
  const java =
    kafkaBrokers === undefined ? spawnSync('java', ['-version'], { env: environment, encoding: 'utf8' }) : undefined
  return {
    kafkaBrokers,
    databaseUrl,
    bash: works('bash', '-c', 'true'),
    javaMajor: java?.status === 0 ? javaMajorOf(java.stderr + java.stdout) : undefined,
    maven: works('bash', '-c', 'command -v mvn'),
    root: process.getuid?.() === 0,
    debian: isDebian(osRelease()),
    kafka: serviceFacts({ file: 'kafka.sh', environment }),
    timescale: serviceFacts({ file: 'timescale.sh', environment }),
    postgres: serviceFacts({ file: 'postgres.sh', environment }),
    failed: {},
  }
}

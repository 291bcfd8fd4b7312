/** What the configuration and the secrets come to for each outside service. */
import { dirname, resolve } from 'node:path'
import type { LoadedConfig } from '../config.ts'
import { SentinelError } from '../errors.ts'
import { createJwtVerifier, type JwtVerifier } from '../io/http/jwt.ts'
import type { KafkaConnection } from '../io/kafka/client.ts'

/** A path of the configuration, which is relative to its file. */
function besideConfiguration({ origin }: LoadedConfig, path: string): string {
  return resolve(origin.file === null ? '.' : dirname(origin.file), path)
}

/** @throws CONFIGURATION_INVALID where kafka.sasl has no password */
export function kafkaConnection(loaded: LoadedConfig): KafkaConnection {
  const { brokers, clientId, tls, sasl } = loaded.config.kafka
  const password = loaded.secrets.saslPassword
  if (sasl !== undefined && (password === undefined || sasl.username === undefined)) {
    const text = 'kafka.sasl takes KAFKA_SASL_PASSWORD in the environment, which is not set.'
    throw new SentinelError('CONFIGURATION_INVALID', text)
  }
  const path = (given: string | undefined) => (given === undefined ? undefined : besideConfiguration(loaded, given))
  return {
    brokers,
    clientId,
    ...(tls === undefined ? {} : { tls: { ...tls, ca: path(tls.ca), cert: path(tls.cert), key: path(tls.key) } }),
    ...(sasl === undefined
      ? {}
      : { sasl: { mechanism: sasl.mechanism, username: sasl.username!, password: password! } }),
  }
}

/** @returns undefined where the API knows no issuer */
export async function jwtVerifier(loaded: LoadedConfig): Promise<JwtVerifier | undefined> {
  const { auth } = loaded.config.http
  if (auth === undefined) return undefined
  const { issuer, audience, jwksUrl, keysFile, maxAge, clockTolerance, roles, rolesClaim } = auth
  return createJwtVerifier({
    issuer,
    audience,
    keys: keysFile === undefined ? { jwksUrl: jwksUrl! } : { keysFile: besideConfiguration(loaded, keysFile) },
    maxAgeMs: maxAge,
    clockToleranceMs: clockTolerance,
    rolesClaim,
    roleNames: roles,
    tenantsClaim: auth.tenantsClaim,
    tenantsWithoutClaim: auth.tenantsWithoutClaim,
    now: Date.now,
  })
}

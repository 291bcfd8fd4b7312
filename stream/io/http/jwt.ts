/** Callers who present a JWT of the configured issuer. */
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { Refusal } from './answer.ts'
import { type Caller, type Role, roles } from './caller.ts'
import { fileKeySet, remoteKeySet } from './key-set.ts'

export interface JwtOptions {
  readonly issuer: string
  readonly audience: string
  readonly keys: { readonly jwksUrl: string } | { readonly keysFile: string }
  /** Since it was issued (ms): an older token is refused, however late it expires. */
  readonly maxAgeMs: number
  /** By which the clocks of issuer and worker may differ (ms). */
  readonly clockToleranceMs: number
  readonly rolesClaim: string
  /** What the claim holds, for each of our roles. */
  readonly roleNames: Readonly<Record<Role, readonly string[]>>
  readonly tenantsClaim: string
  /** Of a token without that claim. */
  readonly tenantsWithoutClaim: readonly string[]
  /** Wall clock, ms. */
  readonly now: () => number
}

export type JwtVerifier = (token: string) => Promise<Caller>

const principalLengthMax = 256
const tenantsMax = 1_000

/**
 * @returns who the token speaks of; it throws Refusal 401 for one that does not hold, 403 for one without a role of
 *   ours, 503 where the issuer's keys cannot be had
 * @throws INPUT_UNREADABLE, CONFIGURATION_INVALID for a file of keys that is none
 */
export async function createJwtVerifier(options: JwtOptions): Promise<JwtVerifier> {
  const { keys, now } = options
  const keyOf = 'keysFile' in keys ? await fileKeySet(keys.keysFile) : remoteKeySet({ url: keys.jwksUrl, now })
  return async (token) => callerOf(await verified(token, keyOf, options), options)
}

async function verified(token: string, keyOf: JWTVerifyGetKey, options: JwtOptions): Promise<JWTPayload> {
  const { issuer, audience, maxAgeMs, clockToleranceMs, now } = options
  try {
    const { payload } = await jwtVerify(token, keyOf, {
      // named here, never taken from the token: neither `none` nor an HMAC with a public key as its secret
      algorithms: ['RS256', 'ES256'],
      issuer,
      audience,
      maxTokenAge: maxAgeMs / 1000,
      clockTolerance: clockToleranceMs / 1000,
      requiredClaims: ['sub', 'exp', 'iat'],
      currentDate: new Date(now()),
    })
    return payload
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw unauthorized(reasonOf(error))
  }
}

/** In our words: what the library says may hold a part of the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) {
    return error.claim === 'iat' ? 'it was issued too long ago' : 'it has expired'
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const claim = { iss: 'its issuer', aud: 'its audience', nbf: 'its beginning', iat: 'its time of issue' }[
      error.claim
    ]
    return `${claim ?? `its claim ${error.claim}`} is not what this API takes`
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is neither RS256 nor ES256'
  if (error instanceof errors.JWKSNoMatchingKey) return 'no key of the issuer has signed it'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not hold'
  return 'it cannot be read'
}

function unauthorized(reason: string): Refusal {
  return new Refusal(401, 'UNAUTHORIZED', `The token is refused: ${reason}.`, { 'www-authenticate': 'Bearer' })
}

function callerOf(payload: JWTPayload, options: JwtOptions): Caller {
  const principal = `${options.issuer}#${payload.sub}`
  if (typeof payload.sub !== 'string' || payload.sub === '' || principal.length > principalLengthMax) {
    throw unauthorized(`its subject is empty, or longer than ${principalLengthMax} characters with the issuer`)
  }
  if (/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(payload.sub)) throw unauthorized('its subject holds control characters')
  const names = listOf(claimOf(payload, options.rolesClaim))
  const role = roles.findLast((candidate) => options.roleNames[candidate].some((name) => names.includes(name)))
  if (role === undefined) {
    throw new Refusal(403, 'ROLE_MISSING', `The token gives no role of this API in its claim ${options.rolesClaim}.`)
  }
  return { principal, role, tenants: tenantsOf(claimOf(payload, options.tenantsClaim), options) }
}

function tenantsOf(claim: unknown, options: JwtOptions): Caller['tenants'] {
  const given = typeof claim === 'string' ? [claim] : claim
  if (given === undefined) return options.tenantsWithoutClaim.includes('*') ? '*' : options.tenantsWithoutClaim
  if (!Array.isArray(given) || given.length > tenantsMax || !given.every((name) => typeof name === 'string')) {
    throw unauthorized(`its claim ${options.tenantsClaim} is no list of up to ${tenantsMax} names`)
  }
  return given.includes('*') ? '*' : given
}

/** A claim by its whole name (which may hold dots), or by a path: `realm_access.roles`. */
function claimOf(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name]
  let value: unknown = payload
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

/** Roles come as a list, or as words in one text. */
function listOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ')
  return Array.isArray(claim) ? claim.filter((name) => typeof name === 'string') : []
}

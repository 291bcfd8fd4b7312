/** Who asks, and what they may see. */
import type { Scope } from '../../read-model.ts'

/** Each may do what those before it may. */
export const roles = ['viewer', 'approver', 'admin'] as const
export type Role = (typeof roles)[number]

export interface Caller {
  /** `<issuer>#<subject>` of a JWT, or `local-operator`: what decisions are signed for. */
  readonly principal: string
  readonly role: Role
  /** The tenants that the caller may see; `*` for all. */
  readonly tenants: '*' | readonly string[]
}

export function isAtLeast(role: Role, least: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(least)
}

export function maySee({ tenants }: Caller, tenant: string): boolean {
  return tenants === '*' || tenants.includes(tenant)
}

/** What a list is filtered by. */
export function scopeOf({ tenants }: Caller): Scope {
  return tenants === '*' ? {} : { tenants }
}

/** The tenant of a question that names none: the only one of the caller, else `default`. */
export function usualTenant({ tenants }: Caller): string {
  return tenants !== '*' && tenants.length === 1 ? tenants[0]! : 'default'
}

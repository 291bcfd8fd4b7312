/** Names that no tenant may have: chains of the audit that belong to no tenant are called so. */
export const reservedTenantPrefix = 'sentinel/'

export function isReservedTenant(tenant: string): boolean {
  return tenant.startsWith(reservedTenantPrefix)
}

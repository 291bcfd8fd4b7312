/** How entities are named in configuration and to people: `service:payment`, or just `payment`. */

/** An entity's name without the prefix of its kind. */
export function bareName(entity: string): string {
  const colon = entity.indexOf(':')
  return colon < 0 ? entity : entity.slice(colon + 1)
}

/** Entities that one calls, by `dependsOn`; both its sides may be written with or without the kind. */
export function calls(dependsOn: Readonly<Record<string, readonly string[]>>, caller: string, callee: string): boolean {
  const declared = [...(ownValue(dependsOn, caller) ?? []), ...(ownValue(dependsOn, bareName(caller)) ?? [])]
  return declared.includes(callee) || declared.includes(bareName(callee))
}

function ownValue<T>(values: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(values, key) ? values[key] : undefined
}

/** The state of each component, as the rest of the program tells it. */

export const components = ['broker', 'database', 'registry', 'ingest', 'detect', 'join', 'respond', 'store'] as const
export type Component = (typeof components)[number]

export interface ComponentState {
  readonly component: Component
  readonly ready: boolean
  /** A few words without names or secrets: it is shown to who has no token. */
  readonly detail: string
}

export interface Health {
  set(component: Component, state: { ready: boolean; detail: string }): void
  states(): readonly ComponentState[]
}

/**
 * @param used     components of this process: all of them have to be ready
 * @param onChange told when a component becomes ready or stops being so
 */
export function createHealth(used: readonly Component[], onChange?: (state: ComponentState) => void): Health {
  const states = new Map<Component, ComponentState>(
    used.map((component) => [component, { component, ready: false, detail: 'starting' }]),
  )
  return {
    set(component, { ready, detail }) {
      const before = states.get(component)
      if (before === undefined || (before.ready === ready && before.detail === detail)) return
      const state = { component, ready, detail }
      states.set(component, state)
      if (before.ready !== ready) onChange?.(state)
    },
    states: () => [...states.values()],
  }
}

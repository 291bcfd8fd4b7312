/** What a digest stands for: recovery runs under the configuration that the commit or the checkpoint names. */
export interface ConfigurationStore {
  /** Stores what a digest stands for, once. */
  save(configuration: { digest: string; stage: string; body: unknown }): Promise<void>
  load(digest: string): Promise<{ stage: string; body: unknown } | null>
  /** Every one of a stage that was stored, in the order of digests. */
  list(stage: string): Promise<readonly { readonly digest: string; readonly body: unknown }[]>
}

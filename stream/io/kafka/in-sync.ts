/** Topics of which an acknowledged record may lie on one disk alone, though there are replicas enough. */
import type { Admin } from 'kafkajs'
import { refusalOf } from './refusal.ts'

const topicResource = 2
const setting = 'min.insync.replicas'

/**
 * @param topics that are there
 * @returns those with three replicas or more whose `min.insync.replicas` is 1; null where their settings may not be seen
 */
export async function onOneDisk(admin: Admin, topics: readonly string[]): Promise<string[] | null> {
  if (topics.length === 0) return []
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] })
  const replicated = found
    .filter(({ partitions }) => (partitions[0]?.replicas.length ?? 0) >= 3)
    .map(({ name }) => name)
  if (replicated.length === 0) return []
  try {
    const resources = replicated.map((name) => ({ type: topicResource, name, configNames: [setting] }))
    const { resources: answers } = await admin.describeConfigs({ resources, includeSynonyms: false })
    return answers
      .filter(({ configEntries }) => configEntries.some((it) => it.configName === setting && it.configValue === '1'))
      .map(({ resourceName }) => resourceName)
  } catch (error) {
    if (refusalOf(error) === null) throw error
    return null
  }
}

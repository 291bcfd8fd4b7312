import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'
import { compareCodeUnits } from '../../contract/encoding.ts'

const name = 'sentinel-by-subscription'

/**
 * Spreads each topic's partitions over the members that subscribe to it, round robin in the order of member ids.
 * KafkaJS's own assigner hands every topic to every member, also to one that never asked for it.
 */
export const assignBySubscription: PartitionAssigner = ({ cluster }) => ({
  name,
  version: 1,
  async assign({ members, topics }) {
    const assignment: Record<string, Record<string, number[]>> = {}
    const subscribers = new Map<string, string[]>()
    for (const { memberId, memberMetadata } of [...members].sort((a, b) => compareCodeUnits(a.memberId, b.memberId))) {
      assignment[memberId] = {}
      for (const topic of AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? []) {
        subscribers.set(topic, [...(subscribers.get(topic) ?? []), memberId])
      }
    }
    let turn = 0
    for (const topic of [...topics].sort(compareCodeUnits)) {
      const candidates = subscribers.get(topic) ?? []
      if (candidates.length === 0) continue
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
      for (const partition of partitions.sort((a, b) => a - b)) {
        const member = assignment[candidates[turn++ % candidates.length]!]!
        member[topic] = [...(member[topic] ?? []), partition]
      }
    }
    return Object.entries(assignment).map(([memberId, partitions]) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({
        version: 1,
        assignment: partitions,
        userData: Buffer.alloc(0),
      }),
    }))
  },
  protocol: ({ topics }) => ({
    name,
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }),
  }),
})

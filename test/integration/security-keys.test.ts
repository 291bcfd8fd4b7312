import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stateFolder, topicPlan } from '../../stream/cli/worker.ts'
import { resolveSigningKey } from '../../stream/io/http/keys.ts'
import { declaredKeys, isValidEverywhere } from '../../stream/io/kafka/signing-keys.ts'
import { ensureIncarnations, ensureTopics } from '../../stream/io/kafka/topics.ts'
import { sentinel } from './child.ts'
import { createWorld, servicesMissing } from './world.ts'

describe.skipIf(servicesMissing)('sentinel keys', () => {
  it('rotates: two keys are valid at a time, and a broken off rotation goes on', async () => {
    const { loaded, kafka, admin, prefix, configPath } = await createWorld()
    const folder = stateFolder(loaded)
    const path = join(folder, 'signing-key.pem')
    const current = async () => (await resolveSigningKey({ path })).keyId
    const key = await resolveSigningKey({ path })
    await ensureTopics(admin, topicPlan(loaded.config))
    await ensureIncarnations(kafka, topicPlan(loaded.config), [{ keyId: key.keyId, spki: key.spki }])
    const rotate = async () => {
      const { code, stderr } = await sentinel(['keys', 'rotate', '--config', configPath]).end()
      expect(code, stderr).toBe(0)
      return current()
    }
    // as if one had ended after it made the key
    const next = await resolveSigningKey({ path: join(folder, 'signing-key.next.pem') })
    const second = await rotate()
    expect(second).toBe(next.keyId)
    const valid = async () => {
      const keys = await declaredKeys(kafka, prefix)
      expect(keys.length).toBe(loaded.config.topics.partitions.casefile)
      return Object.keys(keys[0]!).filter((keyId) => isValidEverywhere(keys, keyId))
    }
    expect((await valid()).sort()).toEqual([key.keyId, second].sort())
    const third = await rotate()
    expect((await valid()).sort()).toEqual([second, third].sort())
    const list = await sentinel(['keys', 'list', '--config', configPath]).end()
    expect([list.code, list.stdout]).toEqual([0, expect.stringMatching(new RegExp(`${key.keyId} +revoked`))])
    expect(list.stdout).toMatch(new RegExp(`${third} +valid +.the one of this configuration`))
  })
})

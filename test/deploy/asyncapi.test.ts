import { describe, expect, it } from 'vitest'
import { channels } from '../../deploy/asyncapi.ts'
import { generatedFiles } from '../../deploy/generate.ts'
import { casefileRecord } from '../../stream/contract/case.ts'
import { outcomesRecord } from '../../stream/contract/outcome.ts'
import { panesRecord } from '../../stream/contract/pane.ts'
import { topicNames } from '../../stream/contract/topics.ts'
import { stageNames, topology } from '../../stream/topology.ts'

interface Document {
  asyncapi: string
  channels: Record<string, { address: string | null; messages: Record<string, { $ref: string }> }>
  operations: Record<string, { action: string; channel: { $ref: string }; messages: { $ref: string }[] }>
  components: { messages: Record<string, object>; schemas: Record<string, object> }
}

const document = JSON.parse((await generatedFiles()).get('schemas/asyncapi.json')!) as Document

/** Every `$ref` of a value. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = (value as Record<string, unknown>)['$ref']
  return [...(typeof own === 'string' ? [own] : []), ...Object.values(value).flatMap(references)]
}

function target(reference: string): unknown {
  const steps = reference.slice(2).split('/')
  return steps.reduce<unknown>((value, step) => (value as Record<string, unknown> | undefined)?.[step], document)
}

describe('schemas/asyncapi.json', () => {
  it('names every topic under its address, and no reference leads nowhere', () => {
    expect(Object.keys(document.channels).sort()).toEqual(['sources', ...topicNames].sort())
    for (const name of topicNames) expect(document.channels[name]!.address).toBe(`sentinel.${name}.v1`)
    const all = references(document)
    expect(all.length).toBeGreaterThan(100)
    expect(all.filter((reference) => !reference.startsWith('#/') || target(reference) === undefined)).toEqual([])
  })

  it('has an operation for each edge of the topology, on the right channel', () => {
    for (const stage of stageNames) {
      for (const name of topology[stage].reads) {
        const operation = document.operations[`${stage}-receives-${name}`]
        expect(operation, `${stage} reads ${name}`).toMatchObject({ action: 'receive' })
        expect(operation!.channel.$ref).toBe(`#/channels/${name}`)
      }
      for (const name of topology[stage].writes) {
        const operation = document.operations[`${stage}-sends-${name}`]
        expect(operation, `${stage} writes ${name}`).toMatchObject({ action: 'send' })
        expect(operation!.messages.length).toBeGreaterThan(0)
      }
    }
  })

  it('knows every record of the inner topics, and every writer writes what its channel holds', () => {
    expect([...channels.panes.records].sort()).toEqual(panesRecord.options.map(({ shape }) => shape.type.value).sort())
    expect([...channels.casefile.records].sort()).toEqual(
      casefileRecord.options.map(({ shape }) => shape.type.value).sort(),
    )
    expect([...channels.outcomes.records].sort()).toEqual(
      outcomesRecord.options.map(({ shape }) => shape.type.value).sort(),
    )
    for (const { channel, messages } of Object.values(document.operations)) {
      const held = Object.keys((target(channel.$ref) as Document['channels'][string]).messages)
      for (const { $ref } of messages) expect(held).toContain($ref.split('/').at(-1))
    }
  })
})

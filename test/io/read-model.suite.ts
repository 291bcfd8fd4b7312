/** What every read model answers: run over memory and over PostgreSQL. */
import { expect, it } from 'vitest'
import { idOf } from '../../stream/contract/id.ts'
import type { Incident } from '../../stream/contract/incident.ts'
import type { TopicName } from '../../stream/contract/topics.ts'
import { evidenceOf, type ReadModel } from '../../stream/read-model.ts'
import {
  auditEntry,
  hourMs,
  incident,
  learnedReference,
  logRecords,
  measurement,
  minuteMs,
  modelQuality,
  noonMs,
  proposal,
  qualitySlot,
  remediation,
  vote,
} from './records.ts'

/** Gives an empty read model, and a way to fill it record by record. */
export type Subject = () => Promise<{
  readModel: ReadModel
  apply: (topic: TopicName, records: ReturnType<typeof logRecords>) => Promise<void>
}>

export function readModelSuite(subject: Subject): void {
  it('answers nothing where nothing is', async () => {
    const { readModel } = await subject()
    expect(await readModel.incidents({}, { limit: 10 })).toEqual({ incidents: [], next: null })
    expect(await readModel.incident(idOf('incident', 'none'))).toBeNull()
    expect(await readModel.entities({})).toEqual([])
    expect(await readModel.approvals()).toEqual([])
    expect(await readModel.proposal(idOf('command', 'none'))).toBeNull()
    expect(await readModel.audit('default', -1, 10)).toEqual([])
  })

  it('adds up what the tasks counted of a model, the newest of each slot', async () => {
    const { readModel, apply } = await subject()
    const later = qualitySlot({ startMs: noonMs + hourMs, predictions: 1, labelled: 0, correct: 0 })
    const bodies = [
      modelQuality({ slots: [qualitySlot({ labelled: 1, correct: 1 })] }),
      modelQuality({ asOfMs: noonMs + 2 * hourMs, slots: [qualitySlot(), later] }),
      modelQuality({ task: 1 }),
      modelQuality({ entity: 'model:churn@3#north', segment: 'north' }),
      modelQuality({ tenant: 'other' }),
    ]
    await apply('model-quality', logRecords(bodies))
    const range = { fromMs: noonMs, toMs: noonMs + 3 * hourMs }
    const { series, truncated } = await readModel.quality({ tenant: 'default', ...range })
    expect(truncated).toBe(false)
    expect(series.map(({ entity, segment }) => [entity, segment])).toEqual([
      ['model:churn@3', null],
      ['model:churn@3#north', 'north'],
    ])
    expect(series[0]!.slots).toMatchObject([
      { startMs: noonMs, predictions: 20, labelled: 10, correct: 8, classes: [['yes', 10, 8]] },
      { startMs: noonMs + hourMs, predictions: 1 },
    ])
    const one = await readModel.quality({ entity: 'model:churn@3', fromMs: noonMs + 1, toMs: range.toMs })
    expect(one.series.map(({ tenant, slots }) => [tenant, slots.length])).toEqual([['default', 1]])
    expect((await readModel.quality({ tenants: ['other'], ...range })).series).toHaveLength(1)
    expect((await readModel.quality({ tenants: [], ...range })).series).toEqual([])
  })

  it('pages incidents newest first, those of one moment too', async () => {
    const { readModel, apply } = await subject()
    const opened = Array.from({ length: 7 }, (_, index) =>
      incident({
        id: idOf('incident', index),
        openedMs: noonMs + Math.floor(index / 3),
        tenant: index === 0 ? 'other' : 'default',
      }),
    )
    await apply('incidents', logRecords(opened))
    const seen: Incident[] = []
    let after: string | undefined
    do {
      const page = await readModel.incidents({}, { limit: 2, ...(after === undefined ? {} : { after }) })
      expect(page.incidents.length).toBeLessThanOrEqual(2)
      seen.push(...page.incidents)
      after = page.next ?? undefined
    } while (after !== undefined)
    const expected = [...opened].sort((a, b) => b.openedMs - a.openedMs || (a.id < b.id ? 1 : -1))
    expect(seen).toEqual(expected)
    const filtered = await readModel.incidents({ tenant: 'default', fromMs: noonMs, toMs: noonMs + 1 }, { limit: 10 })
    expect(filtered.incidents.map(({ id }) => id).sort()).toEqual([opened[1]!.id, opened[2]!.id].sort())
    expect((await readModel.incidents({ severity: 'low' }, { limit: 10 })).incidents).toEqual([])
  })

  it('keeps the highest version of an incident, in whatever order versions come', async () => {
    const { readModel, apply } = await subject()
    const first = incident()
    const second = incident({ version: 2, change: 'escalated', severity: 'critical', updatedMs: noonMs + 1 })
    const third = incident({
      version: 3,
      change: 'closed',
      status: 'closed',
      updatedMs: noonMs + 2,
      closedMs: noonMs + 2,
    })
    await apply('incidents', logRecords([second, first, third, second]))
    const found = await readModel.incident(first.id)
    expect(found?.incident).toEqual(third)
    expect(found?.versions.map(({ version, change }) => [version, change])).toEqual([
      [1, 'opened'],
      [2, 'escalated'],
      [3, 'closed'],
    ])
    expect((await readModel.incidents({ status: 'open' }, { limit: 10 })).incidents).toEqual([])
  })

  it('derives approvals from the latest version, with the time of the first', async () => {
    const { readModel, apply } = await subject()
    const waiting = incident({ remediations: [remediation()] })
    const commandId = proposal().commandId
    await apply(
      'incidents',
      logRecords([waiting, incident({ version: 2, updatedMs: noonMs + 5, remediations: [remediation()] })]),
    )
    const approval = {
      remediation: remediation(),
      incidentId: waiting.id,
      incidentVersion: 2,
      incidentTitle: waiting.title,
      severity: 'high',
      requestedMs: noonMs,
    }
    expect(await readModel.approvals('awaiting-approval')).toEqual([approval])
    expect(await readModel.proposal(commandId)).toEqual(approval)
    const answered = remediation({
      state: 'commanded',
      approvals: [{ principal: 'p', decision: 'approve', decisionId: idOf('decision', 1) }],
    })
    await apply('incidents', logRecords([incident({ version: 3, updatedMs: noonMs + 9, remediations: [answered] })], 2))
    expect(await readModel.approvals('awaiting-approval')).toEqual([])
    expect(await readModel.proposal(commandId)).toEqual({ ...approval, remediation: answered, incidentVersion: 3 })
    expect((await readModel.approvals()).length).toBe(1)
  })

  it('answers the newest measurements of a range, oldest first, and says when it left some out', async () => {
    const { readModel, apply } = await subject()
    const all = [0, 1, 2, 3].map((index) => measurement({ evaluationMs: noonMs + index * minuteMs }))
    const elsewhere = measurement({ entity: 'service:payment', features: [], votes: [] })
    await apply('measurements', logRecords([...all, elsewhere, all[0]!]))
    const range = { tenant: 'default', fromMs: noonMs, toMs: noonMs + 3 * minuteMs }
    expect(await readModel.measurements({ ...range, limit: 10 })).toEqual({
      measurements: [all[0], elsewhere, all[1], all[2]],
      truncated: false,
    })
    const cut = await readModel.measurements({ ...range, entity: 'model:churn@3', feature: 'error', limit: 2 })
    expect(cut.truncated).toBe(true)
    expect(cut.measurements.map(({ evaluationMs }) => evaluationMs)).toEqual([noonMs + minuteMs, noonMs + 2 * minuteMs])
    expect(cut.measurements[0]?.features.map(({ feature }) => feature)).toEqual(['error'])
    expect(cut.measurements[0]?.votes).toEqual([])
    expect((await readModel.measurements({ ...range, tenant: 'other', limit: 10 })).measurements).toEqual([])
  })

  it('lists entities by their newest evaluation', async () => {
    const { readModel, apply } = await subject()
    const drifting = measurement({ evaluationMs: noonMs + 1, votes: [vote({ status: 'drift', score: 7 }), vote()] })
    await apply('measurements', logRecords([drifting, measurement(), measurement({ entity: 'a', tenant: 'other' })]))
    expect(await readModel.entities({ tenant: 'default' })).toEqual([
      {
        tenant: 'default',
        entity: 'model:churn@3',
        source: 'predictions',
        kind: 'model',
        evaluationMs: noonMs + 1,
        status: 'drift',
        score: 7,
      },
    ])
    expect((await readModel.entities({})).map(({ tenant }) => tenant)).toEqual(['default', 'other'])
  })

  it('shows nobody what lies outside their tenants', async () => {
    const { readModel, apply } = await subject()
    const theirs = proposal({ tenant: 'b', commandId: idOf('command', 'b'), incidentId: idOf('incident', 'b') })
    await apply(
      'incidents',
      logRecords([
        incident({ remediations: [remediation()], tenant: 'default' }),
        incident({ id: idOf('incident', 'b'), tenant: 'b', remediations: [remediation({}, theirs)] }),
      ]),
    )
    await apply('measurements', logRecords([measurement(), measurement({ tenant: 'b' })]))
    for (const tenants of [['default'], ['b'], ['default', 'b'], ['none'], []]) {
      const seen = [
        (await readModel.incidents({ tenants }, { limit: 10 })).incidents.map(({ tenant }) => tenant),
        (await readModel.entities({ tenants })).map(({ tenant }) => tenant),
        (await readModel.approvals(undefined, { tenants })).map(({ remediation: { proposal } }) => proposal.tenant),
      ]
      const expected = tenants.filter((tenant) => tenant !== 'none').sort()
      for (const one of seen) expect([tenants, [...one].sort()]).toEqual([tenants, expected])
    }
    expect((await readModel.entities({ tenant: 'b', tenants: ['default'] })).length).toBe(0)
    expect((await readModel.incidents({ tenant: 'b', tenants: ['default'] }, { limit: 10 })).incidents).toEqual([])
  })

  it('sums measurements up in the columns of a heatmap', async () => {
    const { readModel, apply } = await subject()
    const numeric = (count: number, mean: number, spread: number) => ({
      kind: 'numeric' as const,
      count,
      nulls: 0,
      mean,
      standardDeviation: 1,
      min: mean - spread,
      max: mean + spread,
      p50: mean,
      p95: mean + spread / 2,
      p99: mean + spread,
    })
    const one = (minute: number, latest: ReturnType<typeof numeric>, votes = [vote()]) => {
      const base = measurement({ evaluationMs: noonMs + minute * minuteMs, votes })
      return { ...base, features: [{ ...base.features[0]!, latest, window: latest }, base.features[1]!] }
    }
    const bodies = [
      one(0, numeric(10, 4, 2), [vote({ status: 'warning', score: 2 })]),
      one(4, numeric(30, 8, 6), [vote({ status: 'drift', score: 5 }), vote({ vote: 'errors', problem: 'errors' })]),
      one(9, numeric(0, 0, 0)),
      one(10, numeric(4, 1, 1)),
      measurement({ entity: 'service:payment', source: 'logs', evaluationMs: noonMs, features: [], votes: [] }),
      measurement({ tenant: 'other' }),
    ]
    await apply('measurements', logRecords([...bodies, bodies[0]!]))
    const query = { tenant: 'default', fromMs: noonMs, toMs: noonMs + 60 * minuteMs, stepMs: 10 * minuteMs }
    const { rows, truncated } = await readModel.heatmap({ ...query, cellsMax: 100 })
    expect([truncated, rows.map(({ feature, cells }) => [feature, cells.length])]).toEqual([
      false,
      [
        ['age', 2],
        ['error', 2],
      ],
    ])
    expect(rows[0]).toMatchObject({ entity: 'model:churn@3', source: 'predictions' })
    const none = { hits: null, trials: null }
    expect(rows[0]!.cells).toEqual([
      {
        ...none,
        ...{ startMs: noonMs, evaluations: 3, rowCount: 40, status: 'drift', score: 5, driftScore: 5 },
        ...{ mean: 7, min: 2, max: 14, p95: 11 },
      },
      {
        ...none,
        ...{ startMs: noonMs + 10 * minuteMs, evaluations: 1, rowCount: 4, status: 'stable', score: 0.5 },
        ...{ driftScore: 0.5, mean: 1, min: 0, max: 2, p95: 1.5 },
      },
    ])
    expect(rows[1]!.cells[0]).toMatchObject({ hits: 6, trials: 30, mean: null, driftScore: null, score: 0 })
    const cut = await readModel.heatmap({ ...query, cellsMax: 3 })
    expect([cut.truncated, cut.rows.map(({ feature }) => feature)]).toEqual([true, ['age']])
    expect((await readModel.heatmap({ ...query, cellsMax: 2 })).truncated).toBe(true)
    const chosen = await readModel.heatmap({ ...query, feature: 'error', entity: 'model:churn@3', cellsMax: 9 })
    expect(chosen.rows.map(({ feature }) => feature)).toEqual(['error'])
    expect((await readModel.heatmap({ ...query, tenant: 'none', cellsMax: 9 })).rows).toEqual([])
    const shifted = await readModel.heatmap({ ...query, fromMs: noonMs + 1, toMs: noonMs + 5 * minuteMs, cellsMax: 9 })
    expect(shifted.rows[0]!.cells.map(({ startMs, evaluations }) => [startMs, evaluations])).toEqual([[noonMs, 1]])
  })

  it('reads the audit of one tenant in order', async () => {
    const { readModel, apply } = await subject()
    const entries = [0, 1, 2].map((sequence) => auditEntry(sequence))
    await apply('audit', logRecords([...entries, auditEntry(0, { tenant: 'other' }), entries[1]!]))
    expect(await readModel.audit('default', -1, 10)).toEqual(entries)
    expect(await readModel.audit('default', 0, 1)).toEqual([entries[1]])
  })

  it('gives a measurement by its id, with the references that it names and the course before it', async () => {
    const { readModel, apply } = await subject()
    const [one, two] = [idOf('reference', 'one'), idOf('reference', 'two')]
    const withReferences = (evaluationMs: number, source = 'predictions') => {
      const plain = measurement({ evaluationMs, source })
      const [age, error] = plain.features
      const features = [
        { ...age!, reference: one },
        { ...error!, reference: two },
      ]
      return { ...plain, features }
    }
    const [before, asked] = [withReferences(noonMs - 5 * minuteMs), withReferences(noonMs)]
    const secondPart = learnedReference({ id: idOf('reference-part', one, 1), part: { index: 1, count: 2 } })
    await apply('measurements', [
      ...logRecords([
        learnedReference({ part: { index: 0, count: 2 } }),
        secondPart,
        learnedReference({ reference: two, tenant: 'other' }),
        learnedReference({ reference: idOf('reference', 'three') }),
        withReferences(noonMs - 61 * minuteMs),
        before,
        withReferences(noonMs - 5 * minuteMs, 'elsewhere'),
        asked,
        withReferences(noonMs + minuteMs),
      ]),
    ])
    expect(await readModel.measurement(asked.id)).toEqual(asked)
    expect(await readModel.measurement(idOf('measurement', 'none'))).toBeNull()
    expect(await readModel.references([])).toEqual([])
    const found = (await evidenceOf(readModel, asked.id))!
    expect(found.measurement).toEqual(asked)
    expect(found.references.map(({ id }) => id).sort()).toEqual([one, secondPart.id].sort())
    expect(found.course).toEqual(
      [before, asked].map(({ evaluationMs }) => ({
        evaluationMs,
        verdicts: [{ feature: 'age', detector: 'psi', status: 'stable', score: 0.25, statistic: 0.1 }],
        votes: [{ feature: 'age', vote: 'drift', status: 'stable', score: 0.5 }],
      })),
    )
    expect(await evidenceOf(readModel, idOf('measurement', 'none'))).toBeNull()
  })
}

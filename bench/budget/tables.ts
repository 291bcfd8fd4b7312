/** The tables of docs/budget.md. */
import type { Sensitivity } from '../../stream/contract/configuration.ts'
import type { Multiplicity } from '../../stream/detect/multiplicity.ts'
import type { Exceedance } from './chances.ts'
import type { DefaultRate } from './defaults.ts'
import { type Delay, type DelayRow, HORIZON_PANES, type ProofRow } from './proof.ts'

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export function proofTable(rows: readonly ProofRow[]): string {
  const head = [
    ...['series', 'vote', 'target', 'threshold', 'k calibrated', 'n observed', 'n / target'],
    ...['99.7 % of n given k', 'over-dispersion', 'running at it: openings (pass)', 'holds'],
  ]
  return table(
    head,
    rows.map((row) => {
      if (row.threshold === null) return [row.kind, row.vote, row.target, '-', '-', '-', '-', '-', '-', '-', row.note]
      const holds = row.isInside && row.isWithinHalf ? 'yes' : `NO: ${whyNot(row)}`
      return [
        ...[row.kind, row.vote, row.target, row.threshold.toFixed(2)],
        ...[
          `${row.calibrated} in ${row.calibratedWeeks.toFixed(0)} w`,
          `${row.observed} in ${row.observedWeeks.toFixed(0)} w`,
        ],
        ...[row.ratio.toFixed(2), `${row.interval[0]} to ${row.interval[1]}`, row.overDispersion.toFixed(2)],
        row.operated === null ? '-' : `${row.operated.openings} (${row.operated.ofPass})`,
        holds,
      ]
    }),
  )
}

function whyNot({ isInside, isWithinHalf }: ProofRow): string {
  return [...(isInside ? [] : ['outside the interval']), ...(isWithinHalf ? [] : ['beyond half of the target'])].join(
    ', ',
  )
}

/** One sentence for each vote. */
export function verdictLine(rows: readonly ProofRow[]): string {
  return [...new Set(rows.map(({ vote }) => vote))]
    .map((vote) => {
      const judged = rows.filter((row) => row.vote === vote && row.threshold !== null)
      const held = judged.filter((row) => row.isInside && row.isWithinHalf).length
      const without = rows.filter((row) => row.vote === vote && row.threshold === null).length
      return `\`${vote}\`: ${held} of ${judged.length} budgets hold${without === 0 ? '' : `; ${without} have no threshold`}.`
    })
    .join(' ')
}

export function delayTable(rows: readonly DelayRow[]): string {
  if (rows.length === 0) return 'Not measured: run without `--no-peers`.'
  const shifts = rows[0]!.delays.map(({ shift }) => shift)
  const head = ['series', 'peer', 'its alarms a week', 'ours', 'our threshold']
  return table(
    [...head, ...shifts.map((shift) => `${shift} sd: ours / its (found)`), 'ours is the shortest'],
    rows.map((row) => [
      ...[row.kind, row.peer, row.alarmsPerWeek.toFixed(2), row.ourAlarmsPerWeek.toFixed(2), row.threshold.toFixed(2)],
      ...row.delays.map(({ ours, theirs }) => `${delayText(ours)} / ${delayText(theirs)}`),
      verdictOf(row),
    ]),
  )
}

function verdictOf({ delays }: DelayRow): string {
  const later = delays.filter(({ ours, theirs }) => ours.median > theirs.median).map(({ shift }) => shift)
  const tied = delays.filter(({ ours, theirs }) => ours.median === theirs.median).map(({ shift }) => shift)
  const text = later.length === 0 ? 'yes' : `NO at ${later.join(', ')} sd`
  return tied.length === 0 ? text : `${text}; equal at ${tied.join(', ')}`
}

function delayText({ median, found }: Delay): string {
  const text = median > HORIZON_PANES ? `> ${HORIZON_PANES}` : String(median)
  return `${text} (${found.toFixed(2)})`
}

export function chanceTables(of: {
  any: Record<Multiplicity, number>
  agreeing: readonly [number, number, number]
  runs: number
}): string {
  const [one, two, three] = of.agreeing
  const chance = [1 - 0.95 ** 3, 3 * 0.05 ** 2 * 0.95 + 0.05 ** 3, 0.05 ** 3]
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  const independent = chance.map((value) => (value < 0.001 ? '0.01 %' : percent(value)))
  return [
    table(
      ['20 quiet features, any at p < .01', 'share of evaluations'],
      [
        ['each for itself (`none`)', percent(of.any.none)],
        ['`benjamini-hochberg`', percent(of.any['benjamini-hochberg'])],
        ['`holm`', percent(of.any.holm)],
      ],
    ),
    '',
    table(
      ['Kolmogorov-Smirnov, PSI, Wasserstein at 5 % on one window', 'found', 'if they were independent'],
      [
        ['at least 1 of 3', percent(one), independent[0]!],
        ['at least 2 of 3', percent(two), independent[1]!],
        ['all 3', percent(three), independent[2]!],
      ],
    ),
  ].join('\n')
}

export function scaleTable(rows: readonly Exceedance[]): string {
  const levels = rows[0]!.shares.map((_, index) => index + 1)
  const small = (share: number) => (share === 0 ? '0' : share.toExponential(1))
  return table(
    ['score at least', ...levels.map(String)],
    [
      ['as a p', ...levels.map((level) => (10 ** -level).toExponential(1))],
      ...rows.map(({ detector, shares }) => [detector, ...shares.map(small)]),
    ],
  )
}

export function defaultTable(rates: readonly DefaultRate[]): string {
  const cell = (rate: DefaultRate, sensitivity: Sensitivity): string => rateText(rate, sensitivity)
  return table(
    ['kind', 'vote', 'traffic', 'entity-weeks', 'low', 'medium', 'high'],
    rates.map((rate) => [
      ...[rate.kind, rate.vote, rate.traffic, rate.entityWeeks.toFixed(0)],
      ...(['low', 'medium', 'high'] as const).map((sensitivity) => cell(rate, sensitivity)),
    ]),
  )
}

/** Without an opening: below which the rate lies with 95 % of certainty, 3 in the time watched. */
function rateText({ openings, entityWeeks }: DefaultRate, sensitivity: Sensitivity): string {
  const count = openings[sensitivity]
  return count === 0 ? `0 (< ${(3 / entityWeeks).toFixed(2)})` : (count / entityWeeks).toFixed(2)
}

/** The table that `config check` reads, as a source file. */
export function expectedOpeningsSource(rates: readonly DefaultRate[]): string {
  const lines = rates.map(({ kind, vote, ruleDigest, traffic, entityWeeks, openings }) => {
    const { low, medium, high } = openings
    const name = `kind: '${kind}', vote: '${vote}', ruleDigest: '${ruleDigest}', traffic: '${traffic}'`
    return `  {\n    ...{ ${name} },\n    ...{ entityWeeks: ${entityWeeks.toFixed(1)}, low: ${low}, medium: ${medium}, high: ${high} },\n  },`
  })
  return [
    '/**',
    ' * Openings of the default votes on quiet simulated traffic, by sensitivity. Written by `npm run bench:budget -- --write`,',
    ' * never by hand: a rule that is not the one it was counted under has another digest, and no figure.',
    ' */',
    "import type { Sensitivity } from '../contract/configuration.ts'",
    "import type { EntityKind } from '../contract/pane.ts'",
    '',
    'export interface ExpectedOpenings extends Readonly<Record<Sensitivity, number>> {',
    '  readonly kind: EntityKind',
    '  readonly vote: string',
    '  readonly ruleDigest: string',
    '  readonly traffic: string',
    '  readonly entityWeeks: number',
    '}',
    '',
    'export const expectedOpenings: readonly ExpectedOpenings[] = [',
    ...lines,
    ']',
    '',
  ].join('\n')
}

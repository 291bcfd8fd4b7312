/** One model, `churn` version `3`, and the prediction events it writes. */
import type { Faults } from './faults.ts'
import type { Random } from './random.ts'

const plans = ['basic', 'basic', 'basic', 'plus', 'plus', 'family', 'business'] as const

/** Mean and standard deviation of the feature that a drift shifts. */
const CHARGES_MEAN = 70
const CHARGES_SD = 18

/** One event, as it will be encoded. Its score does not follow the charges: the drift is in one feature alone. */
export function predictionEvent(random: Random, faults: Faults, timeMs: number): Readonly<Record<string, unknown>> {
  const tenureMonths = Math.max(0, 32 + 11 * random.normal())
  const monthlyCharges = CHARGES_MEAN + CHARGES_SD * (random.normal() + faults.driftSd(timeMs))
  const usageGb = 14 * Math.exp(0.5 * random.normal())
  const sessionMinutes = 22 * Math.exp(0.35 * random.normal())
  const plan = random.pick(plans)
  const logit = -1.1 - 0.05 * (tenureMonths - 32) - 0.03 * (usageGb - 14) + 0.5 * random.normal()
  const score = 1 / (1 + Math.exp(-logit))
  return {
    time: new Date(timeMs).toISOString(),
    id: random.hex(16),
    model: 'churn',
    version: '3',
    features: {
      tenure_months: rounded(tenureMonths, 10),
      monthly_charges: rounded(monthlyCharges, 100),
      usage_gb: rounded(usageGb, 100),
      session_minutes: rounded(sessionMinutes, 100),
      plan,
    },
    prediction: score >= 0.5 ? 'leaves' : 'stays',
    score: rounded(score, 10_000),
  }
}

function rounded(value: number, perUnit: number): number {
  return Math.round(value * perUnit) / perUnit
}

import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const integrationFiles = ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts']
/** Two days of traffic for each of many seeds, in memory: minutes of both cores. */
const storyFiles = ['test/story/**/*.test.ts']
/** Brokers and databases of their own, and processes that are killed: minutes. */
const chaosFiles = ['test/chaos/kills.test.ts']
/** The same, with brokers and databases that stay away: `npm run test:outage`, not a part of `npm test`. */
const outageFiles = ['test/chaos/outage.test.ts']

// .ci/run counts from these reports: a file for each vitest process, as `npm test` starts three
const reports = process.env['SENTINEL_TEST_REPORTS']

export default defineConfig({
  test: {
    reporters:
      reports === undefined
        ? ['default']
        : ['default', ['json', { outputFile: join(reports, `vitest-${process.pid}.json`) }]],
    // what the worker runs with: kafkajs retries differently under NODE_ENV=test
    env: { NODE_ENV: 'production', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...integrationFiles, ...storyFiles, ...chaosFiles, ...outageFiles],
          testTimeout: 60_000, // a busy machine is no failure; what hangs is found all the same
        },
      },
      {
        extends: true,
        test: { name: 'story', include: storyFiles, testTimeout: 300_000 },
      },
      ...[
        { name: 'chaos', include: chaosFiles },
        { name: 'outage', include: outageFiles },
      ].map((project) => ({
        extends: true as const,
        test: {
          ...project,
          poolOptions: { forks: { singleFork: true } },
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      })),
      {
        extends: true,
        test: {
          name: 'integration',
          include: integrationFiles,
          globalSetup: ['test/services.ts'],
          poolOptions: { forks: { singleFork: true } }, // one file after another: one broker, one database, two cores
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

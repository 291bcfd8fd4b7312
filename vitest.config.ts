import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const integrationFiles = ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts']

// .ci/run counts from these reports: a file for each vitest process, as `npm test` starts two
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
          exclude: integrationFiles,
        },
      },
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

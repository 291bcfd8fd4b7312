// GitHub's own example deliveries (npm: @octokit/webhooks-examples 7.6.1) -> deliveries.jsonl. Run where it is installed.
import { writeFileSync } from 'node:fs'
import examples from '@octokit/webhooks-examples' with { type: 'json' }

const { examples: deliveries } = examples.find(({ name }) => name === 'workflow_run')
writeFileSync(
  process.argv[2] ?? 'deliveries.jsonl',
  deliveries.map((delivery) => `${JSON.stringify(delivery)}\n`).join(''),
)

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { isAllowed, shippedPackages } from '../../deploy/licences.ts'
import { described } from '../../stream/io/kafka/refusal.ts'
import { kafkaAclsCommand, workerPermissions } from '../../stream/permissions.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('licences', () => {
  it('of all that ships are on the list', async () => {
    const packages = await shippedPackages()
    expect(packages.length).toBeGreaterThan(50)
    expect(packages.filter(({ licence }) => !isAllowed(licence))).toEqual([])
  })

  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['MIT AND BSD-3-Clause', true],
    ['MIT AND GPL-3.0-only', false],
    ['AGPL-3.0-only', false],
    ['SEE LICENSE IN LICENSE', false],
    ['MIT OR (GPL-3.0-only AND MIT)', false],
    ['', false],
    [null, false],
  ])('%s: %s', (licence, is) => {
    expect(isAllowed(licence)).toBe(is)
  })
})

describe('the permissions of a worker', () => {
  const permissions = workerPermissions({ prefix: '', groupPrefix: 'sentinel', sources: ['logs'] })

  it('stand in docs/security.md as the topology has them', () => {
    const rows = permissions.map((permission) => {
      const { resource, name, operation, use } = permission
      return `| ${operation} | ${resource} | \`${name}\` | ${use} |`
    })
    const page = read('docs/security.md')
    const table = page.slice(page.indexOf('<!-- permissions -->'), page.indexOf('<!-- end of permissions -->'))
    expect(table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| operation'))).toEqual(rows)
  })

  it('hold those of the join where a source has labels, and not one of them elsewhere', () => {
    const of = { prefix: '', groupPrefix: 'sentinel', sources: ['logs'] }
    const joining = workerPermissions({ ...of, joinsLabels: true }).map(described)
    const added = joining.filter((text) => !permissions.map(described).includes(text))
    expect(added).toEqual([
      'Write on topic sentinel.outcomes.v1',
      'Read on topic sentinel.outcomes.v1',
      'Write on topic sentinel.model-quality.v1',
      'Read on topic sentinel.model-quality.v1',
      'Read on group sentinel.join',
    ])
    expect(permissions.map(described)).toContain('Describe on topic sentinel.outcomes.v1')
    expect(permissions.map(described).join()).not.toContain('model-quality')
  })

  it('hold no wildcard, no Alter and no Create, and each of them once', () => {
    expect(new Set(permissions.map(described)).size).toBe(permissions.length)
    for (const { name, operation } of permissions) {
      expect(name).not.toContain('*')
      expect(['Read', 'Write', 'Describe']).toContain(operation)
    }
  })

  it('of one stage are fewer', () => {
    const ingest = workerPermissions({ prefix: 'p.', groupPrefix: 'g', sources: ['logs'], roles: ['ingest'] })
    const writes = ingest.filter(({ operation }) => operation === 'Write').map(({ name }) => name)
    expect(writes).toEqual(['p.sentinel.panes.v1', 'p.sentinel.casefile.v1', 'p.sentinel.dead-letters.v1'])
    expect(ingest.map(described)).toContain('Read on group p.g.ingest')
    expect(ingest.map(described)).not.toContain('Read on group p.g.detect')
  })

  it('are commands that a shell reads as they are meant', async () => {
    const [permission] = workerPermissions({ prefix: '', groupPrefix: 'g', sources: ["it's $(here)"] })
    const command = kafkaAclsCommand(permission!, 'User:CN=worker, O=us').replace('kafka-acls.sh', 'printf "%s\\n"')
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { env: { BROKER: 'b:1' } })
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(["it's $(here)", 'User:CN=worker, O=us', 'Read']))
  })
})

describe('containers', () => {
  const compose = parse(read('docker-compose.yml')) as {
    services: Record<
      string,
      { read_only?: boolean; tmpfs?: string[]; cap_drop?: string[]; security_opt?: string[]; privileged?: boolean }
    >
  }

  it('of the worker run as nobody of weight', () => {
    const dockerfile = read('Dockerfile')
    expect(dockerfile).toMatch(/^USER 1000:1000$/m)
    expect(dockerfile.indexOf('USER 1000:1000')).toBeGreaterThan(dockerfile.lastIndexOf('FROM '))
    for (const [, image] of dockerfile.matchAll(/^FROM (\S+)/gm)) expect(image).toMatch(/:\d+\.\d+\.\d+/)
  })

  it('of the worker write nowhere but to their volume and /tmp', () => {
    const { read_only, tmpfs } = compose.services['worker']!
    expect({ read_only, tmpfs }).toEqual({ read_only: true, tmpfs: ['/tmp'] })
  })

  // the database's begins as root, to give its folder to its user
  it.each(['kafka', 'registry', 'worker'])('of %s have no capabilities', (name) => {
    expect(compose.services[name]!.cap_drop).toEqual(['ALL'])
  })

  it.each(Object.keys(compose.services))('of %s gain no privileges', (name) => {
    expect(compose.services[name]!.security_opt).toContain('no-new-privileges:true')
    expect(compose.services[name]!.privileged).toBeUndefined()
  })
})

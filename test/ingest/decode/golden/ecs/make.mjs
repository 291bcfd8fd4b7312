// ECS events by Elastic's own libraries for Node (npm: @elastic/ecs-pino-format 1.5.0 with pino, @elastic/ecs-winston-format
// 1.5.3 with winston) -> node.jsonl. Run where these are installed: NODE_PATH does not hold for modules, so copy it there.
import { writeFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import pinoFormat from '@elastic/ecs-pino-format'
import winstonFormat from '@elastic/ecs-winston-format'
import pino from 'pino'
import winston from 'winston'

const lines = []
const sink = new Writable({ write: (chunk, _, done) => { lines.push(String(chunk).trimEnd()); done() } }) // biome-ignore format: one line

const base = { pid: 412, hostname: 'web-1' }
const named = pino({ ...pinoFormat({ serviceName: 'cart', serviceVersion: '1.2.0' }), base }, sink)
named.info('added')
named.warn({ event: { duration: 12_500_000 } }, 'slow')
named.error(new Error('no stock'), 'failed')
named.info({ http: { response: { status_code: 500 } } }, 'answered')
const bare = pino({ ...pinoFormat({ apmIntegration: false }), base }, sink)
bare.fatal('going down')

const logger = winston.createLogger({
  level: 'debug',
  format: winstonFormat({ serviceName: 'search' }),
  transports: [new winston.transports.Stream({ stream: sink })],
})
logger.info('found', { 'event.duration': 4_000_000 })
logger.error('index away', { err: new Error('ECONNREFUSED') })
logger.end()
logger.on('finish', () => writeFileSync(process.argv[2] ?? 'node.jsonl', `${lines.join('\n')}\n`))

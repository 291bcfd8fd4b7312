import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ServiceObservation } from '../../../stream/ingest/decode/decoder.ts'
import { syslog } from '../../../stream/ingest/decode/syslog.ts'

const RECORD_MS = Date.UTC(2024, 2, 1, 12)

function read(line: string | Uint8Array, recordMs = RECORD_MS): ServiceObservation {
  const bytes = typeof line === 'string' ? Buffer.from(line) : line
  const [observation] = syslog.decode(bytes, recordMs) as ServiceObservation[]
  return observation!
}

describe('RFC 5424', () => {
  it('reads the example of section 6.5, with a byte order mark', () => {
    const line =
      "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed for lonvick on /dev/pts/8"
    expect(read(line)).toEqual({
      kind: 'service',
      timeMs: Date.UTC(2003, 9, 11, 22, 14, 15, 3),
      service: 'su',
      level: 'crit',
      message: "'su root' failed for lonvick on /dev/pts/8",
      durationMs: undefined,
      statusCode: undefined,
      traceId: undefined,
    })
  })

  it('reads structured data, with its escapes', () => {
    const data = '[http@32473 status_code="503" note="a \\"b\\" \\] \\\\"][t@1 trace_id="4bf9" duration_ms="12.5"]'
    const line = `<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 gateway 8710 - ${data} GET /pay`
    expect(read(line)).toMatchObject({
      timeMs: Date.UTC(2003, 7, 24, 12, 14, 15),
      service: 'gateway',
      level: 'notice',
      message: 'GET /pay',
      durationMs: 12.5,
      statusCode: 503,
      traceId: '4bf9',
    })
  })

  it('takes the record’s time and the host where it says no others, and a message that is not there', () => {
    expect(read('<14>1 - web-1 - - - -')).toMatchObject({ timeMs: RECORD_MS, service: 'web-1', message: undefined })
    expect(read('<14>1 - - - - - - x')).toMatchObject({ service: undefined, message: 'x' })
  })

  it('is read in its frame, and with a line’s end', () => {
    expect(read('35 <14>1 - web-1 payment - - - hello\n')).toMatchObject({
      service: 'payment',
      level: 'info',
      message: 'hello',
    })
  })

  it('reads a message that is JSON', () => {
    const line = '<14>1 - web-1 payment - - - @cee: {"level":"error","msg":"lost","duration_ms":3}'
    // the priority is syslog's own word
    expect(read(line)).toMatchObject({ level: 'info', message: 'lost', durationMs: 3 })
  })
})

describe('RFC 3164', () => {
  it.each([
    ["<34>Oct 11 22:14:15 mymachine su: 'su root' failed", 'su', 'crit'],
    ['<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!', '10.0.0.99', 'notice'],
    ['<27>Mar  1 11:00:00 sshd[812]: on the machine itself', 'sshd', 'err'],
    ['<27>Mar  1 11:00:00 2001:db8::7 sshd: by its address', 'sshd', 'err'],
    ['<187>48: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: of a router', '%SYS-5-CONFIG_I', 'err'],
    ['<27>2024-03-01T11:00:00.5+01:00 web-1 app[1]: of rsyslog', 'app', 'err'],
    ['Mar  1 11:00:00 web-1 kernel: [1.2] of a file', 'kernel', undefined],
    ['Mar  1 11:00:00 web-1 app: panic: of a file', 'app', 'error'],
    ['<14>no head at all', undefined, 'info'],
    ['<192>Mar  1 11:00:00 web-1 app: no priority', undefined, undefined],
    ['', undefined, undefined],
  ])('%s', (line, service, level) => expect(read(line)).toMatchObject({ service, level }))

  it.each([
    ['Dec 31 23:59:59', Date.UTC(2025, 0, 1), '2024-12-31T23:59:59.000Z'],
    ['Jan  1 00:00:01', Date.UTC(2024, 11, 31, 23, 59), '2025-01-01T00:00:01.000Z'],
    ['Mar 01 11:00:00.25', RECORD_MS, '2024-03-01T11:00:00.250Z'],
    ['Feb 29 11:00:00', Date.UTC(2025, 2, 1), '2024-02-29T11:00:00.000Z'],
    ['Mar  1 2019 11:00:00', RECORD_MS, '2019-03-01T11:00:00.000Z'],
    ['Feb 30 11:00:00', RECORD_MS, '2024-03-01T12:00:00.000Z'],
  ])('%s is the nearest to the record’s time', (time, recordMs, expected) => {
    expect(new Date(read(`<14>${time} web-1 app: x`, recordMs).timeMs).toISOString()).toBe(expected)
  })
})

describe('any line', () => {
  const pick = (text: string) => (text === '' ? '-' : text)
  const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9._/-]{0,20}$/)

  it('of RFC 5424 gives back what it was made of', () => {
    const parts = fc.record({
      severity: fc.nat(7),
      facility: fc.nat(23),
      time: fc.date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
      host: name,
      application: fc.oneof(fc.constant(''), name),
      message: fc.stringMatching(/^[a-z][a-z 0-9:[\]"=]{0,40}$/),
      parameter: fc.string({ maxLength: 10, unit: fc.constantFrom('a', '"', '\\', ']', ' ', 'é') }),
    })
    fc.assert(
      fc.property(parts, ({ severity, facility, time, host, application, message, parameter }) => {
        const data = `[x@1 p="${parameter.replace(/["\\\]]/g, '\\$&')}" status_code="200"]`
        const line = `<${facility * 8 + severity}>1 ${time.toISOString()} ${host} ${pick(application)} 1 - ${data} ${message}`
        const names = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug']
        expect(read(line)).toMatchObject({
          timeMs: time.getTime(),
          service: application === '' ? host : application,
          level: names[severity],
          statusCode: 200,
          message,
        })
      }),
    )
  })

  it('of RFC 3164 gives back the instant, within half a year of the record', () => {
    const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
    const instant = fc.date({ min: new Date('1971-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    fc.assert(
      fc.property(instant, fc.integer({ min: -180, max: 180 }), (date, days) => {
        const two = (value: number, fill: string) => String(value).padStart(2, fill)
        const day = two(date.getUTCDate(), ' ')
        const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
          .map((part) => two(part, '0'))
          .join(':')
        const line = `<14>${months[date.getUTCMonth()]} ${day} ${clock} web-1 app: x`
        const timeMs = Math.floor(date.getTime() / 1000) * 1000
        expect(read(line, timeMs + days * 86_400_000).timeMs).toBe(timeMs)
      }),
    )
  })

  it('of any bytes is a line', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.string().map((text) => Buffer.from(`<13>1 ${text}`)),
    )
    fc.assert(
      fc.property(bytes, (value) => {
        expect(read(value)).toMatchObject({ kind: 'service' })
      }),
      { numRuns: 1_000 },
    )
  })

  it('is read in linear time, whatever it is made of', () => {
    for (const part of ['[a b="', '\\"', ' x="', '<13>', '1 ', '[', ' ', 'Mar ']) {
      expect(read(`<13>1 - - - - - [x ${part.repeat(8_000)}`)).toMatchObject({ kind: 'service' })
    }
  })
})

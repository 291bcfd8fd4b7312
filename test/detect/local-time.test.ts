import { expect, test } from 'vitest'
import { isTimeZone, localTimeOf } from '../../stream/detect/local-time.ts'

const hoursOf = (timeZone: string, fromMs: number, hours: number) =>
  Array.from({ length: hours }, (_, hour) => localTimeOf(fromMs + hour * 3_600_000, timeZone).hour)

test('the hour that the clock leaves out is not seen, the one that comes twice is one', () => {
  expect(hoursOf('Europe/Berlin', Date.UTC(2026, 2, 28, 23), 4)).toEqual([0, 1, 3, 4])
  expect(hoursOf('Europe/Berlin', Date.UTC(2026, 9, 24, 22), 5)).toEqual([0, 1, 2, 2, 3])
  expect(hoursOf('America/New_York', Date.UTC(2025, 10, 2, 4), 4)).toEqual([0, 1, 1, 2])
})

test('days and weekdays are local', () => {
  expect(localTimeOf(0, 'UTC')).toEqual({ day: 0, hour: 0, weekday: 3 })
  expect(localTimeOf(0, 'America/New_York')).toEqual({ day: -1, hour: 19, weekday: 2 })
  expect(localTimeOf(Date.UTC(2026, 2, 29, 1), 'Europe/Berlin')).toEqual({ day: 20_541, hour: 3, weekday: 6 })
  // half an hour off: a Monday from Sunday 18:30 UTC on
  const monday = Date.UTC(2026, 2, 29, 18, 30)
  expect(localTimeOf(monday - 1, 'Asia/Kolkata').weekday).toBe(6)
  expect(localTimeOf(monday, 'Asia/Kolkata')).toMatchObject({ hour: 0, weekday: 0 })
})

test('zones do not disturb each other, however often they take turns', () => {
  const timeMs = Date.UTC(2026, 6, 1, 12)
  for (let turn = 0; turn < 3; turn++) {
    expect(localTimeOf(timeMs, 'Europe/Berlin').hour).toBe(14)
    expect(localTimeOf(timeMs, 'Asia/Tokyo').hour).toBe(21)
    expect(localTimeOf(timeMs - 180 * 86_400_000, 'Europe/Berlin').hour).toBe(13)
  }
})

test('knows which names are zones', () => {
  expect(['UTC', 'Europe/Berlin', 'Asia/Kolkata'].map(isTimeZone)).toEqual([true, true, true])
  expect(['', 'Mars/Olympus', 'Berlin'].map(isTimeZone)).toEqual([false, false, false])
})

/** The severities of syslog, RFC 5424 section 6.2.1, by their numbers. */
const severities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'] as const

/** @param severity 0 … 7; undefined for all else */
export function severityName(severity: number): string | undefined {
  return severities[severity]
}

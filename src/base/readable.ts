/** Numbers, sizes and times as people read them, the same on every machine. */

/** 2219516 as `2.22 MB`; a megabyte has 10^6 bytes. */
export function bytesText(bytes: number): string {
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(2)} MB`
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} bytes`
}

/** 1234567 as `1,234,567`, whatever the locale of the machine. */
export function count(n: number): string {
  return n.toLocaleString('en-US')
}

/** `one thread`, `2 threads`. */
export function threadsText(threads: number): string {
  return threads === 1 ? 'one thread' : `${threads} threads`
}

/** 5430 as `1 h 30 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

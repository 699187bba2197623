/** Tables of every command that prints figures. */

/** Rows in columns, two spaces apart; the columns named in `right` are flush right. Trailing blanks are cut. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  const pad = (cell: string, i: number) => (right.includes(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n')
}

/** Lines with a margin. */
export function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}

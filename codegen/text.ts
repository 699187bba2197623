/**
 * Helpers of templates: a template literal is the function as it will be read, and only repetition goes into `${}`.
 */

/** `count` copies of a line or block, joined by line ends and set to the indentation of the first. */
export function each(count: number, line: (i: number) => string, indent = ''): string {
  return Array.from({ length: count }, (_, i) => line(i)).join(`\n${indent}`)
}

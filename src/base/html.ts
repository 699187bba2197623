/** Text in pages that are written as text: the demo, evaluations, reports of runs. */

/** Text as HTML, in elements and in attributes. */
export function escape(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character])
}

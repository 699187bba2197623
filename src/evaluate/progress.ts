/** How an evaluation says how far it is; who shows it, a terminal or nobody, is the caller's choice. */

/** One part of the work. */
export interface Stage {
  update(done: number): void
  /** A line about what was left out. */
  note(line: string): void
  stop(): void
}

/** Begins a part of the work, of so many items. */
export type Progress = (label: string, total: number) => Stage

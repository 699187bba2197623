/**
 * Which emoji may be trained on: names are reduced to a *group* (all cats are `cat`, all clocks `clock`), and the md5
 * of the group deals it to training or to the unseen concepts. First stage of the emoji corpus. The rule depends on
 * names alone, so every build, in any language, splits alike; words that a name merely shares with another
 * (`red apple`, `green apple`) still fall into different groups.
 */
import { createHash } from 'node:crypto'

/** Where the pictures of a group go: trained on, never seen in training, or left out. */
export type Side = 'seen' | 'unseen' | 'out'

const PEOPLE = /\b(?:facing right|man|woman|person|men|women|people|face|button|boy|girl)\b/g
const CLOCK = /\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?:-thirty| o['’]clock)/g

/** The group of a name, `x` where nothing remains of it. */
export function groupOf(name: string): string {
  const kind = name.toLowerCase().split(':')[0].replace(PEOPLE, '').replace(CLOCK, 'clock')
  return kind.replace(/\s+/g, ' ').trim() || 'x'
}

/** md5 of the group's UTF-8, read as one integer, modulo 10. */
export function bucketOf(group: string): number {
  const digest = createHash('md5').update(group, 'utf8').digest('hex')
  return Number(BigInt(`0x${digest}`) % 10n)
}

/** Bucket 1 is unseen, 0 is left out, the other eight may be trained on. */
export function sideOf(name: string): Side {
  const bucket = bucketOf(groupOf(name))
  return bucket === 0 ? 'out' : bucket === 1 ? 'unseen' : 'seen'
}

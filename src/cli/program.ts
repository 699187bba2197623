/**
 * The command line: finds the command, runs it, and turns what it throws into one line and an exit code. Commands are
 * files of this folder; results go to stdout, progress, notes and errors to stderr.
 */
import { cac, type CAC } from 'cac'
import manifest from '../../package.json' with { type: 'json' }
import { errorText, message } from '../base/errors.ts'
import { addCaption } from './caption.ts'
import { addData } from './data.ts'
import { addDemo } from './demo.ts'
import { addEvaluate } from './evaluate.ts'
import { addExport } from './export.ts'
import { addForget } from './forget.ts'
import { addInfo } from './info.ts'
import { addMatch } from './match.ts'
import { addOneShot } from './one-shot.ts'
import { addRecall } from './recall.ts'
import { addSelftest } from './selftest.ts'
import { addSearch } from './search.ts'
import { addSimilarity } from './similarity.ts'
import { addTaught } from './taught.ts'
import { addTeach } from './teach.ts'
import { addTrain } from './train.ts'
import { emptyOption, UsageError } from './usage.ts'

const COMMANDS = [
  ...[addDemo, addSearch, addSimilarity, addMatch, addCaption],
  ...[addTeach, addRecall, addForget, addTaught],
  ...[addEvaluate, addOneShot, addInfo, addData, addTrain, addExport, addSelftest],
]

/** Exit codes: done, failed, called wrongly. */
const [OK, FAILED, USAGE] = [0, 1, 2]

/** Runs one command line, without the program's name, and returns its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  const cli = cac('bitgen').version(manifest.version).usage('COMMAND [options]')
  cli.help((sections) => sections.filter(({ title }) => !title?.startsWith('For more info')))
  for (const add of COMMANDS) add(cli)
  try {
    return await dispatch(cli, args)
  } catch (error) {
    const usage = error instanceof UsageError || (error instanceof Error && error.name === 'CACError')
    const hint = usage ? `; see bitgen ${cli.matchedCommand ? `${cli.matchedCommand.name} ` : ''}--help` : ''
    process.stderr.write(
      `bitgen: ${errorText(error)
        .trim()
        .replaceAll(/\s*\n\s*/g, '; ')}${hint}\n`,
    )
    if (process.env.BITGEN_DEBUG) console.error(error)
    return usage ? USAGE : FAILED
  }
}

async function dispatch(cli: CAC, args: readonly string[]): Promise<number> {
  const empty = emptyOption(args)
  // The parser would read it as the number 0, and `--output "$UNSET"` as a folder of that name.
  if (empty !== undefined) throw new UsageError(message(empty, 'must not be empty'))
  cli.parse(['node', 'bitgen', ...args], { run: false })
  if (cli.options.help || cli.options.version) return OK
  if (!cli.matchedCommand) {
    const names = cli.commands.map(({ name }) => name).join(', ')
    throw new UsageError(message('command', `must be one of ${names}`, cli.args[0]))
  }
  // What follows `--` are arguments too: texts may begin with a dash.
  cli.args = [...cli.args, ...cli.options['--']]
  await cli.runMatchedCommand()
  return OK
}

#!/usr/bin/env node
/**
 * `bitgen COMMAND`: the process around program.ts. In the repository `npm run bitgen -- COMMAND` starts it; an
 * installed package has it bundled as build/cli.js.
 */
import { run } from './program.ts'

// `bitgen search ... | head`: a reader that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await run(process.argv.slice(2))

/** `bitgen search --images DIR TEXT`: the pictures below a folder that fit a text best. Every picture is read anew. */
import type { CAC } from 'cac'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errorText, message } from '../base/errors.ts'
import { embedPictures, MODEL_OPTION, openModel, scores, top } from './model.ts'
import { table } from './table.ts'
import { requiredOption, type Options } from './usage.ts'

/** Endings of the files that are looked at; case does not matter. */
const PICTURE = /\.(png|jpe?g|webp|gif|avif|tiff?)$/i
const SHOWN = 10

export function addSearch(cli: CAC): void {
  cli
    .command('search <text>', `The ${SHOWN} pictures below a folder that fit a text best`)
    .usage('search --images DIR TEXT [options]')
    .option('--images <folder>', 'Folder with pictures, searched with all folders in it')
    .option(...MODEL_OPTION)
    .example('  $ bitgen search --images models/demo/images "something to drink"')
    .action(async (text: string, options: Options) => {
      const paths = listPictures(requiredOption(options, 'images'))
      const model = await openModel(options)
      const { readable, image } = await embedPictures(model, paths)
      const { data } = await model.embedText(text)
      const cosines = scores(data, image)
      console.log(
        table(
          top(cosines, SHOWN).map((i) => [cosines[i].toFixed(3), paths[readable[i]]]),
          [0],
        ),
      )
    })
}

/** Paths of the pictures below a folder, in alphabetical order. Throws an Error where there are none. */
function listPictures(folder: string): string[] {
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch (error) {
    throw new Error(message(folder, 'must be a readable folder', errorText(error)), { cause: error })
  }
  const paths = names.filter((name) => PICTURE.test(name)).sort()
  if (paths.length === 0) throw new Error(message(folder, 'must hold pictures (png, jpg, webp, gif, avif, tiff)'))
  return paths.map((name) => join(folder, name))
}

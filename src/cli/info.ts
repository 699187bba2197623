/**
 * `bitgen info`: what a model file says of itself, and what it takes to run it here; or how many parameters a
 * configuration has.
 */
import type { CAC } from 'cac'
import { message } from '../base/errors.ts'
import { bytesText, count, duration, threadsText } from '../base/readable.ts'
import { DEFAULT_MODEL, type BitGen, type ModelInfo, type ModelManifest } from '../index.ts'
import { modelConfig, PRESETS, TOWERS, type PresetName, type TowerName } from '../model/config.ts'
import { countByPart, modelParameterSizes } from '../model/parameters.ts'
import { figureSections, sectionsText } from './figure-sections.ts'
import { recordedResult } from './figures.ts'
import { indent, table } from './table.ts'
import { MODEL_OPTION, openModel } from './model.ts'
import { isOneShot, ONE_SHOT, oneShotText } from './one-shot.ts'
import { option, UsageError, type Options } from './usage.ts'

export function addInfo(cli: CAC): void {
  cli
    .command('info', 'Size, memory, kernels, training and figures of a model')
    .usage('info [options]')
    .option(...MODEL_OPTION)
    .option('--preset <name>', `Parameters of a configuration instead: ${Object.keys(PRESETS).join(', ')}`)
    .option('--tower <name>', `With another vision tower: ${Object.keys(TOWERS).join(', ')}`)
    .action(async (options: Options) => {
      const [preset, tower] = [option(options, 'preset'), option(options, 'tower')]
      if (preset !== undefined) return console.log(describePreset(preset, tower))
      if (tower !== undefined) throw new UsageError(message('--tower', 'must come with --preset', tower))
      const model = await openModel(options)
      console.log(describe(model, option(options, 'model') ?? DEFAULT_MODEL))
    })
}

function describe(model: BitGen, source: string): string {
  const info = model.info()
  const { name, fileBytes, parameters, memory, manifest } = info
  const facts = [
    ['file', `${bytesText(fileBytes)}, ${source}`],
    ['input', `${manifest.image} x ${manifest.image} pixels; texts up to ${manifest.maxLength} tokens`],
    ['output', `${manifest.channels} numbers for each; temperature ${manifest.temperature.toFixed(4)}`],
    ['kernels', kernelsText(info)],
    ['threads', String(info.threads)],
    [
      'memory',
      `${bytesText(memory.total)} beside the pictures: kernels ${bytesText(memory.kernels)}, weights ${bytesText(memory.weights)}, ` +
        `working space ${bytesText(memory.arena + memory.state)}`,
    ],
    ['training', trainingText(manifest.training)],
    ['data', manifest.data ? `manifest sha256 ${manifest.data.sha256}` : 'not recorded'],
  ]
  const sections = [`${name}\n${indent(table(facts))}`, parametersText(parameters), ...resultSections(manifest)]
  const credits = attributions(manifest).map(
    ({ title, author, licence, url }) => `${title}, ${author}, ${licence}, ${url}`,
  )
  if (credits.length > 0) sections.push(`artwork of the data set\n${indent(credits.join('\n'))}`)
  return sections.join('\n\n')
}

/** The instruction set, how long each variant took where there was a choice, and what does not work here. */
export function kernelsText({ isa, trials, struckOut }: Pick<ModelInfo, 'isa' | 'trials' | 'struckOut'>): string {
  const tried = trials.flatMap(({ microseconds: [first, ...others] }) => {
    const [served, ...slower] = [first, ...others].map(([name, time]) => `${name} (${time.toFixed(1)} us)`)
    return [`${served} before ${slower.join(', ')}`]
  })
  const failed = Array.from(struckOut, ([kernel, reason]) => `not ${kernel}: ${reason}`)
  return [isa, ...tried, ...failed].join('; ')
}

/** A preset with the tower that it names, or another one. */
function describePreset(preset: string, tower: string | undefined): string {
  const vision = tower === undefined ? {} : { vision: tower as TowerName }
  const config = modelConfig(preset as PresetName, vision)
  const input = `input ${config.image} x ${config.image} pixels, texts up to ${config.maxLength} tokens`
  return `${preset}: ${input}\n\n${parametersText(countByPart(modelParameterSizes(config)))}`
}

function parametersText({ total, ...parts }: Record<string, number>): string {
  const numbers = [...Object.entries(parts), ['total', total] as const].map(([part, n]) => [part, count(n)])
  return `parameters\n${indent(table(numbers, [1]))}`
}

function resultSections({ name, results }: ModelManifest): string[] {
  return Object.entries(results).flatMap(([set, value]) => {
    if (set === ONE_SHOT) return isOneShot(value) ? [`one-shot recognition: ${oneShotText(name, value)}`] : []
    const result = recordedResult(value)
    if (!result) return []
    const head = `${set}: ${count(result.images)} images, ${count(result.captions)} captions`
    return [`${head}\n\n${indent(sectionsText(figureSections(name, result)))}`]
  })
}

/** One line on how a model was trained, from what its manifest has of it. */
export function trainingText(training: ModelManifest['training']): string {
  if (!training) return 'not recorded'
  const { steps, images, seconds, seed, cpu, cores, threads, node, kernels, commit, date, startedFrom } = training
  const known = (value: unknown, text: (value: never) => string) => (value == null ? [] : [text(value as never)])
  return [
    ...known(steps, (n: number) => `${count(n)} steps`),
    ...known(images, (n: number) => `${count(n)} images`),
    ...known(seed, (n: number) => `seed ${n}`),
    ...known(seconds, (n: number) => duration(n)),
    ...known(cpu, (text: string) => text.trim()),
    ...known(cores, (n: number) => `${n} ${n === 1 ? 'core' : 'cores'}`),
    ...known(threads, (n: number) => threadsText(n)),
    ...known(node, (text: string) => `Node ${text}`),
    ...known(kernels, (text: string) => `${text} kernels`),
    ...known(commit, (text: string) => `commit ${text}`),
    ...known(date, (text: string) => text),
    ...known(startedFrom, (before: Record<string, unknown>) => `starting from a run of ${trainingText(before)}`),
  ].join(', ')
}

export interface Attribution {
  title: string
  author: string
  licence: string
  url: string
}

/** Whose artwork a model was trained on, as its data manifest has it; other entries are left out. */
export function attributions({ data }: ModelManifest): Attribution[] {
  const list = Array.isArray(data?.attributions) ? (data.attributions as Partial<Attribution>[]) : []
  const isText = (value: unknown) => typeof value === 'string'
  return list.filter((entry): entry is Attribution =>
    [entry?.title, entry?.author, entry?.licence, entry?.url].every(isText),
  )
}

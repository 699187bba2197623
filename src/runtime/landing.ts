/**
 * Where a model file is read to: the memory of its kernels, whose weights then stay where they are. It is read while
 * the kernels' answers are checked, on the first ones that are instantiated; should others serve in the end, they copy.
 */
import { readWhole, type Incoming } from '../io/fetch.ts'
import type { Kernels } from './kernels.ts'
import { answerBytes } from './known-answers.ts'
import { loadAhead, type KernelOptions } from './load.ts'
import { Session } from './session.ts'

/** A session of a file that is on its way. Kernels are loaded meanwhile; the failure of the file is told before theirs. */
export async function loadSession(file: Promise<Incoming>, options: KernelOptions): Promise<Session> {
  const landing = new Landing(file)
  const { ahead } = loadAhead({ ...options, onInstance: (kernels) => landing.offer(kernels) })
  return Session.open(await landing.bytes(ahead), { ...options, ahead })
}

class Landing {
  private readonly file: Promise<Incoming>
  private incoming?: Incoming
  private kernels?: Kernels
  private landed?: Promise<Uint8Array>

  constructor(file: Promise<Incoming>) {
    this.file = file
    const begin = (incoming: Incoming) => {
      this.incoming = incoming
      this.begin()
    }
    // Its failure is told where it is awaited.
    file.then(begin, () => undefined)
  }

  /** Takes kernels whose memory may hold the file: the last before its size is known, or else the first. */
  offer(kernels: Kernels): void {
    this.kernels = kernels
    this.begin()
  }

  /** As soon as both are there. */
  private begin(): void {
    const { incoming, kernels } = this
    if (!incoming || !kernels || this.landed) return
    this.landed = landIn(kernels, incoming)
    this.landed.catch(() => undefined)
  }

  /** The file, when it is there and `kernels` are settled: in memory of its own where none were offered. */
  async bytes(kernels: Promise<unknown> | undefined): Promise<Uint8Array> {
    const incoming = await this.file
    await kernels?.catch(() => undefined)
    return this.landed ?? readWhole(incoming)
  }
}

/** Reads a file into the memory of kernels. Returns it. */
export async function landIn(kernels: Kernels, file: Incoming): Promise<Uint8Array> {
  // Memory must not grow while it is read to: an engine may move it then.
  const at = kernels.takeRoom(file.bytes, answerBytes(kernels.manifest.answers))
  const view = () => new Uint8Array(kernels.memory.buffer, at, file.bytes)
  await file.read(view())
  return view()
}

/** What a call throws or rejects with, as text: its kind and its message. Throws where it does neither. */
export async function thrown(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    return String(error)
  }
  throw new Error('must throw')
}

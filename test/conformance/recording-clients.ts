import OpenAI from 'openai'
import { expect } from 'vitest'
import { testHostKey, type House } from '../support/house.ts'
import { knownKey } from './known-key.ts'

export interface RecordingClients {
  /** The official client with a key of an application, or with a text that is to pass for one. */
  clientOf(application: string, apiKey?: string): Promise<OpenAI>
  /** The platform's fetch, for what the official client would not send. */
  readonly fetch: typeof fetch
  /** Holds every answer since the last look against what is promised of all of them. */
  checkAnswers(): Promise<void>
}

/** Clients whose answers are all looked at, whatever a test is about. */
export function recordingClients(house: House, insideWords: readonly string[] = []): RecordingClients {
  const answers: { readonly response: Response; readonly text: Promise<string> }[] = []
  const inside = ['inside-words-canary', testHostKey, new URL(house.host.url).host, ...insideWords]

  const recording: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    const copy = response.clone()
    // A caller who leaves breaks the copy off as well.
    answers.push({ response, text: copy.text().catch(() => '') })
    return response
  }
  return {
    fetch: recording,
    async clientOf(application, apiKey) {
      const key = apiKey ?? (await knownKey(house, application))
      return new OpenAI({ baseURL: `${house.url}/v1`, apiKey: key, maxRetries: 0, fetch: recording })
    },
    async checkAnswers() {
      for (const { response, text } of answers.splice(0)) {
        expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/)
        expect(response.headers.get('cache-control')).toBe('no-store')
        const said = (await text) + JSON.stringify([...response.headers])
        for (const words of inside) expect(said).not.toContain(words)
        expect(said).not.toMatch(/node_modules|\bat .*\.ts:\d+|ECONN|postgres|undici/)
      }
    },
  }
}

/** The error that a call ends in. @throws when it ends in none. */
export async function errorOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
  } catch (error) {
    return error
  }
  throw new Error('the call did not fail')
}

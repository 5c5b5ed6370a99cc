import type { ServerResponse } from 'node:http'
import { sendJson } from './http-answers.ts'
import { predictors } from './predictors.ts'

/** What `GET /v1/models` lists. The host answers to any name; these are the ones a demo would use. */
const languageModels = ['stand-in-clinical', 'stand-in-clinical-small', 'stand-in-embeddings']

const released = 1_767_225_600 // 2026-01-01, so that two lists are equal

/** `GET /v1/models` and `GET /v1/models/{model}`. */
export function serveModels(response: ServerResponse, name: string | null): void {
  if (name !== null) return sendJson(response, 200, modelObject(name))
  sendJson(response, 200, { object: 'list', data: languageModels.map(modelObject) })
}

function modelObject(id: string): Record<string, unknown> {
  return { id, object: 'model', created: released, owned_by: 'stand-in' }
}

/** The `GET` side of Open Inference: server and model metadata, liveness, readiness. */
export function serveMetadata(response: ServerResponse, path: string, ready: boolean): boolean {
  if (path === '/v2' || path === '/v2/') {
    sendJson(response, 200, { name: 'stand-in-model-host', version: '1.0.0', extensions: [] })
    return true
  }
  if (path === '/v2/health/live') {
    sendJson(response, 200, { live: true })
    return true
  }
  if (path === '/v2/health/ready') {
    sendJson(response, ready ? 200 : 503, { ready })
    return true
  }
  const model = modelInPath(path)
  if (model?.verb === 'ready') {
    sendJson(response, ready ? 200 : 503, { name: model.model, ready })
    return true
  }
  if (model?.verb !== null) return false
  const predictor = predictors.get(model.model)
  sendJson(response, 200, {
    name: model.model,
    versions: [model.version ?? '1'],
    platform: 'stand-in',
    inputs: predictor?.inputs ?? [],
    outputs: predictor?.outputs ?? [],
    properties: { title: predictor?.title ?? 'Answers with the tensors it was given' },
  })
  return true
}

export type ModelInPath = { model: string; version: string | null; verb: string | null }

/** `/v2/models/{model}[/versions/{version}][/{verb}]`, or null. */
export function modelInPath(path: string): ModelInPath | null {
  const match = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer))?$/u.exec(path)
  if (match?.[1] === undefined) return null
  const [model, version] = [decoded(match[1]), match[2] === undefined ? null : decoded(match[2])]
  return { model, version, verb: match[3] ?? null }
}

/** A name in a path; one that is not proper percent-encoding stays as it is. */
export function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

import type { Config } from '../platform/node/config.ts'
import type { DevelopmentFacts } from '../platform/node/development.ts'

/** What stands on the screen when everything runs: where it is, and a request that works. */
export function banner(facts: DevelopmentFacts, config: Config, startedMs: number): string {
  return [
    '',
    `Formulary is ready (${(startedMs / 1000).toFixed(1)} s)`,
    '',
    `  gateway      ${facts.gateway}/v1   (documentation: ${facts.gateway}/docs)`,
    `  console      ${facts.admin}/   (figures: ${facts.admin}/metrics)`,
    ...(config.NODE_ENV === 'production'
      ? []
      : [`  owner token  ${facts.ownerToken}   (for the console and the admin API)`]),
    ...(facts.modelHost === '' ? [] : [`  model host   ${facts.modelHost}   (a stand-in, for development)`]),
    '',
    ...firstCall(facts, config),
    'Ctrl-C stops everything; the data stays.',
    '',
  ].join('\n')
}

function firstCall(facts: DevelopmentFacts, config: Config): readonly string[] {
  const first = 'lakeside-health/ehr'
  const name = facts.keys[first] === undefined ? Object.keys(facts.keys)[0] : first
  if (name === undefined) return ['No keys are made here: formulary key create <tenant>/<application>', '']
  const key = facts.keys[name] ?? ''
  return [
    `A call of ${name} (${config.DATA_DIR}/dev.json has a key for each application):`,
    '',
    `  curl ${facts.gateway}/v1/chat/completions \\`,
    `    -H "authorization: Bearer ${key}" \\`,
    `    -H "content-type: application/json" \\`,
    `    -d '{"model":"clinical-assistant","stream":true,"messages":[{"role":"user","content":"Can metformin be given with reduced kidney function?"}]}'`,
    '',
    `Its place in the ledger:`,
    '',
    `  curl ${facts.gateway}/v1/usage -H "authorization: Bearer ${key}"`,
    '',
  ]
}

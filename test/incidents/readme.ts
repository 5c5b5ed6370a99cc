import type { Incident } from './incident.ts'
import type { PortkeyRun } from './portkey-run.ts'
import { sections } from './sections.ts'

const head = ['what broke', 'where', 'what must hold: the name of the test', 'Formulary', 'Portkey']

/** The whole of README.md, from the incidents and from what the last run on Portkey found. */
export function renderReadme(run: PortkeyRun): string {
  const tables = sections.map(({ title, incidents }) => `## ${title}\n\n${tableOf(incidents, run)}\n`)
  const all = sections.flatMap(({ incidents }) => incidents)
  const open = all.flatMap(({ holds, notYet }) => (notYet === undefined ? [] : [`- ${holds}: ${notYet}.`]))
  return `# Incidents

What broke in other gateways, in public, as tests that fail when it can happen here. They talk HTTP to processes of the
product over a real PostgreSQL; what callers cannot do goes through an adapter (\`target.ts\`), so that another gateway can
be tried on the same tests. This page is generated: \`vitest run test/incidents/readme.test.ts --update\`.

| file                                                   | what it holds                                                     |
| ------------------------------------------------------ | ----------------------------------------------------------------- |
| \`money.ts\`, \`metering.ts\`, \`outages.ts\`, \`security.ts\` | the incidents: what broke, where, what must hold, and the test    |
| \`target.ts\`                                            | what a gateway must offer to be tried                             |
| \`formulary-target.ts\`                                  | three gateway processes, PostgreSQL, faults by locks and triggers |
| \`portkey-target.ts\`                                    | \`@portkey-ai/gateway\`, which forwards and keeps nothing           |

Under Formulary, \`holds\` is what the suite proves each time it runs. Under Portkey it is what one run found on
${run.gateway}; where it has no such function, the incident does not apply to it, and that is neither for it nor against
it. A row says what holds, not what was promised: it forwards by design to the host that a caller names. To run it again:

\`\`\`sh
mkdir /tmp/portkey && cd /tmp/portkey
echo '{"dependencies":{"@portkey-ai/gateway":"1.15.2"},"overrides":{"@hono/node-server":"1.13.7"}}' > package.json
npm install --ignore-scripts
PORTKEY_DIR=/tmp/portkey npx vitest run test/incidents/incidents.test.ts
\`\`\`

The override is for its sake: with the newest version of that package which it allows, it answers every stream with 500.

${tables.join('\n')}
## What these tests cannot say yet

${open.join('\n')}
`
}

function tableOf(incidents: readonly Incident[], run: PortkeyRun): string {
  const rows = incidents.map(({ broke, where, holds }) => [
    broke,
    where,
    holds,
    'holds',
    run.verdicts[holds] ?? 'not run',
  ])
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0), title.length),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

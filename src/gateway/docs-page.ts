import { html } from 'hono/html'

interface Described {
  readonly paths?: object | undefined
}

/** The routes for people: one table, no script, readable without color. */
export function docsPage(document: Described) {
  const rows = Object.entries<object>({ ...document.paths }).flatMap(([path, operations]) =>
    Object.entries<unknown>({ ...operations }).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      says: summaryOf(operation),
    })),
  )
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Formulary: how to call a model</title>
        <style>
          :root {
            color-scheme: light dark;
            font:
              1.0625rem/1.55 system-ui,
              sans-serif;
          }
          body {
            max-width: 60rem;
            margin: 3rem auto;
            padding: 0 1.25rem;
          }
          h1 {
            font-size: 1.75rem;
          }
          h2 {
            font-size: 1.25rem;
            margin-top: 2.5rem;
          }
          table {
            border-collapse: collapse;
            width: 100%;
          }
          th,
          td {
            text-align: left;
            padding: 0.5rem 0.75rem 0.5rem 0;
            border-bottom: 1px solid #8886;
            vertical-align: top;
          }
          code,
          pre {
            font:
              0.9375rem/1.5 ui-monospace,
              monospace;
          }
          pre {
            background: #8881;
            padding: 1rem;
            overflow-x: auto;
            border-radius: 0.375rem;
          }
        </style>
      </head>
      <body>
        <main>
          <h1>How to call a model</h1>
          <p>
            Take any OpenAI SDK, change its base URL to this address followed by <code>/v1</code>, and use the API key
            that your administrator gave you. Nothing else changes.
          </p>
          <pre><code>from openai import OpenAI
client = OpenAI(base_url="…/v1", api_key="fml_live_…")
answer = client.chat.completions.create(
    model="clinical-assistant",
    messages=[{"role": "user", "content": "When is a beta blocker contraindicated?"}],
)</code></pre>
          <p>
            A refusal has a <code>code</code>, every reason that applies in <code>reasons</code>, and a
            <code>request_id</code> to quote when you ask for help. On 429 and 503, <code>Retry-After</code> says when
            to try again.
          </p>
          <h2>Routes</h2>
          <table>
            <caption hidden>
              Routes of the data plane
            </caption>
            <thead>
              <tr>
                <th scope="col">Method</th>
                <th scope="col">Path</th>
                <th scope="col">What it does</th>
              </tr>
            </thead>
            <tbody>
              ${rows.map(
                ({ path, method, says }) =>
                  html`<tr>
                    <td>${method}</td>
                    <td><code>${path}</code></td>
                    <td>${says}</td>
                  </tr>`,
              )}
            </tbody>
          </table>
          <p>The same for machines: <a href="/openapi.json">openapi.json</a>.</p>
        </main>
      </body>
    </html>`
}

const summaryOf = (operation: unknown): string =>
  typeof operation === 'object' && operation !== null && 'summary' in operation ? String(operation.summary) : ''

import { html } from 'hono/html'

export type Html = ReturnType<typeof html>

/** The frame of every page. Whatever stands in it is escaped by `html`, whoever wrote it. */
export function page(options: {
  title: string
  beside?: Html | undefined
  owner?: string | undefined
  main: Html
}): Html {
  const { title, beside, owner, main } = options
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} – Formulary</title>
        <link rel="stylesheet" href="/console.css" />
        <link rel="icon" href="data:," />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <div>
            <p>Formulary${owner === undefined ? '' : html` <span>${owner}</span>`}</p>
            ${beside ?? ''}
          </div>
        </header>
        <main id="main">${main}</main>
      </body>
    </html>`
}

import { html } from 'hono/html'
import type { Html } from './page.ts'

export const section = (title: string, content: Html): Html =>
  html`<section>
    <h2>${title}</h2>
    ${content}
  </section>`

export type Column = readonly [label: string, kind?: 'number']

/**
 * A table whose first cell names its row. The roles are said again because a style that shows rows as cards takes them
 * away in some browsers.
 */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Html[])[]): Html {
  const classOf = (column: number) => (columns[column]?.[1] === undefined ? '' : html`class="number"`)
  return html`<table role="table">
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(([label], column) => html`<th role="columnheader" scope="col" ${classOf(column)}>${label}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        ([first, ...cells]) =>
          html`<tr role="row">
            <th role="rowheader" scope="row">${first}</th>
            ${cells.map(
              (cell, at) =>
                html`<td role="cell" data-label="${columns[at + 1]?.[0] ?? ''}" ${classOf(at + 1)}>${cell}</td>`,
            )}
          </tr>`,
      )}
    </tbody>
  </table>`
}

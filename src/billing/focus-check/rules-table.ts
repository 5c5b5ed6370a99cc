import { conditions } from './applicability.ts'
import { checkedRules } from './check-focus.ts'
import { modelDatasets } from './model.ts'
import { unchecked } from './unchecked.ts'

/** Every rule that is checked, every column whose rules are not asked for, and every MUST that no file can show. */
export function rulesTable(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const row = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
    [row(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(row)].join('\n')
  const absent = [...modelDatasets.values()].flatMap(({ short, columns }) =>
    [...columns].flatMap(([column, { condition, feature_level: level }]) => {
      const known = conditions[condition]
      if (level === 'Recommended')
        return [[short, column, 'Recommended: its presence is no MUST', known?.applies === false ? known.why : '']]
      return known === undefined || known.applies ? [] : [[short, column, condition, known.why]]
    }),
  )
  return `# FOCUS 1.4: what \`formulary focus check\` checks, and what it does not

Made by \`npm run generate\` from the model and the rules; not edited by hand.

## Checked: ${checkedRules.length} rules

${table(
  ['rule', 'from', 'what must be'],
  checkedRules.map(({ id, source, must }) => [id, source, must]),
)}

## Columns that need not be there: ${absent.length}

When a file has one all the same, the rules of its cells are asked of it.

${table(['dataset', 'column', 'level or condition', 'why it does not apply to us'], absent)}

## Not to be seen in files: ${unchecked.length}

${table(
  ['what must be', 'why it is not checked'],
  unchecked.map(({ must, why }) => [must, why]),
)}
`
}

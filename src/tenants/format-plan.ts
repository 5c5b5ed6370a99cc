import { assertNever } from '../kernel/index.ts'
import { instantText } from './document.ts'
import type { Change, Plan } from './change.ts'
import type { ClientRow, SignInRow } from './rows.ts'

/**
 * A plan as a diff for a terminal: what ends comes first, because it is what nobody may overlook; then what is added
 * and changed, in the order of doing it, with each changed field from its old to its new value.
 */
export function formatPlan({ changes, notes, widening }: Plan): string {
  const noted = notes.map((note) => `! ${note}`)
  if (changes.length === 0) return [...noted, 'No changes: the database says what the tree says.'].join('\n')
  const ends = changes.filter(({ act }) => act === 'end')
  const rest = changes.filter(({ act }) => act !== 'end')
  const blocks = [ends.map(ending), rest.flatMap(entry), noted, wideningLines(widening), [total(changes)]]
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

/** What a second person is asked about. */
function wideningLines(widening: Plan['widening']): readonly string[] {
  if (widening.length === 0) return []
  return [
    'Two people stand behind what allows more than now (formulary tenants apply --approved-by NAME):',
    ...widening.flatMap(({ license, widens }) => widens.map((words) => `> ${license}  ${words}`)),
  ]
}

function ending(change: Change): string {
  const named = `- ${change.what} ${change.name}`
  switch (change.what) {
    case 'tenant':
      return `${named}  ENDED: every call of this tenant is refused from now on`
    case 'application':
      return `${named}  ended: its keys open nothing from now on`
    case 'client':
      return `${named}  ended: it gets no tokens, and those that it has open nothing from now on`
    case 'sign_in':
      return `${named}  ended: nobody signs in there, and whoever has is signed out`
    case 'facility':
      return `${named}  ended`
    default:
      return `${named}  withdrawn`
  }
}

function entry(change: Change): readonly string[] {
  const named = `${change.what} ${change.name}`
  if (change.act === 'add') return [`+ ${named}  ${summary(change)}`]
  if (change.act === 'return') return [`+ ${named}  again${opensKeys(change)}`, ...fieldLines(change)]
  return [`~ ${named}${revisionText(change)}`, ...fieldLines(change)]
}

const opensKeys = ({ what }: Change): string =>
  what === 'application' || what === 'tenant' ? '; keys that have not expired open again' : ''

const revisionText = (change: Change): string =>
  'revision' in change ? `  revision ${change.revision - 1} → ${change.revision}` : ''

function fieldLines({ fields }: Change): readonly string[] {
  const width = Math.max(...fields.map(({ field }) => field.length))
  return fields.map(({ field, from, to }) => `    ${field.padEnd(width)}  ${from ?? '(none)'} → ${to ?? '(none)'}`)
}

/** What a reader wants to know of a new thing without opening its file. */
function summary(change: Change): string {
  switch (change.what) {
    case 'model':
      return `${change.row.title}, ${change.row.protocol}`
    case 'version':
      return `stage ${change.row.stage}${change.row.recalled === undefined ? '' : ', recalled'}`
    case 'deployment':
      return `${change.row.region}, ${change.row.url}`
    case 'plan':
      return `${change.row.prices.length} ${change.row.prices.length === 1 ? 'price' : 'prices'} in ${change.row.currency}`
    case 'tenant':
      return `${change.row.name}, ${change.row.kind}`
    case 'facility':
      return `${change.row.name}, ${change.row.region}`
    case 'application':
      return `${change.row.audience}, ${change.row.purposes.join(' ')}, ${change.row.scopes.join(' ')}`
    case 'client':
      return `client id ${change.row.clientId}, ${change.row.profile}, ${keysWords(change.row)}`
    case 'sign_in':
      return `${change.row.issuer}, ${groupsWords(change.row)}`
    case 'license': {
      const { row } = change
      const evaluation = row.evaluation ? 'evaluation, ' : ''
      return `${evaluation}${row.plan}, ${instantText(row.termStart)} to ${instantText(row.termEnd)}`
    }
    case 'policy':
      return change.row.policies.map(({ effect, id }) => `${effect} ${id}`).join(', ')
    default:
      return assertNever(change, 'summary')
  }
}

const keysWords = ({ jwksUri, keys }: ClientRow): string =>
  jwksUri === undefined ? `keys ${(keys ?? []).map(({ kid }) => kid).join(', ')}` : `keys at ${jwksUri}`

const groupsWords = ({ roles }: SignInRow): string =>
  Object.entries(roles)
    .map(([group, role]) => `${group} as ${role}`)
    .join(', ')

function total(changes: readonly Change[]): string {
  const count = (...acts: Change['act'][]) => changes.filter(({ act }) => acts.includes(act)).length
  return `${count('add', 'return')} to add, ${count('change')} to change, ${count('end')} to end.`
}

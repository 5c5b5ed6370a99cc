import { describe, expect, test } from 'vitest'
import { formatProblem, type Problem } from './problem.ts'
import { readDeclarations } from './read-declarations.ts'
import { filesOf, sampleTree, withEdit, withoutFiles, type Tree } from './sample-tree.ts'

const owners = 'policies/more.cedar'
const own = 'lakeside/policy.cedar'

/** Two policies without a mistake, the second to make one in: line 8 is its condition. */
const text = `// Of the owner.
@id("first") @reason("Because.")
forbid (principal, action, resource) when { context.grace };

@id("second")
@reason("Only for professionals.")
forbid (principal in Tenant::"lakeside", action, resource)
when { principal.audience == Audience::"patient" };
`
const tree: Tree = { ...sampleTree, [owners]: text, [own]: text }

const problemsOf = (edited: Tree): readonly Problem[] => {
  const read = readDeclarations(filesOf(edited))
  return read.ok ? [] : read.error
}
const shown = (problems: readonly Problem[]) =>
  problems.flatMap((problem) => formatProblem(problem, 'tenants')).join('\n')

test('the text that mistakes are made in has none', () => {
  expect(shown(problemsOf(tree))).toBe('')
})

type Mistake = [name: string, from: string, to: string, at: string, message: string, advice: string]
const condition = 'when { principal.audience == Audience::"patient" };'
const scope = 'forbid (principal in Tenant::"lakeside", action, resource)'

// prettier-ignore
const mistakes: readonly Mistake[] = [
  // What Cedar cannot read.
  ['a policy that does not end', condition, 'when { principal.audience == Audience::"patient" }', '8:51', 'does not end', 'write ; after'],
  ['a brace left open', condition, 'when { principal.audience == Audience::"patient" ;', '8:50', 'cannot stand here', 'expected'],
  ['a condition that breaks off', condition, 'when { principal.audience ==', '8:29', 'breaks off', 'close what is open'],
  ['an effect that is none', scope, 'deny (principal, action, resource)', '7:1', '"deny" is not what a policy does', 'permit or forbid'],
  ['a condition with another word', condition, 'if { context.grace };', '8:1', '"if" does not begin', 'when { … } or unless'],
  ['the scope in another order', scope, 'forbid (principal, resource, action)', '7:20', 'whom, what and which', '(principal, action, resource), in this order'],
  ['a scope of two', scope, 'forbid (principal, action)', '7:26', 'whom, what and which', '(principal, action, resource), in this order'],
  ['a template', scope, 'forbid (principal == ?principal, action, resource)', '7:22', 'template', 'in place of ?principal'],
  ['one equals sign', condition, 'when { principal.audience = Audience::"patient" };', '8:8', 'compares nothing', 'write =='],
  ['a slip in a variable', condition, 'when { principle.audience == Audience::"patient" };', '8:8', '"principle" has no parts', 'did you mean principal?'],
  ['a name without quotes', condition, 'when { principal.audience == Audience::patient };', '8:30', 'not a word of Cedar', 'Audience::"patient"'],
  ['a word that is no variable', condition, 'when { grace };', '8:8', '"grace" is not a word of Cedar', 'principal, action, resource, context'],
  ['single quotes', condition, `when { principal.audience == Audience::'patient' };`, '8:40', 'single quotes', 'double quotes'],
  ['a word for and', condition, 'when { context.grace and context.evaluation };', '8:22', '"and" is not a word', '&& for and'],
  ['a word for not', condition, 'when { not context.grace };', '8:12', 'cannot stand here', '! for not'],
  ['a method that Cedar has not', condition, 'when { resource.version.startsWith("1.") };', '8:8', '"startsWith" is nothing that Cedar can do', 'like "1.*"'],
  ['an annotation twice', '@id("second")', '@id("second") @id("third")', '5:15', '@id stands twice', 'keep one'],
  ['an annotation without quotes', '@id("second")', '@id(second)', '5:5', '"second" needs quotes', 'write "second"'],
  // What does not fit the schema.
  ['a word that is nearly one', condition, 'when { principal.audience == Audience::"patients" };', '8:30', '"patients" is no Audience', 'did you mean Audience::"patient"?'],
  ['a word that is none', condition, 'when { principal.audience == Audience::"everybody" };', '8:30', '"everybody" is no Audience', 'expert, clinician, patient, consumer'],
  ['a purpose that is none', condition, 'when { context.purpose == Purpose::"TREATMENT" };', '8:27', '"TREATMENT" is no Purpose', 'TREAT'],
  ['an attribute that is nearly one', condition, 'when { principal.audiense == Audience::"patient" };', '8:8', 'Application has no "audiense"', 'did you mean audience?'],
  ['an attribute that is none', condition, 'when { resource.price == 3 };', '8:8', 'ModelVersion has no "price"', 'known here: model, version, stage'],
  ['a context that is nearly one', condition, 'when { context.purposes == Purpose::"TREAT" };', '8:8', 'the context has no "purposes"', 'did you mean purpose?'],
  ['a part of a word', condition, 'when { context.purpose.code == "TREAT" };', '8:8', 'Purpose has no "code"', 'Purpose::"TREAT"'],
  ['text where a word belongs', condition, 'when { principal.audience == "patient" };', '8:8', 'can never be equal', 'Audience::"clinician"'],
  ['two kinds compared', condition, 'when { context.grace == 1 };', '8:8', 'can never be equal', 'of one kind'],
  ['a list of the wrong kind', condition, 'when { ["TREAT"].contains(context.purpose) };', '8:8', 'can never be equal', 'Purpose::"TREAT"'],
  ['an action that is none', scope, 'forbid (principal, action == Action::"talk", resource)', '7:30', '"talk" is no Action', 'call, chat, embeddings, infer'],
  ['an action that is nearly one', scope, 'forbid (principal, action == Action::"chats", resource)', '7:30', '"chats" is no Action', 'did you mean Action::"chat"?'],
  ['a type that is nearly one', scope, 'forbid (principal is Aplication, action, resource)', '7:22', 'nothing that a policy can speak of', 'did you mean Application?'],
  ['the whole of all actions compared as one', scope, 'forbid (principal, action == Action::"call", resource)', '5:1', 'can never apply', 'action in Action::"call"'],
  ['a tenant compared as one of its programs', scope, 'forbid (principal == Tenant::"lakeside", action, resource)', '5:1', 'can never apply', 'write in instead of =='],
  ['a model where a program belongs', scope, 'forbid (principal in Model::"assistant", action, resource)', '5:1', 'can never apply', 'a principal is an Application'],
  ['a condition that is never so', condition, 'when { principal is Tenant };', '5:1', 'can never apply', 'remove the policy'],
  ['letters that look like others', condition, 'when { resource.version == "1.0.0-аlpha" };', '8:28', 'only look like others', 'type the word again'],
  // What every policy says of itself.
  ['no id', '@id("second")\n', '', '5:1', 'has no id', '@id("no-research-on-weekends")'],
  ['an id that is none', '@id("second")', '@id("The second")', '5:1', '"The second" is not an id', 'lower-case letters'],
  ['an id twice', '@id("second")', '@id("first")', '5:1', '"first" is the id of another policy', 'another id'],
  ['a forbid that does not say why', '@reason("Only for professionals.")\n', '', '5:1', 'does not say why', '@reason('],
  ['a reason that is no sentence', 'Only for professionals.', 'nope', '6:1', 'ends with a period', 'as one sentence'],
  ['a reason as long as a page', 'Only for professionals.', `${'Why. '.repeat(40)}.`, '6:1', 'one short sentence', '120 characters'],
  ['a slip in an annotation', '@reason("Only', '@reson("Only', '6:1', '@reson is not known', 'did you mean @reason?'],
  ['an annotation that nobody reads', '@id("second")', '@id("second") @owner("me")', '5:15', '@owner is not known', 'in a comment'],
  // Names.
  ['a tenant that nobody declared', 'Tenant::"lakeside"', 'Tenant::"lakeshore"', '7:22', 'no Tenant "lakeshore"', 'did you mean Tenant::"lakeside"?'],
  ['an application that nobody declared', 'principal in Tenant::"lakeside"', 'principal == Application::"lakeside/emr"', '7:22', 'no Application "lakeside/emr"', 'did you mean Application::"lakeside/ehr"?'],
  ['an application without its tenant', 'principal in Tenant::"lakeside"', 'principal == Application::"ehr"', '7:22', 'no Application "ehr"', 'Application::"lakeside/ehr"'],
  ['a facility that nobody declared', condition, 'when { context.facility == Facility::"lakeside/nort" };', '8:28', 'no Facility "lakeside/nort"', 'did you mean Facility::"lakeside/north"?'],
  ['a model that nobody declared', 'action, resource)\nwhen { p', 'action, resource in Model::"asistant")\nwhen { p', '7:62', 'no Model "asistant"', 'did you mean Model::"assistant"?'],
  ['a version that nobody declared', 'action, resource)\nwhen { p', 'action, resource == ModelVersion::"assistant@1.0.9")\nwhen { p', '7:62', 'no ModelVersion "assistant@1.0.9"', 'ModelVersion::"assistant@1.0.0"'],
  ['a name within a condition', condition, 'when { [Facility::"lakeside/general", Facility::"south"].contains(context.facility) };', '8:39', 'no Facility "south"', 'Facility::"lakeside/general"'],
]

describe.each([
  ['the owner’s', owners],
  ['a tenant’s', own],
])('a mistake in %s policies is found where it is made, and the advice says what to write:', (_whose, file) => {
  test.each(mistakes)('%s', (_name, from, to, at, message, advice) => {
    const problems = problemsOf(withEdit(tree, file, from, to))
    const found = problems.find(
      (problem) =>
        `${problem.line}:${problem.column}` === at &&
        problem.file === file &&
        problem.message.includes(message) &&
        problem.advice.includes(advice),
    )
    expect(found, shown(problems)).toBeDefined()
    // One mistake is one problem; a word that nothing needs any more may make a second.
    expect(problems.length, shown(problems)).toBeLessThanOrEqual(2)
  })
})

describe('a tenant may only forbid', () => {
  test('a permit is refused, whatever it permits', () => {
    for (const permit of [
      '@id("all") permit (principal, action, resource);',
      '@id("some") @reason("Ours.") permit (principal in Tenant::"lakeside", action, resource) when { context.grace };',
    ])
      expect(problemsOf({ ...tree, [own]: permit })).toMatchObject([
        {
          file: own,
          message: 'a policy of lakeside permits; its own policies may only forbid',
          advice: expect.stringContaining('write forbid'),
        },
      ])
  })

  test('and it speaks of itself only', () => {
    const others = text.replace('principal in Tenant::"lakeside"', 'principal == Application::"clinic/bench"')
    expect(problemsOf({ ...tree, [own]: others })).toMatchObject([
      { file: own, line: 7, column: 22, message: 'Application::"clinic/bench" is not one of lakeside' },
    ])
    expect(problemsOf({ ...tree, [owners]: others })).toEqual([])
  })

  test('its ids are its own', () => {
    expect(problemsOf({ ...tree, [own]: text.replace('"second"', '"licensed-use"') })).toEqual([])
    expect(problemsOf({ ...tree, [owners]: text.replace('"second"', '"licensed-use"') })).toMatchObject([
      { file: owners, message: '"licensed-use" is the id of another policy in policies/licensed-use.cedar' },
    ])
  })
})

describe('the whole', () => {
  test('every mistake of every policy is told, in the order of lines', () => {
    const edited = withEdit(
      withEdit(tree, owners, 'when { context.grace }', 'when { context.grase }'),
      owners,
      condition,
      'when { principal.audience = Audience::"patient" };',
    )
    expect(problemsOf(edited).map(({ file, line, column }) => `${file}:${line}:${column}`)).toEqual([
      `${owners}:3:45`,
      `${owners}:8:8`,
    ])
  })

  test('a tree whose policies permit nothing is refused, and told what to write', () => {
    const silent = withoutFiles(tree, 'policies/licensed-use.cedar')
    const [problem, ...others] = problemsOf(silent)
    expect(others).toEqual([])
    expect(problem).toMatchObject({ file: '', message: expect.stringContaining('every call would be refused') })
    const written = /@id\("licensed-use"\) permit \(principal, action, resource\);/.exec(problem?.advice ?? '')?.[0]
    expect(problemsOf({ ...silent, 'policies/licensed-use.cedar': written ?? '' })).toEqual([])
  })

  test('a file without a policy is refused, for a comment restricts nothing', () => {
    for (const nothing of ['', '\n\n', '// forbid (principal, action, resource);\n'])
      for (const file of [owners, own])
        expect(problemsOf({ ...tree, [file]: nothing })).toMatchObject([{ file, message: 'the file holds no policy' }])
  })

  test('a name in a file that has problems of its own is not reported again', () => {
    const edited = withEdit(tree, 'lakeside/tenant.yaml', 'kind: hospital', 'kind: house')
    const problems = problemsOf({
      ...edited,
      [own]: text.replace('principal in Tenant::"lakeside"', 'principal == Application::"lakeside/ehr"'),
    })
    expect(problems.map(({ file }) => file)).toEqual(['lakeside/tenant.yaml'])
  })

  test('places are counted in what an editor shows, behind letters of several bytes too', () => {
    const edited = text
      .replace('Only for professionals.', 'Nur für Ärzte – 医師のみ 🩺.')
      .replace('audience ==', 'audiense ==')
    expect(problemsOf({ ...tree, [owners]: edited })).toMatchObject([{ line: 8, column: 8 }])
    const sameLine = text
      .replace('when { principal', 'when { "Ärzte 🩺" == "Ärzte 🩺" && principal')
      .replace('audience ==', 'audiense ==')
    expect(problemsOf({ ...tree, [owners]: sameLine })).toMatchObject([{ line: 8, column: 36 }])
  })

  test('what would break Cedar is refused before it is given to it, and is told where', () => {
    const within = (what: string) => problemsOf({ ...tree, [owners]: text.replace('context.grace', () => what) })
    const large: readonly (readonly [what: string, message: string])[] = [
      [`${'('.repeat(5000)}context.grace${')'.repeat(5000)}`, 'more than 10000 characters'],
      [`${'('.repeat(200)}context.grace${')'.repeat(200)}`, 'more than 20 brackets'],
      [`${'['.repeat(200)}${']'.repeat(200)} == []`, 'more than 20 brackets'],
      [Array.from({ length: 400 }, () => 'context.grace').join('&&'), 'more than 150 operators'],
      [`${Array.from({ length: 400 }, () => '1').join('+')} > 1`, 'more than 150 operators'],
      [`context${'.a'.repeat(400)}`, 'more than 150 operators'],
      [`resource.version == "${'1'.repeat(20_000)}"`, 'more than 10000 characters'],
      [`${'if '.repeat(200)}context.grace${' then true else false'.repeat(200)}`, 'more than 150 operators'],
    ]
    for (const [what, message] of large)
      expect(within(what)).toMatchObject([{ file: owners, line: 2, message: expect.stringContaining(message) }])
    // And what is let through is read: twenty brackets around a hundred operators.
    const most = Array.from({ length: 70 }, () => 'context.grace').join('&&')
    expect(within(`${'('.repeat(18)}${most}${')'.repeat(18)}`)).toEqual([])
  })

  test('whatever stands in a file is an answer, and Cedar lives on', () => {
    for (const many of ['(', '"', ';', '{ ', '!', '[', '//\n', 'permit(', '\\', '/', '"\\', '\u0000', '\ud800'])
      for (const count of [1, 100, 3000])
        expect(problemsOf({ ...tree, [owners]: many.repeat(count) }).length, many).toBeGreaterThan(0)
    expect(problemsOf(tree)).toEqual([])
  })
})

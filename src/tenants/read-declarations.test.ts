import { describe, expect, test } from 'vitest'
import { formatProblem, type Problem } from './problem.ts'
import { readDeclarations } from './read-declarations.ts'
import { filesOf, sampleTree, withEdit, withoutFiles, type Tree } from './sample-tree.ts'

const problemsOf = (tree: Tree): readonly Problem[] => {
  const read = readDeclarations(filesOf(tree))
  return read.ok ? [] : read.error
}
const places = (problems: readonly Problem[]) => problems.map(({ file, line, column }) => `${file}:${line}:${column}`)

test('a tree without a mistake is read, with its defaults and its instants', () => {
  const read = readDeclarations(filesOf(sampleTree))
  expect(read.ok ? [] : read.error).toEqual([])
  if (!read.ok) return
  const lakeside = read.value.tenants.find(({ tenant }) => tenant.value.tenant === 'lakeside')
  expect(lakeside?.license.value.term.start).toBe(Date.parse('2026-07-01T05:00:00Z'))
  expect(lakeside?.license.value.evaluation).toBe(false)
  expect(read.value.models[1]?.value.versions[0]?.deployments[0]?.weight).toBe(1)
})

/**
 * One mistake: where it is made, where it must be found (line and column, after a file when that is another one), and
 * words that must stand in the advice.
 */
type Mistake = [name: string, file: string, from: string, to: string, at: string, advice: string]
const license = 'lakeside/license.yaml'
const tenant = 'lakeside/tenant.yaml'
const model = 'models/assistant.yaml'
const plan = 'plans/standard.yaml'
const withFile = (path: string, text = 'a: 1') => problemsOf({ ...sampleTree, [path]: text })
const asTenant = (text: string) => problemsOf({ ...sampleTree, [tenant]: text })

// prettier-ignore
const mistakes: readonly Mistake[] = [
  // YAML itself.
  ['a key that stands twice', license, 'plan: standard', 'plan: standard\nplan: other', '3:1', 'keep one of them'],
  ['two documents', tenant, 'kind: hospital', '---\nkind: hospital', '3:1', 'its own file'],
  ['a tab', license, '  start:', '\tstart:', '4:1', 'indent with spaces'],
  ['a bracket left open', tenant, '[general, north]', '[general, north', '11:5', 'close'],
  ['a quote left open', license, '"12000.00"', '"12000.00', '21:1', 'close the quote'],
  ['a tag', license, 'plan: standard', 'plan: !env PLAN', '2:7', 'remove the word that begins with !'],
  ['an alias of nothing', license, 'plan: standard', 'plan: *standard', '2:7', 'quotes around a text that begins with *'],
  ['a key that is no name', license, 'plan: standard', '12: standard', '2:1', 'write a key such as name:'],
  ['a second colon', tenant, 'name: Lakeside\n', 'name: Lakeside: the hospital\n', '2:7', 'quotes around a value with a colon'],
  // Keys.
  ['a misspelled key', tenant, '    scopes:', '    scope:', '12:5', 'did you mean scopes?'],
  ['a key in another case', license, 'requestsPerMinute', 'requests_per_minute', '15:3', 'did you mean requestsPerMinute?'],
  ['a key that is not known at all', license, 'plan: standard', 'plan: standard\ncolour: red', '3:1', 'known here: license, plan'],
  ['a key that only another meter has', plan, '{ meter: facility,', '{ model: assistant, meter: facility,', '7:7', 'known here: meter, per, amount'],
  ['an audience that is no audience in privacy', license, 'privacy: { clinician', 'privacy: { clinicians', '20:12', 'did you mean clinician?'],
  ['a key that is missing', tenant, 'name: Lakeside\n', '', '1:1', 'name: Lakeside Health'],
  ['a value that is missing', tenant, 'name: Lakeside\n', 'name:\n', '2:6', 'name: Lakeside Health'],
  ['a key of everything in JavaScript', license, 'plan: standard', 'plan: standard\n__proto__: { plan: free }', '3:1', 'remove it'],
  // Words.
  ['a word that is not one of them', tenant, 'audience: clinician', 'audience: doctor', '9:15', 'expert, clinician, patient, consumer'],
  ['a word that is nearly one of them', tenant, 'kind: hospital', 'kind: hospitl', '3:7', 'did you mean hospital?'],
  ['a purpose that is nearly one', tenant, '[TREAT, HOPERAT]', '[TREATMENT, HOPERAT]', '11:16', 'TREAT, ETREAT'],
  ['a meter that is nearly one', license, 'meter: tokens', 'meter: token', '17:14', 'did you mean tokens?'],
  ['a stage that is no stage', model, 'stage: licensed', 'stage: production', '6:12', 'write one of sealed, expert'],
  ['a word where a list belongs', tenant, 'scopes: [chat, infer]', 'scopes: chat', '12:13', 'scopes: [chat]'],
  ['a list where a word belongs', tenant, 'audience: clinician', 'audience: [clinician]', '9:15', 'write one of expert'],
  ['an empty list', tenant, 'purposes: [TREAT, HOPERAT]', 'purposes: []', '11:15', 'purposes: [TREAT'],
  ['text where keys belong', license, 'rates:\n  requestsPerMinute: 600', 'rates: fast', '14:8', 'rates: { requestsPerMinute'],
  // Numbers, money, versions, times.
  ['money without quotes', plan, '"3.00"', '3.00', '4:68', 'amount: "3.00"'],
  ['money that is not money', plan, '"3.00"', '"$3"', '4:68', 'an amount in quotes, such as "3.00"'],
  ['money that does not divide', plan, '1000000, amount: "15.00"', '7, amount: "15.00"', '5:63', 'power of ten'],
  ['a budget in money without quotes', license, '"12000.00"', '12000.00', '18:27', 'limit: "12000.00"'],
  ['a number in quotes', license, '50000000', '"50_000_000"', '17:29', 'write limit: 50000000'],
  ['a number with separators', license, '50000000', '50_000_000', '17:29', 'write limit: 50000000'],
  ['half a token', license, '50000000', '0.5', '17:29', 'limit: 50000000'],
  ['a limit of nothing', license, '50000000', '0', '17:29', 'at least 1'],
  ['grace for longer than a year', license, 'graceDays: 14', 'graceDays: 1400', '6:14', 'at most 366'],
  ['a version of two parts', model, 'version: 1.0.0', 'version: 1.0', '5:14', 'all three parts, such as 1.2.0'],
  ['a version with a v', model, 'version: 1.0.0', 'version: v1.0.0', '5:14', 'such as 1.2.0'],
  ['a range that is none', license, '">=1.0.0 <2.0.0"', 'newest please', '9:15', '">=1.0.0 <2.0.0"'],
  ['a pin outside its range', license, '">=1.0.0 <2.0.0"', '">=1.1.0 <2.0.0"', '10:10', 'write a pin that versions allows'],
  ['a time without an offset', license, '2026-07-01T00:00:00-05:00', '2026-07-01T00:00:00', '4:10', '2026-07-01T00:00:00-05:00'],
  ['a day without a time', license, '2027-07-01T00:00:00-05:00', '2027-07-01', '5:8', 'write 2027-07-01T00:00:00-05:00'],
  ['a day that no calendar has', license, '2027-07-01T00', '2027-06-31T00', '5:8', '2027-07-01T00:00:00-05:00'],
  ['a time written in another way', license, '2027-07-01T00:00:00-05:00', '2027-07-01 00:00:00 -0500', '5:8', 'write 2027-07-01T00:00:00-05:00'],
  ['an end before the start', license, '2027-07-01T00', '2026-06-01T00', '5:8', 'an end that lies after the start'],
  ['a currency in small letters', plan, 'currency: USD', 'currency: usd', '2:11', 'three capital letters'],
  ['a name with spaces', tenant, 'facility: north', 'facility: the north', '6:17', 'lower-case letters, digits and hyphens'],
  ['a name that could repaint a terminal', tenant, 'name: Lakeside\n', 'name: "Lakeside\\e[2J"\n', '2:7', 'without control characters'],
  // Addresses and secrets.
  ['an address that is none', model, 'url: https://east.example/v1\n', 'url: east.example\n', '10:14', 'https://models.example/v1'],
  ['a password in an address', model, 'url: https://east.example/v1\n', 'url: https://u:hunter2@east.example/v1\n', '10:14', 'credential: { env'],
  ['a key in a query', model, 'url: https://east.example/v1\n', 'url: https://east.example/v1?key=hunter2\n', '10:14', 'without a query'],
  ['a secret instead of its name', model, 'env: EAST_KEY', 'env: sk-hunter2', '14:28', 'never the secret itself'],
  ['a secret as a key', model, '{ env: EAST_KEY }', '{ sk-hunter2: EAST_KEY }', '14:23', 'known here: env'],
  ['a secret beside its name', model, '{ env: EAST_KEY }', '{ env: EAST_KEY } sk-hunter2', '14:39', 'mend it here'],
  ['an address with a space', model, 'url: https://east.example/v1\n', 'url: "https://east.example/v1 "\n', '10:14', 'absolute address'],
  ['a secret without a name', model, '{ env: EAST_KEY }', 'sk-hunter2', '14:21', 'credential: { env: EAST_KEY }'],
  ["the gateway's own secret", model, 'env: EAST_KEY', 'env: KEY_PEPPER', '14:28', 'belongs to the gateway'],
  // Names.
  ['a file that says another name', model, 'model: assistant\n', 'model: helper\n', '1:8', 'rename the file to helper.yaml'],
  ['a folder that says another name', tenant, 'tenant: lakeside', 'tenant: lakeshore', '1:9', 'rename the folder to lakeshore'],
  ['a reserved name', tenant, 'tenant: lakeside', 'tenant: models', '1:9', 'write tenant: lakeside'],
  ['a plan that nobody declared', license, 'plan: standard', 'plan: standart', '2:7', 'did you mean standard?'],
  ['a model that nobody declared', license, 'model: assistant', 'model: asistant', '8:12', 'did you mean assistant?'],
  ['a version that nobody declared', license, 'pin: 1.0.0', 'pin: 1.0.5', '10:10', 'write one of 1.0.0, 1.1.0'],
  ['a facility that nobody declared', tenant, '[general, north]', '[general, nort]', '10:27', 'did you mean north?'],
  ['an entitlement at a facility that nobody declared', license, 'audiences: [clinician]\n', 'audiences: [clinician]\n    facilities: [souths]\n', '12:18', 'write one of general, north'],
  ['a budget for an application that nobody declared', license, 'application: ehr', 'application: emr', '18:79', 'did you mean ehr?'],
  ['a budget for a model that is not entitled', license, 'application: ehr', 'model: stranger', '18:73', 'write one of assistant, reader'],
  ['a price of a model that nobody declared', plan, '{ meter: inferences', '{ model: raeder, meter: inferences', '6:14', 'did you mean reader?'],
  ['two facilities of one name', tenant, 'facility: north', 'facility: general', '6:17', 'rename one of them'],
  ['two versions of one name', model, 'version: 1.1.0', 'version: 1.0.0', '15:14', 'rename one of them'],
  ['one purpose twice', tenant, '[TREAT, HOPERAT]', '[TREAT, TREAT]', '11:23', 'remove one of them'],
  ['a license number used twice', license, 'license: LIC-2', 'license: LIC-1', '1:10', 'a number is used once'],
  ['two budgets that are one', license, 'meter: cost, limit: "12000.00", per: month, overage: deny, application: ehr', 'meter: tokens, limit: 1, per: month, overage: deny', '18:5', 'keep one of the two'],
  ['two prices for one thing', plan, 'meter: output_tokens', 'meter: input_tokens', '5:5', 'a call has one price'],
  // What the whole says.
  ['two owners', tenant, 'kind: hospital', 'kind: owner', '3:7', 'health-system, hospital'],
  ['an application whose audience has no right', tenant, 'audience: clinician', 'audience: patient', '9:15', 'add patient to the audiences of an entitlement'],
  ['a purpose that no right covers', tenant, '[TREAT, HOPERAT]', '[TREAT, HRESCH]', '11:23', 'write one of TREAT, HOPERAT'],
  ['a scope that no model of it speaks', 'clinic/tenant.yaml', 'scopes: [chat]', 'scopes: [chat, infer]', '7:99', 'remove infer'],
  ['regions that serve nothing', license, 'residency: [us-east, us-west]', 'residency: [us-west]', '19:12', 'add us-east to residency'],
  ['rights that overlap', license, 'model: reader, versions: "3.x", pin: 3.0.0', 'model: assistant, versions: "1.x", pin: 1.0.0', '13:5', 'join the two'],
  ['rights that pin twice', license, 'model: reader, versions: "3.x", pin: 3.0.0', 'model: assistant, versions: "2.x", pin: 2.0.0', '13:5', 'with one pin'],
  ['an evaluation for treatment', license, 'plan: standard', 'plan: standard\nevaluation: true', '13:16', 'HTEST, TRAIN'],
  ['an evaluation for emergency treatment', 'clinic/license.yaml', 'pin: 1.1.0, audiences: [expert], purposes: [HTEST] }', 'pin: 1.1.0, audiences: [expert], purposes: [HTEST, ETREAT] }\nevaluation: true', '5:97', 'HTEST, TRAIN'],
  ['limits of a predictor', 'models/reader.yaml', 'stage: licensed', 'stage: licensed\n    limits: { contextTokens: 1, outputTokens: 0 }', '7:5', 'remove limits'],
  ['a pin that is served nowhere', 'models/reader.yaml', '\n      - { name: west, url: "https://west.example", model: reader, region: us-west }', ' []', 'lakeside/license.yaml:19:12', 'add a deployment of 3.0.0'],
]

describe('a mistake is found where it is made, and the advice says what to write:', () => {
  test.each(mistakes)('%s', (_, file, from, to, at, advice) => {
    const problems = problemsOf(withEdit(sampleTree, file, from, to))
    const place = at.split(':').length === 2 ? `${file}:${at}` : at
    const found = problems.find(
      (problem, index) => places(problems)[index] === place && problem.advice.includes(advice),
    )
    expect(found, problems.flatMap((problem) => formatProblem(problem, 'tenants')).join('\n')).toBeDefined()
    expect(problems.map(({ message, advice: words }) => message + words).join()).not.toContain('hunter2')
  })
})

describe('the whole tree', () => {
  test('every problem of every file is told, in the order of files and lines', () => {
    let tree = withEdit(sampleTree, license, 'plan: standard', 'plan: standart')
    tree = withEdit(tree, license, 'requestsPerMinute: 600', 'requestsPerMinute: 0')
    tree = withEdit(tree, model, 'stage: owner', 'stage: owners')
    tree = withEdit(tree, tenant, 'kind: hospital', 'kind: clinic')
    tree = withEdit(tree, plan, 'currency: USD', 'currency: $')
    // Of the license, its shape must be right before its names are looked up.
    expect(places(problemsOf(tree))).toEqual([
      'lakeside/license.yaml:15:22',
      'lakeside/tenant.yaml:3:7',
      'models/assistant.yaml:16:12',
      'plans/standard.yaml:2:11',
    ])
  })

  test('what one check finds after another is told in the order of lines', () => {
    const twice = withEdit(sampleTree, tenant, '[TREAT, HOPERAT]', '[TREAT, TREAT]')
    expect(places(problemsOf(withEdit(twice, tenant, 'kind: hospital', 'kind: owner')))).toEqual([
      'lakeside/tenant.yaml:3:7',
      'lakeside/tenant.yaml:11:23',
    ])
  })

  test('a file with a problem of its own is not reported again by those that refer to it', () => {
    const problems = problemsOf(withEdit(sampleTree, model, 'title: Assistant', 'titel: Assistant'))
    expect(new Set(problems.map(({ file }) => file))).toEqual(new Set([model]))
  })

  test('the order of the files does not matter', () => {
    const tree = withEdit(withEdit(sampleTree, license, 'plan: standard', 'plan: x'), tenant, '[general, north]', '[x]')
    const backwards = readDeclarations(filesOf(tree).toReversed())
    expect(backwards.ok ? [] : backwards.error).toEqual(problemsOf(tree))
  })

  test('a tree without an owner is refused, so that an empty folder ends nobody', () => {
    expect(problemsOf({})).toMatchObject([
      { file: '', message: 'no policy permits anything, so that every call would be refused' },
      { file: '', message: 'no tenant is the owner' },
    ])
    const owners = withEdit(sampleTree, 'clinic/tenant.yaml', 'kind: owner', 'kind: research')
    expect(problemsOf(owners).map(({ advice }) => advice)).toEqual([expect.stringContaining('kind: owner')])
  })

  test('a tenant without a license, and a license without a tenant', () => {
    expect(problemsOf(withoutFiles(sampleTree, license))).toMatchObject([
      { file: tenant, line: 1, advice: expect.stringContaining('add lakeside/license.yaml') },
    ])
    expect(problemsOf(withoutFiles(sampleTree, tenant))).toMatchObject([
      { file: license, line: 1, advice: expect.stringContaining('add lakeside/tenant.yaml') },
    ])
  })

  test('a licensed model without a price is refused once, at the plan', () => {
    const tree = withEdit(sampleTree, plan, '  - { meter: inferences, per: 1, amount: "0.50" }\n', '')
    expect(problemsOf(tree)).toMatchObject([
      { file: plan, line: 3, column: 1, advice: expect.stringContaining('amount: "0"') },
    ])
  })

  test('a model that only embeds needs no price for answers', () => {
    let tree = withEdit(
      sampleTree,
      plan,
      '  - { model: assistant, meter: output_tokens, per: 1000000, amount: "15.00" }\n',
      '',
    )
    tree = { ...tree, [model]: (tree[model] ?? '').replaceAll('outputTokens: 1000', 'outputTokens: 0') }
    expect(problemsOf(tree)).toEqual([])
  })

  test('an openai model says its limits, because a call reserves by them', () => {
    const text = (sampleTree[model] ?? '').replace('    limits: { contextTokens: 8000, outputTokens: 1000 }\n', '')
    expect(problemsOf({ ...sampleTree, [model]: text })).toMatchObject([
      { file: model, line: 5, column: 5, advice: expect.stringContaining('contextTokens: 32768') },
    ])
  })

  test('rights to one model for different people, purposes or sites do not overlap', () => {
    for (const right of [
      'model: assistant, versions: "1.x", pin: 1.0.0, audiences: [expert], purposes: [TREAT]',
      'model: assistant, versions: "1.x", pin: 1.0.0, audiences: [clinician], purposes: [HRESCH]',
    ]) {
      const tree = withEdit(sampleTree, license, 'rates:', `  - { ${right} }\nrates:`)
      expect(problemsOf(tree), right).toEqual([])
    }
    let apart = withEdit(
      sampleTree,
      license,
      'purposes: [TREAT, HOPERAT]\n',
      'purposes: [TREAT, HOPERAT]\n    facilities: [general]\n',
    )
    apart = withEdit(
      apart,
      license,
      'rates:',
      '  - { model: assistant, versions: "1.x", pin: 1.0.0, audiences: [clinician], purposes: [TREAT], facilities: [north] }\nrates:',
    )
    expect(problemsOf(apart)).toEqual([])
  })
})

describe('places of files', () => {
  test('what is not a declaration is refused, not skipped', () => {
    expect(withFile('models/other.yml')).toMatchObject([
      { file: 'models/other.yml', advice: 'rename it to other.yaml' },
    ])
    expect(withFile('lakeside/licence.yaml')).toMatchObject([{ advice: 'rename it to license.yaml' }])
    expect(withFile('lakeside/notes.txt')).toMatchObject([{ advice: expect.stringContaining('remove') }])
    expect(withFile('lakeside.yaml')).toMatchObject([{ advice: expect.stringContaining('the folder of its tenant') }])
    expect(withFile('lakeside/old/license.yaml')).toMatchObject([{ advice: expect.stringContaining('move it up') }])
    expect(withFile('schema/tenant.yaml')).toMatchObject([{ advice: 'rename the folder' }])
    expect(withFile('models/readme.json')).toMatchObject([{ advice: expect.stringContaining('<model>.yaml') }])
  })

  test('a file of Cedar has its place', () => {
    const forbid = '@id("a") @reason("No.") forbid (principal, action, resource);'
    const advice = (path: string) => problemsOf({ ...sampleTree, [path]: forbid }).map((problem) => problem.advice)
    expect(advice('policies/more.cedar')).toEqual([])
    expect(advice('lakeside/policy.cedar')).toEqual([])
    expect(advice('lakeside/other.cedar')).toEqual(['name it policy.cedar'])
    expect(advice('policy.cedar')).toEqual(['move it into policies/, or to <tenant>/policy.cedar'])
    expect(advice('policies/more.yaml')).toEqual(['name it <what>.cedar, or remove it'])
    expect(advice('policies/old/more.cedar')).toEqual(['move it up into policies/, or remove it'])
    expect(advice('lakeshore/policy.cedar')).toEqual(['add lakeshore/tenant.yaml, or remove the folder'])
  })

  test('generated schemas, hidden files and READMEs are left alone', () => {
    for (const path of [
      'schema/tenant.json',
      'schema/policy.cedarschema',
      'lakeside/.DS_Store',
      '.gitkeep',
      'README.md',
      'lakeside/README.md',
    ])
      expect(withFile(path), path).toEqual([])
  })
})

describe('hostile YAML', () => {
  test('aliases that multiply are refused before they are multiplied', () => {
    const levels = Array.from({ length: 9 }, (_, level) => `k${level + 1}: &k${level + 1} [${`*k${level},`.repeat(9)}]`)
    const problems = asTenant(['k0: &k0 [lol]', ...levels].join('\n'))
    expect(problems).toMatchObject([{ file: tenant, advice: expect.stringContaining('write the values out') }])
  })

  test('an alias may repeat a value, and a mistake in it is found where it was written', () => {
    const tree = withEdit(sampleTree, tenant, 'facilities: [general, north]', 'facilities: &all [general, nort]')
    const [problem] = problemsOf(
      withEdit(
        tree,
        tenant,
        'scopes: [chat, infer]',
        'scopes: [chat, infer]\n  - { application: two, audience: clinician, facilities: *all, purposes: [TREAT], scopes: [chat] }',
      ),
    )
    expect(problem).toMatchObject({ line: 10, column: 32 })
  })

  test('a hundred thousand brackets are refused', () => {
    for (const text of ['['.repeat(100_000), '- '.repeat(100_000), `a: ${'{a: '.repeat(900)}${'}'.repeat(900)}`]) {
      const problems = asTenant(text)
      expect(problems.length).toBeGreaterThan(0)
      expect(problems.length).toBeLessThan(20)
      expect(new Set(problems.map(({ file }) => file))).toEqual(new Set([tenant]))
    }
  })

  test('an empty file, a list and a lone word are refused', () => {
    expect(asTenant('')).toMatchObject([{ message: 'the file is empty' }])
    expect(asTenant('# nothing\n')).toMatchObject([{ message: 'the file is empty' }])
    expect(asTenant('- 1\n')).toMatchObject([{ advice: expect.stringContaining('begin with a key') }])
    expect(asTenant('lakeside')).toMatchObject([{ advice: expect.stringContaining('begin with a key') }])
  })

  test('a long wrong word is told shortly', () => {
    const [problem] = problemsOf(withEdit(sampleTree, tenant, 'kind: hospital', `kind: ${'x'.repeat(10_000)}`))
    expect(problem?.message.length).toBeLessThan(200)
  })
})

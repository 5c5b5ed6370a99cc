import { validatePolicies, type KeptPolicy, type NamedType } from '../policy/index.ts'
import type { Tree } from './declarations.ts'
import { explainFault, explainUnread } from './explain-cedar.ts'
import { adviseName, nearest } from './nearest.ts'
import type { DeclaredPolicy, PolicyFile } from './policy-file.ts'
import { fileProblem, quoted, type Problem } from './problem.ts'

const POLICIES_MAX = 1000
const REASON_CHARACTERS_MAX = 120

/** Everything that is wrong with the policies of a tree: of the owner's, and of each tenant's own. */
export function checkPolicies(tree: Tree): readonly Problem[] {
  const owners = tree.policies
  const tenants = [...tree.tenantPolicies]
  return [
    ...owners.flatMap((file) => checkFile(file, undefined, tree)),
    ...tenants.flatMap(([tenant, file]) => checkFile(file, tenant, tree)),
    ...checkIds(owners),
    ...tenants.flatMap(([, file]) => checkIds([file])),
    ...checkSchema([...owners, ...tenants.map(([, file]) => file)]),
    ...checkPermits(owners),
  ]
}

function checkFile(file: PolicyFile, tenant: string | undefined, tree: Tree): readonly Problem[] {
  if (file.policies.length === 0) return [fileProblem(file.file, emptyFile)]
  if (file.policies.length > POLICIES_MAX) return [fileProblem(file.file, tooMany)]
  return [
    ...file.unread.map(({ policy, fault }) => file.problem(policy, fault.at, explainUnread(policy.text, fault))),
    ...file.policies.flatMap((policy) => [
      ...checkShape(file, policy, tenant),
      ...checkNames(file, policy, tenant, tree),
    ]),
    ...(tenant === undefined || tree.tenants.has(tenant) ? [] : [fileProblem(file.file, ofNobody(tenant))]),
  ]
}

const cutIt =
  'cut it into several policies, or write a list: [Purpose::"TREAT", Purpose::"ETREAT"].contains(context.purpose)'
const tooLarge = {
  characters: (most: number) => ({ message: `this policy has more than ${most} characters`, advice: cutIt }),
  brackets: (most: number) => ({
    message: `more than ${most} brackets stand in each other here`,
    advice: 'remove those that are not needed',
  }),
  operators: (most: number) => ({
    message: `this policy has more than ${most} operators (&&, ==, dots and the like)`,
    advice: cutIt,
  }),
} as const
const emptyFile = { message: 'the file holds no policy', advice: 'write one, or remove the file' }
const tooMany = {
  message: `the file holds more than ${POLICIES_MAX} policies`,
  advice: 'join those that differ in one word: [Stage::"patient", Stage::"consumer"].contains(resource.stage)',
}
const ofNobody = (tenant: string) => ({
  message: `${quoted(tenant)} has a policy and no tenant.yaml`,
  advice: `add ${tenant}/tenant.yaml, or remove the folder`,
})

const idShape = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/
const sentence = new RegExp(`^(?=.{2,${REASON_CHARACTERS_MAX}}$)[^\\p{Cc}\\p{Zl}\\p{Zp}]*\\.$`, 'u')
const idAdvice =
  'write @id("no-research-on-weekends") before it: its name in refusals and in the ledger, in lower-case letters, digits and hyphens'
const reasonAdvice = `write what the caller shall read, as one sentence of at most ${REASON_CHARACTERS_MAX} characters: @reason("Patients are not shown predictors.")`

/** What every policy says of itself, and what a tenant's may not do. */
function checkShape(file: PolicyFile, policy: DeclaredPolicy, tenant: string | undefined): readonly Problem[] {
  const { inspected, text, excess } = policy
  if (excess !== undefined) return [file.problem(policy, 0, tooLarge[excess.what](excess.most))]
  if (inspected === undefined) return []
  const { annotations, effect } = inspected
  const problems: Problem[] = []
  const add = (at: number, message: string, advice: string) =>
    void problems.push(file.problem(policy, Math.max(at, 0), { message, advice }))
  const id = annotations.get('id')
  if (id === undefined) add(0, 'this policy has no id', idAdvice)
  else if (!idShape.test(id)) add(text.indexOf('@id'), `${quoted(id)} is not an id`, idAdvice)
  const reason = annotations.get('reason')
  if (reason === undefined && effect === 'forbid') add(0, 'this policy forbids and does not say why', reasonAdvice)
  if (reason !== undefined && !sentence.test(reason))
    add(text.indexOf('@reason'), 'the reason is not one short sentence that ends with a period', reasonAdvice)
  for (const name of annotations.keys())
    if (name !== 'id' && name !== 'reason') {
      const meant = nearest(name, ['id', 'reason'])
      const known = 'a policy has @id and @reason; write everything else in a comment: // …'
      add(
        text.search(new RegExp(`@\\s*${name}\\b`)),
        `@${name} is not known`,
        meant === undefined ? known : `did you mean @${meant}? (${known})`,
      )
    }
  if (tenant !== undefined && effect === 'permit')
    add(
      text.search(/\bpermit\b/),
      `a policy of ${tenant} permits; its own policies may only forbid`,
      'write forbid with the condition turned around, such as unless { … }; what may be used stands in the license',
    )
  return problems
}

/** An id is a policy's name in refusals and in the ledger: among the owner's there is one of it, and in a tenant's file. */
function checkIds(files: readonly PolicyFile[]): readonly Problem[] {
  const first = new Map<string, string>()
  return files.flatMap((file) =>
    file.policies.flatMap((policy) => {
      const id = policy.inspected?.annotations.get('id')
      if (id === undefined) return []
      const other = first.get(id)
      first.set(id, other ?? file.file)
      return other === undefined
        ? []
        : [
            file.problem(policy, Math.max(policy.text.indexOf('@id'), 0), {
              message: `${quoted(id)} is the id of another policy in ${other}`,
              advice: 'give one of them another id',
            }),
          ]
    }),
  )
}

/** Names of what is declared: a policy about a name that nobody has would silently never hold. */
function checkNames(
  file: PolicyFile,
  policy: DeclaredPolicy,
  tenant: string | undefined,
  tree: Tree,
): readonly Problem[] {
  return (policy.inspected?.names ?? []).flatMap(({ type, id }) => {
    const declared = declaredNames(tree, type)
    const own = tenant !== undefined && (type === 'Tenant' || type === 'Application' || type === 'Facility')
    const usable = own
      ? declared.names.filter((name) => name === tenant || name.startsWith(`${tenant}/`))
      : declared.names
    if (usable.includes(id) || declared.unread(id)) return []
    const at = Math.max(policy.text.search(new RegExp(`\\b${type}\\s*::\\s*"`)), 0)
    const exact = policy.text.indexOf(`${type}::${JSON.stringify(id)}`)
    const place = exact === -1 ? at : exact
    if (own && declared.names.includes(id))
      return [
        file.problem(policy, place, {
          message: `${type}::${quoted(id)} is not one of ${tenant}`,
          advice: `write names of this tenant only: its policies are asked about its own calls, so that this one would never hold`,
        }),
      ]
    const shown = usable.map((name) => `${type}::${JSON.stringify(name)}`)
    return [
      file.problem(policy, place, {
        message: `no ${type} ${quoted(id)} is declared`,
        advice: adviseName(`${type}::${JSON.stringify(id)}`, shown, declareAdvice[type]),
      }),
    ]
  })
}

const declareAdvice: Readonly<Record<NamedType, string>> = {
  Tenant: 'declare it in <tenant>/tenant.yaml',
  Application: 'declare it in its tenant.yaml; it is named Application::"<tenant>/<application>"',
  Facility: 'declare it in its tenant.yaml; it is named Facility::"<tenant>/<facility>"',
  Model: 'declare it in models/<model>.yaml',
  ModelVersion: 'declare it in models/<model>.yaml; it is named ModelVersion::"<model>@<version>"',
}

/** `unread`: the file that would declare a name has problems of its own; what refers to it is not reported again. */
function declaredNames(tree: Tree, type: NamedType): { names: readonly string[]; unread(id: string): boolean } {
  const tenants = [...tree.tenants]
  const models = [...tree.models]
  const brokenTenant = (id: string) => tenants.some(([name, read]) => read === undefined && id.startsWith(`${name}/`))
  const brokenModel = (id: string) => models.some(([name, read]) => read === undefined && id.startsWith(`${name}@`))
  switch (type) {
    case 'Tenant':
      return { names: tenants.map(([name]) => name), unread: () => false }
    case 'Application':
      return {
        names: tenants.flatMap(
          ([name, read]) => read?.value.applications.map(({ application }) => `${name}/${application}`) ?? [],
        ),
        unread: brokenTenant,
      }
    case 'Facility':
      return {
        names: tenants.flatMap(
          ([name, read]) => read?.value.facilities.map(({ facility }) => `${name}/${facility}`) ?? [],
        ),
        unread: brokenTenant,
      }
    case 'Model':
      return { names: models.map(([name]) => name), unread: () => false }
    case 'ModelVersion':
      return {
        names: models.flatMap(([name, read]) => read?.value.versions.map(({ version }) => `${name}@${version}`) ?? []),
        unread: brokenModel,
      }
  }
}

/** What Cedar itself says of them: types, attributes, actions, and conditions that can never hold. */
function checkSchema(files: readonly PolicyFile[]): readonly Problem[] {
  const texts = new Map<string, { file: PolicyFile; policy: DeclaredPolicy }>()
  for (const file of files)
    for (const policy of file.policies)
      if (policy.inspected !== undefined) texts.set(`${file.file}:${policy.start}`, { file, policy })
  if (texts.size === 0) return []
  const found = validatePolicies(new Map([...texts].map(([key, { policy }]) => [key, policy.text])))
  return [...found].flatMap(([key, faults]) => {
    const at = texts.get(key)
    if (at === undefined) return []
    const problems = faults.map((fault) => at.file.problem(at.policy, fault.at, explainFault(at.policy.text, fault)))
    // One slip is found once for each action that the policy is about.
    return problems.filter(
      (problem, index) =>
        problems.findIndex(
          ({ line, column, message }) =>
            line === problem.line && column === problem.column && message === problem.message,
        ) === index,
    )
  })
}

/** Nothing is permitted by silence: a tree whose policies permit nothing would refuse every call. */
function checkPermits(files: readonly PolicyFile[]): readonly Problem[] {
  const mayPermit = files.some((file) =>
    file.policies.some(({ inspected }) => inspected === undefined || inspected.effect === 'permit'),
  )
  if (mayPermit) return []
  return [
    fileProblem('', {
      message: 'no policy permits anything, so that every call would be refused',
      advice:
        'write policies/licensed-use.cedar: @id("licensed-use") permit (principal, action, resource); it permits what a license grants, and nothing else',
    }),
  ]
}

/** What is kept of files without a problem. */
export const keptPolicies = (files: readonly PolicyFile[]): readonly KeptPolicy[] =>
  files.flatMap(({ file, policies }) =>
    policies.flatMap(({ inspected, text }) =>
      inspected === undefined
        ? []
        : [
            {
              file,
              id: inspected.annotations.get('id') ?? '',
              effect: inspected.effect,
              reason: inspected.annotations.get('reason') ?? '',
              text,
            },
          ],
    ),
  )

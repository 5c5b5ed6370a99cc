import type { Declared } from './declarations.ts'
import { repeatedNames } from './check-names.ts'
import type { Problem } from './problem.ts'
import type { ModelFile } from './schema.ts'

/** What a model's file must say that its shape alone does not. */
export function checkModel({ value: model, source }: Declared<ModelFile>): readonly Problem[] {
  const problems = [
    ...repeatedNames(
      source,
      ['versions'],
      'version',
      model.versions.map((version) => version.version),
    ),
  ]
  for (const [index, version] of model.versions.entries()) {
    const path = ['versions', index]
    problems.push(
      ...repeatedNames(
        source,
        [...path, 'deployments'],
        'name',
        version.deployments.map(({ name }) => name),
      ),
    )
    if (model.protocol === 'openai' && version.limits === undefined)
      problems.push(
        source.problem(path, {
          message: `limits of version ${version.version} are missing`,
          advice:
            'write limits: { contextTokens: 32768, outputTokens: 4096 } as the model has them; a call reserves by them',
        }),
      )
    // Tokens mean nothing to a predictor: a limit that nothing enforces must not stand there as if it did.
    if (model.protocol === 'open-inference' && version.limits !== undefined)
      problems.push(
        source.keyProblem([...path, 'limits'], {
          message: 'limits are in tokens, and an open-inference model has none',
          advice: 'remove limits; a license limits a predictor by a budget with the meter inferences or requests',
        }),
      )
  }
  return problems
}

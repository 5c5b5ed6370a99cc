/** What is wrong in one place of tenants/, and what to write instead. Lines and columns count from one. */
export interface Problem {
  /** Relative to the folder of declarations, with slashes. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** Where in the document, such as `entitlements[0].pin`; empty for the file as a whole. */
  readonly path: string
  readonly message: string
  readonly advice: string
}

/** Keys and list positions from the root of a document to a value. */
export type Path = readonly (string | number)[]

export interface Words {
  readonly message: string
  readonly advice: string
}

export const fileProblem = (file: string, words: Words): Problem => ({ file, line: 1, column: 1, path: '', ...words })

/** Two lines for a terminal; an editor jumps to the first. */
export const formatProblem = (problem: Problem, folder: string): readonly [string, string] => [
  `${inFolder(problem, folder)}:${problem.line}:${problem.column}  ${problem.message}`,
  `    ${problem.advice}`,
]

export const inFolder = (problem: Problem, folder: string): string =>
  problem.file === '' ? folder : `${folder.replace(/\/+$/, '')}/${problem.file}`

export const sortProblems = (problems: readonly Problem[]): readonly Problem[] =>
  problems.toSorted(
    (a, b) =>
      byText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      byText(a.path, b.path) ||
      byText(a.message, b.message),
  )

/** By code units: the same order on every machine. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  )

/** Something that a stranger wrote, on one line, short, without what a terminal would obey. */
export const quoted = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

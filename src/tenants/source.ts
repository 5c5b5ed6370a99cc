import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml'
import { err, ok, type Result } from '../kernel/index.ts'
import { fileProblem, pathText, type Path, type Problem, type Words } from './problem.ts'

const ALIASES_MAX = 100
const SYNTAX_PROBLEMS_MAX = 5

/**
 * One YAML file that was read, and where each of its values stands. Its data is what zod checks; every later check
 * says where it found something by the path in that data.
 */
export class Source {
  readonly file: string
  readonly data: unknown
  readonly #document: Document
  readonly #lines: LineCounter

  private constructor(file: string, data: unknown, document: Document, lines: LineCounter) {
    this.file = file
    this.data = data
    this.#document = document
    this.#lines = lines
  }

  static read(file: string, text: string): Result<Source, readonly Problem[]> {
    try {
      return Source.#read(file, text)
    } catch (error) {
      // The YAML library recurses: a megabyte of brackets overflows its stack.
      if (error instanceof RangeError) return err([fileProblem(file, nestedTooDeep)])
      throw error
    }
  }

  static #read(file: string, text: string): Result<Source, readonly Problem[]> {
    const lines = new LineCounter()
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
    const at = (offset: number, words: Words): Problem => ({ file, ...position(lines, offset), path: '', ...words })
    const broken = [...document.errors, ...document.warnings]
    // One bracket too many may be a thousand errors; the first ones are about it.
    if (broken.length > 0)
      return err(broken.slice(0, SYNTAX_PROBLEMS_MAX).map((error) => at(error.pos[0], syntaxWords(error))))
    const strange = strangeNodes(document).map(({ node, ...words }) => at(node.range?.[0] ?? 0, words))
    if (strange.length > 0) return err(strange)
    const data = readData(document)
    if (data === undefined) return err([fileProblem(file, tooManyAliases)])
    if (!isMap(document.contents)) return err([fileProblem(file, document.contents === null ? emptyFile : notAMap)])
    return ok(new Source(file, data.value, document, lines))
  }

  /** A problem at the value of a path, or at the nearest thing above it that is written. */
  problem(path: Path, words: Words): Problem {
    return this.#problem(path, this.#find(path).value, words)
  }

  /** A problem at the key itself. */
  keyProblem(path: Path, words: Words): Problem {
    const { key, value } = this.#find(path)
    return this.#problem(path, key ?? value, words)
  }

  /** A scalar as it stands in the file, before YAML made a number or a string of it. */
  written(path: Path): string | undefined {
    const { value } = this.#find(path)
    return isScalar(value) ? value.source : undefined
  }

  #problem(path: Path, node: Node | null, words: Words): Problem {
    return { file: this.file, ...position(this.#lines, node?.range?.[0] ?? 0), path: pathText(path), ...words }
  }

  #find(path: Path): { key: Node | undefined; value: Node | null } {
    let found: { key: Node | undefined; value: Node | null } = { key: undefined, value: this.#document.contents }
    for (const step of path) {
      const next = this.#step(isAlias(found.value) ? found.value.resolve(this.#document) : found.value, step)
      if (next === undefined) return { key: undefined, value: found.value }
      found = next
    }
    return found
  }

  #step(
    node: Node | null | undefined,
    step: string | number,
  ): { key: Node | undefined; value: Node | null } | undefined {
    if (isSeq<Node>(node) && typeof step === 'number') {
      const item = node.items[step]
      return item === undefined ? undefined : { key: undefined, value: item }
    }
    if (!isMap<Node, Node | null>(node)) return undefined
    const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
    return pair === undefined ? undefined : { key: pair.key, value: pair.value ?? pair.key }
  }
}

/** The data of the document; undefined when its aliases multiply beyond measure. */
function readData(document: Document): { value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: ALIASES_MAX }) }
  } catch (error) {
    if (error instanceof ReferenceError) return undefined
    throw error
  }
}

/** Keys that are not names: they would become text that nobody wrote. */
function strangeNodes(document: Document): readonly ({ node: Node } & Words)[] {
  const found: ({ node: Node } & Words)[] = []
  visit(document, {
    Pair(_, pair) {
      const key = pair.key
      if (isScalar(key) && typeof key.value === 'string') return
      if (isScalar(key) || isCollection(key) || isAlias(key))
        found.push({ node: key, message: 'a key must be a name', advice: 'write a key such as name: before the colon' })
    },
    Alias(_, alias) {
      if (alias.resolve(document) === undefined)
        found.push({
          node: alias,
          message: `nothing is named &${alias.source} above this`,
          advice: `write the value itself, or name it with &${alias.source} where it first stands; put quotes around a text that begins with *`,
        })
    },
  })
  return found
}

const position = (lines: LineCounter, offset: number): { line: number; column: number } => {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

const emptyFile: Words = { message: 'the file is empty', advice: 'write the declaration, or remove the file' }
const notAMap: Words = {
  message: 'the file must hold keys and values',
  advice: 'begin with a key, such as tenant: lakeside-health',
}
const nestedTooDeep: Words = {
  message: 'the file is nested too deeply to be read',
  advice: 'a declaration is a few levels deep; remove the extra brackets',
}
const tooManyAliases: Words = {
  message: `the file repeats its aliases more than ${ALIASES_MAX} times`,
  advice: 'write the values out instead of repeating them with *',
}

function syntaxWords(error: { code: string }): Words {
  // The library's own words quote the file, and what stands in the wrong place may be a secret.
  const kind = error.code.toLowerCase().replaceAll('_', ' ')
  const [message, advice] = syntaxAdvice[error.code] ?? [
    `this cannot be read as YAML (${kind})`,
    'mend it here or on the line above; quotes around a text make it plain',
  ]
  return { message, advice }
}

const syntaxAdvice: Readonly<Record<string, readonly [string, string]>> = {
  DUPLICATE_KEY: ['this key stands twice in the same place', 'keep one of them: YAML does not say which would win'],
  MULTIPLE_DOCS: ['a second YAML document begins here', 'remove the line --- and give each declaration its own file'],
  TAB_AS_INDENT: ['a tab indents this line', 'indent with spaces'],
  TAG_RESOLVE_FAILED: [
    'a YAML tag stands here',
    'remove the word that begins with !, or put quotes around the whole value',
  ],
  BAD_INDENT: [
    'the indentation does not fit, or a bracket is not closed',
    'line the key up with its neighbors, and close [ and { where they end',
  ],
  MISSING_CHAR: ['a closing character is missing', 'close the quote, [ or { that was opened here or above'],
  RESOURCE_EXHAUSTION: [
    'the file is nested too deeply to be read',
    'a declaration is a few levels deep; remove the extra brackets',
  ],
  BLOCK_AS_IMPLICIT_KEY: [
    'a second colon stands where a value should be',
    'put the nested keys on their own lines, or quotes around a value with a colon in it',
  ],
  MULTILINE_IMPLICIT_KEY: [
    'a key reaches over more than one line',
    'write key: value on one line; is a colon missing?',
  ],
}

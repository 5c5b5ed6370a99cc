/** Ends with one clear line on a Node that cannot run this. */
export function requireNode(version: string): void {
  const [major = 0] = version.split('.').map(Number)
  if (major >= 24) return
  process.stderr.write(`Formulary needs Node 24 or newer; this is ${version}. On Linux, npm ci brings its own.\n`)
  process.exit(1)
}

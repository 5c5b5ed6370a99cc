import { openFormulary } from './formulary-target.ts'
import { openPortkey } from './portkey-target.ts'
import type { Target } from './target.ts'

/**
 * The gateway that the incidents are tried on: Formulary, unless `PORTKEY_DIR` names a folder in which
 * `@portkey-ai/gateway` is installed; the README says how.
 */
export function openTarget(): Promise<Target> {
  const folder = process.env['PORTKEY_DIR']
  return folder === undefined ? openFormulary() : openPortkey(folder)
}

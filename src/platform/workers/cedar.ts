// The package does not name this file to others, and only a path is bundled as what workerd compiles beforehand.
import code from '../../../node_modules/@cedar-policy/cedar-wasm/web/cedar_wasm_bg.wasm'
import { provideCedar } from '../../policy/index.ts'

/** Lets policies be asked in this isolate. */
export const provideWorkersCedar = (): void => provideCedar(() => code)

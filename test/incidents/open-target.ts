import { openFormulary } from './formulary-target.ts'
import type { Target } from './target.ts'

export const openTarget = (): Promise<Target> => openFormulary()

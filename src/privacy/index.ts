export { privacyModes, protect, type PrivacyMode, type PrivacyRefusal } from './protect.ts'
export { Sensitive } from './sensitive.ts'

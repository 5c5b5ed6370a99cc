import { provideNodeCedar } from '../../src/platform/node/cedar.ts'

// For every test file: declarations cannot be read without it. It is loaded by those that read some.
provideNodeCedar()

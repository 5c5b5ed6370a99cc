import { expect, test } from 'vitest'
import { readPortkeyRun } from './portkey-run.ts'
import { renderReadme } from './readme.ts'
import { sections } from './sections.ts'

test('the page says what the tests are, and what the last run on Portkey found', async () => {
  await expect(renderReadme(readPortkeyRun())).toMatchFileSnapshot('./README.md')
})

test('the run on Portkey was one of these very tests', () => {
  const names = sections.flatMap(({ incidents }) => incidents.map(({ holds }) => holds))
  expect(new Set(Object.keys(readPortkeyRun().verdicts))).toEqual(new Set(names))
})

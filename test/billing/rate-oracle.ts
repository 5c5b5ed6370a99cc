// Rates random periods and compares each with an oracle in fractions: `npm run rate:oracle -- 2000000`.
import { seeded } from '../support/seeded.ts'
import { differencesOf } from './compare-case.ts'
import { describeCase, randomCase } from './random-case.ts'

const cases = Number(process.argv[2] ?? '100000')
const seed = Number(process.argv[3] ?? '1')
if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('usage: npm run rate:oracle -- <cases> [<seed>]\n')
  process.exit(2)
}

const random = seeded(seed)
const began = performance.now()
let [different, lines] = [0, 0]
for (let index = 0; index < cases; index++) {
  const one = randomCase(random)
  lines += one.use.usage.length
  const differences = differencesOf(one)
  if (differences.length === 0) continue
  different++
  if (different === 1) process.stderr.write(`case ${index}: ${differences.join('; ')}\n${describeCase(one)}\n`)
}
const seconds = (performance.now() - began) / 1000
process.stdout.write(`${cases} cases of ${lines} quantities, ${different} differences, ${seconds.toFixed(1)} s\n`)
process.exitCode = different === 0 ? 0 : 1

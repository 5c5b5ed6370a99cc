// Ends .ci/run: reads Vitest's JSON report, prints "N passed, N failed" as the last line, and exits 1 unless nothing
// failed. Arguments: the report, the exit status of the test run, how many other steps failed.
// Runs on the Node that CI has, which may be older than ours.
import { existsSync, readFileSync } from 'node:fs'

const [reportPath, testStatus, otherFailures] = process.argv.slice(2)
const report = readReport(reportPath)
// A file that does not load has no test in it that could fail.
const brokenFiles = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some(isFailed),
)
for (const file of brokenFiles) console.log(`failed: ${file.name}`)

const failedTests = report.numFailedTests + brokenFiles.length
// Vitest also exits with an error for an unhandled rejection, and for a setup that failed.
const unexplained = Number(testStatus) !== 0 && failedTests === 0 ? 1 : 0
if (unexplained > 0) console.log(`failed: the test run itself, exit status ${testStatus}`)

const skipped = report.numPendingTests + report.numTodoTests
if (skipped > 0) console.log(`${skipped} skipped`)
const failed = failedTests + unexplained + Number(otherFailures)
console.log(`${report.numPassedTests} passed, ${failed} failed`)
// Nothing tested is nothing shown.
process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1

function readReport(path) {
  const nothing = { testResults: [], numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 }
  return existsSync(path) ? { ...nothing, ...JSON.parse(readFileSync(path, 'utf8')) } : nothing
}

function isFailed(test) {
  return test.status === 'failed'
}

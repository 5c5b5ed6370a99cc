#!/usr/bin/env node
import { requireNode } from './require-node.ts'

requireNode(process.versions.node)
// Whoever reads our output may leave first (`| head`). What runs goes on; what is said then is said to nobody.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
const { main } = await import('./main.ts')
process.exitCode = await main(process.argv.slice(2), {
  environment: process.env,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
})

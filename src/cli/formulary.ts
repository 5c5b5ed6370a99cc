#!/usr/bin/env node
import { requireNode } from './require-node.ts'

requireNode(process.versions.node)
const { main } = await import('./main.ts')
process.exitCode = await main(process.argv.slice(2), {
  environment: process.env,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
})

#!/usr/bin/env node
'use strict'
// The engine's program, for who has no other: npx @sessioncast/express-session status

const { spawn } = require('node:child_process')
const { findBinary } = require('../lib/binary.js')
const { ownDir } = require('../lib/paths.js')

async function main () {
  const child = spawn(await findBinary(ownDir()), process.argv.slice(2), { stdio: 'inherit' })
  process.on('SIGINT', () => {}) // a terminal sends it to both, and the program says goodbye
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('error', failed)
  child.on('exit', (code, signal) => {
    process.removeAllListeners(signal)
    if (signal) process.kill(process.pid, signal)
    else process.exitCode = code
  })
}

function failed (error) {
  console.error(error.message)
  process.exitCode = 1
}

main().catch(failed)

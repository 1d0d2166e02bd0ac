'use strict'
// How the engine's program is started, as a process that outlives the app, and when it is there.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const { override } = require('./binary.js')
const { connect } = require('./connect.js')
const { fail, final } = require('./errors.js')
const { targetText, windows } = require('./paths.js')
const { alive } = require('./processes.js')

const times = {
  listens: 10_000, // ms for a started engine to listen
  look: 30 // between two looks at whether it does
}

/** engineArgs are the flags of "sessioncast serve". What is not given here may still stand in SESSIONCAST_ variables. */
function engineArgs (o, name, target, env = {}) {
  const flags = {
    name,
    resp: targetText(target),
    linger: o.linger + 's',
    use: o.use,
    group: o.group,
    port: o.port,
    'multicast-ttl': o.ttl,
    address: o.address,
    interface: o.interface,
    cluster: o.cluster,
    mode: o.mode,
    peers: o.peers && o.peers.join(','),
    'key-file': o.keyFile,
    admin: env.SESSIONCAST_ADMIN ? undefined : 'off'
  }
  const given = Object.entries(flags).filter(([, value]) => value !== undefined)
  return ['serve', ...given.map(([flag, value]) => '--' + flag + '=' + value)]
}

/** The shell starts the engine and ends, so that the engine is nobody's child: who kills an app with all its children leaves it. */
const script = '"$0" "$@" >&3 2>&3 3>&- & echo $!'

/**
 * launch starts the program in a process session of its own: what a terminal sends to the app does not reach it. The result tells
 * whether it has ended.
 */
function launch (binary, args, { cwd, fd, env }) {
  const { [override]: _, ...rest } = env
  const options = { cwd, env: rest, detached: true, windowsHide: true }
  if (windows || !fs.existsSync('/bin/sh')) return direct(binary, args, { ...options, stdio: ['ignore', fd, fd] })
  const state = { error: null, ended: false, pid: 0 }
  const shell = spawn('/bin/sh', ['-c', script, binary, ...args], { ...options, stdio: ['ignore', 'pipe', fd, fd] })
  shell.unref()
  shell.stdout.unref()
  shell.stdout.once('data', (data) => { state.pid = Number(data) })
  shell.once('error', (error) => Object.assign(state, { error, ended: true }))
  return { hasEnded: () => state.ended || (state.pid > 0 && !alive(state.pid)), why: () => why(state) }
}

function direct (binary, args, options) {
  const state = { error: null, ended: false }
  const child = spawn(binary, args, options)
  child.unref()
  child.once('error', (error) => Object.assign(state, { error, ended: true }))
  child.once('exit', () => { state.ended = true })
  return { hasEnded: () => state.ended, why: () => why(state) }
}

const why = ({ error }) => error ? error.message : 'it said nothing'

/** listens resolves when the engine takes connections, and rejects when it ended, with what it said. */
async function listens (target, engine, complaint) {
  const end = Date.now() + times.listens
  for (;;) {
    const ended = engine.hasEnded()
    try {
      return await connect(target)
    } catch {}
    if (ended) throw final(fail('UNAVAILABLE', 'the engine ended at once: ' + (complaint() || engine.why())))
    if (Date.now() > end) throw fail('UNAVAILABLE', 'the engine was started and does not listen: ' + complaint())
    await pause(times.look)
  }
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms).unref() })

module.exports = { engineArgs, launch, listens, pause, times }

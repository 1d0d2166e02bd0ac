'use strict'
// Stores beside a fake, and stores that start engines on loopback, in folders of the test's own.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: pause } = require('node:timers/promises')
const { session, sessioncast, app, lib } = require('./package.js')
const { Fake } = require('./fake.js')
const { lock, unlock } = lib('lock.js')

const Store = sessioncast(session)
const patience = 60_000
let scripts = 0
const quiet = { info () {}, debug () {}, warn () {}, error () {} }

/** eventually looks until something holds, and returns it. */
async function eventually (what, look) {
  const end = Date.now() + patience
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > end) throw new Error('never came true: ' + what)
    await pause(20)
  }
}

/** once resolves with what an event brings. */
function once (emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no ' + event)), patience)
    emitter.once(event, (value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}

const makeDir = () => fs.mkdtempSync(path.join(os.tmpdir(), 'scn')) // short: names of sockets are limited
const removeDir = (dir) => fs.rmSync(dir, { recursive: true, force: true })

function tempDir (t) {
  const dir = makeDir()
  t.after(() => removeDir(dir))
  return dir
}

/** withFake gives a fake and a store that uses it. */
async function withFake (t, options) {
  const fake = new Fake()
  const file = path.join(tempDir(t), 's')
  await fake.listen(file)
  const store = new Store({ socket: file, logger: false, gracefulShutdown: false, ...options })
  t.after(async () => {
    store.close()
    await fake.close()
  })
  return { fake, store, file }
}

/** Host is a server of a cluster on loopback: folders of its own, in which engines are found and started. */
class Host {
  constructor (cluster) {
    this.cluster = cluster
    this.dir = makeDir()
    this.runtime = path.join(this.dir, 'r')
    fs.mkdirSync(this.runtime, { mode: 0o700 })
    this.stores = []
    this.children = []
    this.env = { ...cleanEnv(), SESSIONCAST_RUNTIME_DIR: this.runtime, XDG_CONFIG_HOME: path.join(cluster.dir, 'c'), SESSIONCAST_ACK_TIMEOUT: '5s' }
  }

  /** options are those with which a store of this host uses its engine. */
  options (more) {
    return { interface: 'lo', multicast: this.cluster.group, multicastPort: this.cluster.port, logger: false, linger: 5, ...more }
  }

  /** store makes a store in this process. What it reads of the environment is as on that host. */
  store (options) {
    const before = { ...process.env }
    Object.assign(process.env, this.env)
    try {
      const store = new Store(this.options({ gracefulShutdown: false, ...options }))
      this.stores.push(store)
      return store
    } finally {
      for (const name of Object.keys(this.env)) if (!(name in before)) delete process.env[name]
      Object.assign(process.env, before)
    }
  }

  /** pids are the engines that run for this host. */
  pids () {
    return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return command.includes('\0serve\0') && command.includes(this.runtime) && !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))
      } catch {
        return false
      }
    })
  }

  /** log is what engines of this host printed. */
  log () {
    const dir = path.join(this.runtime, 'sessioncast')
    const files = fs.existsSync(dir) ? fs.readdirSync(dir).filter((name) => name.endsWith('.log')) : []
    return files.map((name) => fs.readFileSync(path.join(dir, name), 'utf8')).join('')
  }

  /** run starts a Node process of this host with a script of the tests, by another program or in a folder with other packages where one is given. */
  run (script, { options, folder = app, by = [], args = [] } = {}) {
    const file = path.join(folder, `script-${process.pid}-${++scripts}.js`) // a file, since cluster.fork wants one
    fs.writeFileSync(file, script)
    this.cluster.t.after(() => fs.rmSync(file, { force: true }))
    const [program, ...rest] = [...by, process.execPath, file, ...args]
    const child = spawn(program, rest, {
      cwd: folder, env: { ...this.env, SCTEST_OPTIONS: JSON.stringify(this.options(options)) }, stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    const result = { child, out: '', errors: '' }
    child.stdout.on('data', (data) => { result.out += data })
    child.stderr.on('data', (data) => { result.errors += data })
    result.ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, out: result.out, errors: result.errors })))
    this.children.push(child)
    return result
  }

  /** end leaves nothing of the host: who starts engines goes before these, and they before their folder. */
  async end () {
    for (const store of this.stores) store.close()
    for (const child of this.children) child.kill('SIGKILL')
    for (const pid of this.pids()) process.kill(pid, 'SIGKILL')
    await eventually('engines of the test are gone', () => this.pids().length === 0)
    removeDir(this.dir)
  }
}

function cleanEnv () {
  const env = {}
  for (const [name, value] of Object.entries(process.env)) if (!/^SESSIONCAST_|^XDG_|^npm_|^NODE_/.test(name)) env[name] = value
  return env
}

/** cluster makes hosts that share a key and a group, apart from those of other tests. */
function cluster (t, n) {
  const byte = () => 1 + Math.floor(Math.random() * 200)
  const [port, release] = reservePorts()
  const c = { t, dir: makeDir(), group: `239.255.${byte()}.${byte()}`, port }
  const hosts = Array.from({ length: n }, () => new Host(c))
  t.after(async () => { // one, since hooks run in the order in which they were made
    await Promise.all(hosts.map((host) => host.end()))
    removeDir(c.dir)
    release()
  })
  return hosts
}

/** reservePorts gives the first of 40 ports that no other test has, in whatever process of this user it runs, and what gives them back. */
function reservePorts () {
  const dir = path.join(os.tmpdir(), 'sctest-ports-' + os.userInfo().uid)
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  for (let n = Math.floor(Math.random() * 100), tries = 0; tries < 100; n = (n + 1) % 100, tries++) {
    const file = path.join(dir, String(n))
    if (lock(file, 3_600_000)) return [20_000 + 40 * n, () => unlock(file)]
  }
  throw new Error('all ports for tests are taken: see ' + dir)
}

/** insides are the parts of a store. */
function insides (store) {
  const symbol = Object.getOwnPropertySymbols(store).find((s) => String(s) === 'Symbol(sessioncast.core)')
  return store[symbol].inside
}

/** a session as express-session makes them. */
const made = (data, maxAge = 60_000) => ({ cookie: { originalMaxAge: maxAge, expires: new Date(Date.now() + maxAge).toISOString(), httpOnly: true, path: '/' }, ...data })

module.exports = { Store, Host, cluster, withFake, eventually, once, tempDir, insides, made, quiet, pause, patience, cleanEnv }

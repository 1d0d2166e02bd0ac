'use strict'
// Apps that PM2 keeps running: several processes, exchanged one after another while people use them.
const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { test } = require('node:test')
const { app } = require('./package.js')
const { installTool } = require('./tools.js')
const { cluster, eventually, patience } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'uses loopback as Linux has it' }

// As PM2's documentation has it: ready when it listens, and on SIGINT it finishes the requests that it has. It stays a moment longer, since Node's cluster module
// may be handing it a connection: one that a process which ended was to get stays with the parent for ever, whatever the app does.
const script = `
  const express = require('express')
  const session = require('express-session')
  const Store = require('@sessioncast/express-session')(session)
  const app = express()
  app.use(session({ secret: 'of the test', resave: false, saveUninitialized: false, store: new Store(JSON.parse(process.env.SCTEST_OPTIONS)) }))
  app.post('/count', (req, res) => {
    req.session.n = (req.session.n || 0) + 1
    res.json({ n: req.session.n, pid: process.pid })
  })
  const server = app.listen(+process.env.PORT, '127.0.0.1', () => process.send('ready'))
  process.on('SIGINT', () => server.close(() => setTimeout(() => process.exit(0), 1000)))`

/** Browser counts in its session, over a connection for each request, since those that wait would end with their process. */
class Browser {
  constructor (port) { Object.assign(this, { port, cookie: '', n: 0, pids: new Set() }) }

  /** count resolves when its session has counted one more, and rejects where it has not. */
  async count () {
    const { status, headers, text } = await post(this.port, this.cookie)
    assert.equal(status, 200, text)
    if (headers['set-cookie']) this.cookie = headers['set-cookie'][0].split(';')[0]
    const { n, pid } = JSON.parse(text)
    assert.equal(n, ++this.n, 'what was counted before is lost')
    this.pids.add(pid)
  }
}

function post (port, cookie) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent: false, method: 'POST', path: '/count', port, host: '127.0.0.1', headers: { cookie } }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => { text += chunk }).on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }))
    })
    request.setTimeout(patience, () => request.destroy(new Error('no response')))
    request.once('error', reject).end()
  })
}

/** withPM2 runs apps under a PM2 of its own, which is ended, and has ended, before its folder goes. */
async function withPM2 (t, apps, use) {
  const tool = await installTool(t, 'pm2')
  if (!tool) return
  const [host] = cluster(t, 1)
  const file = path.join(app, `pm2-${process.pid}-${apps.exec_mode}.js`)
  fs.writeFileSync(file, script)
  t.after(() => fs.rmSync(file, { force: true }))
  const port = host.cluster.port + 30
  const home = path.join(host.dir, 'p')
  const env = { ...host.env, PM2_HOME: home, PM2_DISABLE_VERSION_CHECK: 'true', PORT: port, SCTEST_OPTIONS: JSON.stringify(host.options()) }
  const pm2 = (...args) => run(process.execPath, [path.join(tool, 'node_modules/pm2/bin/pm2'), ...args], { cwd: host.dir, env })
  const config = path.join(host.dir, 'apps.json')
  fs.writeFileSync(config, JSON.stringify({ apps: [{ name: 'shop', script: file, cwd: app, wait_ready: true, listen_timeout: 15_000, kill_timeout: 10_000, ...apps }] }))
  try {
    await pm2('start', config)
    await use({ host, pm2, port })
  } finally {
    const pidFile = path.join(home, 'pm2.pid')
    const daemon = fs.existsSync(pidFile) && fs.readFileSync(pidFile, 'utf8').trim()
    await pm2('kill')
    if (daemon) await eventually('PM2 has ended', () => !fs.existsSync('/proc/' + daemon))
  }
}

/** run resolves when a command has succeeded. */
function run (program, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { out += data })
    child.once('error', reject).once('close', (code) => code === 0 ? resolve(out) : reject(new Error(`${args.slice(1).join(' ')} ends with ${code}:\n${out}`)))
  })
}

test('PM2 exchanges the processes of an app in use, and no request and no session is lost', linux, (t) => withPM2(t, { exec_mode: 'cluster', instances: 3 }, async ({ host, pm2, port }) => {
  const people = Array.from({ length: 8 }, () => new Browser(port))
  await Promise.all(people.map((person) => person.count()))
  const engines = host.pids()
  assert.equal(engines.length, 1, 'its processes share one engine')
  let over = false
  const using = Promise.all(people.map(async (person) => { while (!over) await person.count() }))
  await Promise.race([pm2('reload', 'shop'), using])
  over = true
  await using
  await Promise.all(people.map((person) => person.count()))
  const pids = new Set(people.flatMap((person) => [...person.pids]))
  assert.ok(pids.size >= 4, `only processes ${[...pids]} answered`)
  assert.deepEqual(host.pids(), engines, 'the engine is the same one still')
  t.diagnostic(`${people.reduce((sum, person) => sum + person.n, 0)} requests by ${pids.size} processes`)
  await pm2('delete', 'shop')
  await eventually('no engine is left', () => host.pids().length === 0)
}))

test('PM2 starts an app of one process again, and its sessions are there', linux, (t) => withPM2(t, { exec_mode: 'fork' }, async ({ host, pm2, port }) => {
  const ann = new Browser(port)
  await ann.count()
  const engines = host.pids()
  assert.equal(engines.length, 1)
  await pm2('reload', 'shop') // which starts it again, since there is nobody to take over
  await ann.count()
  assert.equal(ann.pids.size, 2)
  assert.deepEqual(host.pids(), engines)
  await pm2('delete', 'shop')
  await eventually('no engine is left', () => host.pids().length === 0)
}))

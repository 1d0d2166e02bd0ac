'use strict'
// The packages published to a registry that others wrote, and installed from it under the old name.
const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { dist } = require('./package.js')
const { User } = require('./servers.js')
const { installTool } = require('./tools.js')
const { cluster, cleanEnv, eventually, once, tempDir } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'uses loopback as Linux has it' }

const engine = `@sessioncast/engine-${process.platform}-${process.arch}`

// What an app of express-session-multicast 0.0.2 says, and no word of ours.
const script = `
  const express = require('express')
  const session = require('express-session')
  const SessionMulticast = require('express-session-multicast')(session)
  const { multicast, multicastPort } = JSON.parse(process.env.SCTEST_OPTIONS)
  const store = new SessionMulticast({ multicast, multicastPort, use: 'v4', multicastTTL: 1, logger: { info () {} } })
  const app = express()
  app.use(session({ secret: 'of the test', resave: false, saveUninitialized: false, store }))
  app.post('/login', (req, res) => {
    req.session.user = 'ann'
    res.json({})
  })
  app.post('/logout', (req, res, next) => req.session.destroy((error) => error ? next(error) : res.json({})))
  app.get('/me', (req, res) => res.json({ user: req.session.user }))
  const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port))`

test('what verdaccio has is installed as express-session-multicast, and two servers of an unchanged app share their sessions', linux, async (t) => {
  const tool = await installTool(t, 'verdaccio')
  if (!tool) return
  const { npm, emptyFolder } = await import('./install.mjs')
  const registry = await startVerdaccio(t, tool)
  const folder = emptyFolder()
  t.after(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))
  fs.writeFileSync(path.join(folder, '.npmrc'), `@sessioncast:registry=${registry.url}\n//${new URL(registry.url).host}/:_authToken=${registry.token}\n`)
  for (const name of fs.readdirSync(dist).filter((name) => name.endsWith('.tgz'))) await npm(folder, 'publish', path.join(dist, name))
  await npm(folder, 'install', '--ignore-scripts', '--prefer-offline', 'express@5.1.0', 'express-session@1.19.0', 'express-session-multicast@npm:@sessioncast/express-session')
  const installed = JSON.parse(fs.readFileSync(path.join(folder, 'package-lock.json'), 'utf8')).packages
  for (const [place, name] of [['express-session-multicast', '@sessioncast/express-session'], [engine, engine]]) {
    const { versions } = await fetch(registry.url + name.replace('/', '%2f')).then((r) => r.json())
    const [[version, { dist }]] = Object.entries(versions)
    assert.equal(installed['node_modules/' + place].version, version)
    assert.equal(installed['node_modules/' + place].integrity, dist.integrity, `${name} is the one that verdaccio has`)
  }

  const hosts = cluster(t, 2)
  const servers = await Promise.all(hosts.map(async (host) => {
    Object.assign(host.env, { SESSIONCAST_INTERFACE: 'lo', SESSIONCAST_LINGER: '5s' })
    return { port: await once(host.run(script, { folder }).child, 'message') }
  }))
  const ann = new User()
  await ann.post(servers[0], '/login')
  await eventually('she is logged in on the other server', async () => (await ann.get(servers[1])).user === 'ann')
  await ann.post(servers[1], '/logout')
  await eventually('she is logged out on the first', async () => (await ann.get(servers[0])).user === undefined)
  for (const host of hosts) assert.equal(host.pids().length, 1, 'an engine of its own')
})

/** startVerdaccio runs it on loopback with nothing in it, no other registry behind it, and one user, whose token it resolves to. */
async function startVerdaccio (t, tool) {
  const dir = tempDir(t)
  const url = `http://127.0.0.1:${await freePort()}/`
  const config = path.join(dir, 'config.yaml')
  fs.writeFileSync(config, JSON.stringify({ // which is YAML, too
    storage: path.join(dir, 'storage'),
    auth: { htpasswd: { file: path.join(dir, 'htpasswd') } },
    packages: { '@sessioncast/*': { access: '$all', publish: '$authenticated' } },
    max_body_size: '100mb',
    web: { enable: false },
    log: { type: 'stdout', format: 'json', level: 'warn' }
  }))
  const child = spawn(process.execPath, [path.join(tool, 'node_modules/verdaccio/bin/verdaccio'), '--config', config, '--listen', url], {
    cwd: dir, env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe']
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  t.after(() => {
    child.kill('SIGKILL')
    return ended
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { said += data })
  await eventually('verdaccio answers', () => {
    if (child.exitCode !== null) throw new Error('verdaccio has ended: ' + said)
    return fetch(url + '-/ping').then((r) => r.ok, () => false)
  })
  const user = await fetch(url + '-/user/org.couchdb.user:ann', {
    method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'ann', password: 'of the test' })
  })
  assert.equal(user.status, 201, said)
  return { url, token: (await user.json()).token }
}

/** freePort is a port of loopback that nobody listened on a moment ago. */
async function freePort () {
  const server = net.createServer()
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address()
  await new Promise((resolve) => { server.close(resolve) })
  return port
}

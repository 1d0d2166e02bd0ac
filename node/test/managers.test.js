'use strict'
// The packages as other package managers lay them out, with scripts blocked: an app of two servers under each.
const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { test, before, after } = require('node:test')
const { dist } = require('./package.js')
const { User } = require('./servers.js')
const { installTool } = require('./tools.js')
const { cluster, cleanEnv, eventually, once, tempDir } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'uses loopback as Linux has it' }
const dependencies = { express: '5.1.0', 'express-session': '1.19.0', '@sessioncast/express-session': '*' }
let registry

before(async () => { registry = await (await import('./registry.mjs')).serveRegistry(dist) })
after(() => registry.close())

const script = `
  const express = require('express')
  const session = require('express-session')
  const Store = require('@sessioncast/express-session')(session)
  const store = new Store({ ...JSON.parse(process.env.SCTEST_OPTIONS), ack: 'all' })
  const app = express()
  app.use(session({ secret: 'of the test', resave: false, saveUninitialized: false, store }))
  app.post('/login', (req, res) => {
    req.session.user = 'ann'
    res.json({})
  })
  app.get('/me', (req, res) => res.json({ user: req.session.user }))
  const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port))`

/** folderFor makes the folder of an app, with the files that the manager reads. */
function folderFor (t, files) {
  const folder = tempDir(t)
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'app', private: true, dependencies }))
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), content)
  return folder
}

/** manage runs a package manager, whose caches are the test's own. What the user has set to reach npm's registry holds. */
async function manage (t, folder, program, ...args) {
  const cache = tempDir(t)
  const { NODE_EXTRA_CA_CERTS } = process.env
  const env = { ...cleanEnv(), ...(NODE_EXTRA_CA_CERTS && { NODE_EXTRA_CA_CERTS }), CI: '1' }
  for (const name of ['XDG_CACHE_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'YARN_GLOBAL_FOLDER']) env[name] = cache
  try {
    await promisify(execFile)(process.execPath, [program, ...args], { cwd: folder, env })
  } catch (error) {
    throw new Error(`${path.basename(program)} ${args.join(' ')}: ${error.stdout}${error.stderr}`)
  }
}

/** shares has a user log in on one server and read the session on another, each with an engine of its own. */
async function shares (t, folder, env) {
  const hosts = cluster(t, 2)
  const servers = []
  for (const host of hosts) {
    Object.assign(host.env, env)
    const run = host.run(script, { folder })
    servers.push({ port: await Promise.race([once(run.child, 'message'), run.ended.then((end) => { throw new Error(end.errors) })]) })
  }
  const ann = new User()
  await ann.post(servers[0], '/login')
  await eventually('she is logged in on the other server', async () => (await ann.get(servers[1])).user === 'ann')
  return hosts.map((host) => {
    assert.equal(host.pids().length, 1, 'an engine of its own')
    return fs.readlinkSync(`/proc/${host.pids()[0]}/exe`)
  })
}

test('pnpm, which links packages into a store of its own', linux, async (t) => {
  const tool = await installTool(t, 'pnpm')
  if (!tool) return
  const folder = folderFor(t, { '.npmrc': `@sessioncast:registry=${registry.url}\n` })
  await manage(t, folder, path.join(tool, 'node_modules/pnpm/bin/pnpm.mjs'), 'install', '--ignore-scripts', '--no-lockfile')
  assert.ok(!fs.existsSync(path.join(folder, 'node_modules/@sessioncast', `engine-${process.platform}-${process.arch}`)), 'the app itself sees no engine')
  for (const program of await shares(t, folder)) assert.match(program, /\/node_modules\/\.pnpm\/.*\/bin\/sessioncast$/)
})

test("Yarn's Plug'n'Play, which has no node_modules", linux, async (t) => {
  const tool = await installTool(t, 'yarn')
  if (!tool) return
  const folder = folderFor(t, {
    'yarn.lock': '',
    '.yarnrc.yml': JSON.stringify({ // which is YAML, too
      nodeLinker: 'pnp', enableScripts: false, enableTelemetry: false, enableGlobalCache: false, enableImmutableInstalls: false,
      unsafeHttpWhitelist: ['127.0.0.1'], npmScopes: { sessioncast: { npmRegistryServer: registry.url } },
      npmPreapprovedPackages: ['@sessioncast/*'] // else what is younger than a day, or whose age the registry does not tell, is not installed
    })
  })
  await manage(t, folder, path.join(tool, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js'), 'install')
  assert.ok(!fs.existsSync(path.join(folder, 'node_modules')))
  for (const program of await shares(t, folder, { NODE_OPTIONS: '--require=' + path.join(folder, '.pnp.cjs') })) assert.match(program, /\/\.yarn\/unplugged\/.*\/bin\/sessioncast$/)
})

'use strict'
// The packages as npm installs them.
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { test, before, after } = require('node:test')
const { app, dist, lib } = require('./package.js')
const { cluster, cleanEnv, eventually, tempDir } = require('./world.js')

const platform = `${process.platform}-${process.arch}`
const enginePackage = `node_modules/@sessioncast/engine-${platform}`
const linux = process.platform === 'linux' ? {} : { skip: 'looks at /proc' }
let registry, npm, emptyFolder

before(async () => {
  ({ npm, emptyFolder } = await import('./install.mjs'))
  registry = await (await import('./registry.mjs')).serveRegistry(dist)
})
after(() => registry.close())

/** install runs npm install in an empty folder, which goes with the test. */
async function install (t, ...args) {
  const folder = emptyFolder()
  t.after(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))
  await npm(folder, 'install', '--prefer-offline', `--@sessioncast:registry=${registry.url}`, 'express-session@1.19.0', ...args)
  return folder
}

/** node runs a script in a folder. */
function node (folder, script, ...flags) {
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script], { cwd: folder, env: cleanEnv(), encoding: 'utf8' })
  return stdout + stderr
}

test('nothing runs at installation, and nothing else is needed', () => {
  for (const name of ['@sessioncast/express-session', `@sessioncast/engine-${platform}`]) {
    const manifest = JSON.parse(fs.readFileSync(path.join(app, 'node_modules', name, 'package.json')))
    assert.equal(manifest.scripts, undefined)
    assert.equal(manifest.dependencies, undefined)
    for (const version of Object.values(manifest.optionalDependencies || {})) assert.equal(version, manifest.version, 'exactly the same version')
  }
})

test('the program is static, and the one whose hash the store knows', linux, () => {
  const program = fs.readFileSync(path.join(app, enginePackage, 'bin/sessioncast'))
  assert.equal(program.indexOf('/lib64/ld-linux'), -1)
  const hashes = JSON.parse(fs.readFileSync(path.join(app, 'node_modules/@sessioncast/express-session/lib/engines.json')))
  assert.equal(crypto.createHash('sha256').update(program).digest('hex'), hashes.sha256[platform])
  assert.equal(spawnSync(path.join(app, enginePackage, 'bin/sessioncast'), ['version'], { encoding: 'utf8' }).stdout.split(' ')[1], 'v' + hashes.version)
})

test('it is required and imported', () => {
  const required = "const f = require('@sessioncast/express-session'); console.log(typeof f, typeof f(require('express-session')), f.SessioncastError.name)"
  assert.equal(node(app, required), 'function function SessioncastError\n')
  const imported = "import f, { SessioncastError } from '@sessioncast/express-session'; import session from 'express-session'; console.log(typeof f, typeof f(session), SessioncastError.name)"
  assert.equal(node(app, imported, '--input-type=module'), 'function function SessioncastError\n')
  for (const file of ['index.d.ts', 'index.d.mts']) assert.ok(fs.existsSync(path.join(app, 'node_modules/@sessioncast/express-session', file)))
})

test('an app that requires express-session-multicast works by an npm alias, unchanged', linux, async (t) => {
  const folder = await install(t, 'express-session-multicast@npm:@sessioncast/express-session')
  const [host] = cluster(t, 1)
  const original = fs.readFileSync(path.join(folder, 'node_modules/express-session-multicast/package.json'), 'utf8')
  assert.equal(JSON.parse(original).name, '@sessioncast/express-session')
  const script = `
    const session = require('express-session')
    const SessionMulticast = require('express-session-multicast')(session)
    const store = new SessionMulticast({ multicast: '${host.cluster.group}', multicastPort: ${host.cluster.port}, use: 'v4', useSessionTTL: true, sessionTTL: 1000, multicastTTL: 1, logger: { info () {} } })
    store.set('a', { cookie: {}, user: 'ann' }, () => store.get('a', (error, s) => { console.log(error, s.user) }))`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: folder, env: { ...host.env, SESSIONCAST_INTERFACE: 'lo', SESSIONCAST_LINGER: '5s' }, encoding: 'utf8' })
  assert.equal(stdout, 'null ann\n', stderr)
})

test('the tarballs alone are enough, where no registry has the packages', linux, async (t) => {
  const http = require('node:http')
  const empty = http.createServer((request, response) => {
    response.statusCode = 404
    response.end('{}')
  })
  await new Promise((resolve) => { empty.listen(0, '127.0.0.1', resolve) })
  t.after(() => empty.close())
  const folder = emptyFolder()
  t.after(() => fs.rmSync(path.dirname(folder), { recursive: true, force: true }))
  const tarballs = fs.readdirSync(dist).filter((name) => name.endsWith('.tgz')).map((name) => path.join(dist, name))
  await npm(folder, 'install', '--prefer-offline', `--@sessioncast:registry=http://127.0.0.1:${empty.address().port}/`, 'express-session@1.19.0', ...tarballs)
  assert.ok(fs.existsSync(path.join(folder, enginePackage, 'bin/sessioncast')))
  assert.equal(node(folder, "console.log(typeof require('@sessioncast/express-session')(require('express-session')))"), 'function\n')
})

test('the program of the package is run by npx, with its exit status', linux, async (t) => {
  const folder = await install(t, '@sessioncast/express-session')
  const dir = tempDir(t)
  const npx = (...args) => spawnSync('npx', ['--offline', '@sessioncast/express-session', ...args], {
    cwd: folder, env: { ...cleanEnv(), SESSIONCAST_RUNTIME_DIR: dir }, encoding: 'utf8'
  })
  const made = npx('key', 'new', '--out', path.join(dir, 'key'))
  assert.equal(made.status, 0, made.stderr)
  assert.equal(fs.statSync(path.join(dir, 'key')).mode & 0o777, 0o600)
  assert.match(npx('status').stderr, /no sessioncast daemon answers/)
  assert.equal(npx('nonsense').status, 2)
})

test('without the optional dependency the error says what to install', async (t) => {
  const folder = await install(t, '@sessioncast/express-session', '--omit=optional')
  const [host] = cluster(t, 1)
  const { stdout } = spawnSync(process.execPath, ['-e', `
    const store = new (require('@sessioncast/express-session')(require('express-session')))({ logger: false })
    store.get('a', (error) => console.log(error.code, error.message))`], { cwd: folder, env: host.env, encoding: 'utf8' })
  assert.match(stdout, new RegExp(`^SESSIONCAST_UNAVAILABLE .*engine-${platform} is not installed.*npm install @sessioncast/engine-${platform}@`))
})

test('a program that was changed is told by the first call, at once', linux, async (t) => {
  const folder = tempDir(t)
  fs.cpSync(path.join(app, 'node_modules/@sessioncast'), path.join(folder, 'node_modules/@sessioncast'), { recursive: true })
  fs.symlinkSync(path.join(app, 'node_modules/express-session'), path.join(folder, 'node_modules/express-session'))
  fs.appendFileSync(path.join(folder, enginePackage, 'bin/sessioncast'), 'more')
  const [host] = cluster(t, 1)
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', `
    const store = new (require('@sessioncast/express-session')(require('express-session')))({ logger: false })
    const waits = setTimeout(() => console.log('it waits'), 4000)
    store.get('a', (error) => {
      clearTimeout(waits)
      console.log(error.code, error.message)
    })`], { cwd: folder, env: host.env, encoding: 'utf8' })
  assert.match(stdout, /^SESSIONCAST_UNAVAILABLE .*is not the program that belongs to @sessioncast\/express-session/, stderr)
})

test('node_modules that were copied from another system are told by their package', async (t) => {
  const { findBinary } = lib('binary.js')
  const resolve = (name) => {
    if (name.startsWith('@sessioncast/engine-darwin-arm64/')) return '/somewhere/package.json'
    throw new Error('not found')
  }
  const hashes = { version: '0.1.0', sha256: {} }
  await assert.rejects(findBinary('/none', { env: {}, platform: 'linux-x64', resolve, hashes }), (error) => error.code === 'SESSIONCAST_BINARY' &&
    /engine for darwin-arm64 is installed here, and this is linux-x64.*copied.*npm install --os=linux --cpu=x64/.test(error.message))
  await assert.rejects(findBinary('/none', { env: {}, platform: 'sunos-x64', resolve, hashes }), /no engine for sunos-x64: build one with Go/)
})

test('a program that is not the one that belongs to the package is not run', linux, async (t) => {
  const { findBinary } = lib('binary.js')
  const dir = tempDir(t)
  fs.mkdirSync(path.join(dir, 'bin'))
  fs.writeFileSync(path.join(dir, 'bin/sessioncast'), 'another program', { mode: 0o755 })
  fs.writeFileSync(path.join(dir, 'package.json'), '{"version":"0.1.0"}')
  const resolve = () => path.join(dir, 'package.json')
  const find = (hashes) => findBinary(dir, { env: {}, platform: 'linux-x64', resolve, hashes })
  await assert.rejects(find({ version: '0.1.0', sha256: { 'linux-x64': '00' } }), /is not the program that belongs to/)
  await assert.rejects(find({ version: '0.2.0', sha256: {} }), /is version 0\.1\.0, and 0\.2\.0 is wanted/)
  const sha256 = crypto.createHash('sha256').update('another program').digest('hex')
  const good = { version: '0.1.0', sha256: { 'linux-x64': sha256 } }
  assert.equal(await find(good), path.join(dir, 'bin/sessioncast'))
  fs.chmodSync(path.join(dir, 'bin/sessioncast'), 0o644)
  if (process.getuid() !== 0 || !canExecute(path.join(dir, 'bin/sessioncast'))) {
    const copy = await find(good)
    assert.equal(copy, path.join(dir, 'engine-' + sha256.slice(0, 16)))
    assert.equal(fs.statSync(copy).mode & 0o777, 0o700, 'what may not be executed is copied')
  }
})

function canExecute (file) {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch {
    return false
  }
}

test('SESSIONCAST_BINARY names another program', async () => {
  const { findBinary } = lib('binary.js')
  assert.equal(await findBinary('/none', { env: { SESSIONCAST_BINARY: process.execPath } }), process.execPath)
  await assert.rejects(findBinary('/none', { env: { SESSIONCAST_BINARY: 'sessioncast' } }), /give the whole path/)
  await assert.rejects(findBinary('/none', { env: { SESSIONCAST_BINARY: '/none/such' } }), /cannot be executed/)
})

test('the lines of the README are an app that shares its sessions with a second process', linux, async (t) => {
  const [host] = cluster(t, 1)
  const readme = fs.readFileSync(path.join(app, 'node_modules/@sessioncast/express-session/README.md'), 'utf8')
  const [, code] = /```js\n([^]*?)```/.exec(readme)
  const listens = code.replace(/app\.listen\(.*\)/, "const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port))")
  assert.notEqual(listens, code)
  Object.assign(host.env, {
    SESSIONCAST_INTERFACE: 'lo', SESSIONCAST_GROUP: host.cluster.group, SESSIONCAST_PORT: String(host.cluster.port), SESSIONCAST_LINGER: '5s'
  })
  let cookie = ''
  for (const view of [1, 2, 3]) {
    const run = host.run(listens)
    const port = await Promise.race([new Promise((resolve) => run.child.once('message', resolve)), run.ended])
    const response = await eventually('it answers', () => fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } }).then((r) => r.ok && r))
    assert.equal(await response.text(), `view ${view}\n`)
    const set = response.headers.get('set-cookie')
    if (set) cookie = set.split(';')[0]
    run.child.kill('SIGTERM')
    assert.equal((await run.ended).signal, 'SIGTERM')
  }
})

test('the types of CommonJS are there for ES modules, and once knows the events that on does', () => {
  const [commonjs, esm] = ['index.d.ts', 'index.d.mts'].map((file) => fs.readFileSync(path.join(app, 'node_modules/@sessioncast/express-session', file), 'utf8'))
  const names = [...commonjs.matchAll(/^ {2}(?:interface|class) (\w+)/gm)].map(([, name]) => name)
  assert.ok(names.includes('Options') && names.includes('SessioncastError'), names.join())
  for (const name of names) assert.match(esm, new RegExp(`^export (type|import) ${name} = sessioncast\\.${name}$`, 'm'))
  const [watch] = /interface Watch [^}]*\}/.exec(commonjs)
  const events = (method) => [...watch.matchAll(new RegExp(`^ {4}${method} \\(event: (.*), listener`, 'gm'))].map(([, event]) => event)
  assert.ok(events('on').length > 1)
  assert.deepEqual(events('once'), events('on'))
})

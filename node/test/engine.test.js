'use strict'
// Engines that stores start, on loopback.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const dgram = require('node:dgram')
const { Socket } = require('node:net')
const { execFileSync, spawn, spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { lacks } = require('./need.js')
const { identity } = require('./package.js').lib('paths.js')
const { cluster, eventually, once, made, insides, patience, pause, tempDir } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'looks at /proc' }

/** opens makes a store in a process of its own; the rest of the script follows. */
const opens = `
  const Store = require('@sessioncast/express-session')(require('express-session'))
  const made = (data) => ({ cookie: { originalMaxAge: 60000, expires: new Date(Date.now() + 60000).toISOString() }, ...data })
  const options = JSON.parse(process.env.SCTEST_OPTIONS)
  const store = new Store(options)
  const forever = () => setInterval(() => {}, 1000)
  const say = (word) => process.send ? process.send(word) : console.log(word)
`
const said = (run, word) => new Promise((resolve, reject) => {
  run.child.on('message', (m) => { if (m === word) resolve() })
  run.ended.then((end) => reject(new Error('ended instead: ' + JSON.stringify(end))))
})

test('the first call starts the engine, and the session is in it', linux, async (t) => {
  const [host] = cluster(t, 1)
  const store = host.store()
  const began = Date.now()
  await store.set('a', made({ user: 'ann', at: new Date(0), deep: { list: [1, { ü: '😀' }] } }))
  t.diagnostic('the first set took ' + (Date.now() - began) + ' ms')
  const read = await store.get('a')
  assert.deepEqual({ ...read, cookie: 0 }, { cookie: 0, user: 'ann', at: '1970-01-01T00:00:00.000Z', deep: { list: [1, { ü: '😀' }] } })
  assert.equal(host.pids().length, 1)
})

test('many processes that start at once share one engine', linux, async (t) => {
  const [host] = cluster(t, 1)
  const runs = Array.from({ length: 6 }, (_, i) => host.run(opens + `
    store.set('s' + process.argv[2], made({ n: 1 }), (error) => {
      if (error) throw error
      say('set')
      process.once('message', () => store.length((error, n) => { console.log(error || n); process.disconnect() }))
    })`, { args: [String(i)] }))
  await Promise.all(runs.map((run) => said(run, 'set')))
  assert.equal(host.pids().length, 1)
  for (const run of runs) run.child.send('go')
  for (const run of runs) assert.deepEqual(await run.ended, { code: 0, signal: null, out: '6\n', errors: '' })
})

test('an app that is done ends at once, and the engine some time after the last', linux, async (t) => {
  const [host] = cluster(t, 1)
  const run = host.run(opens + "store.set('a', made(), (error) => { console.log(error); process.disconnect() })")
  const end = await run.ended
  assert.deepEqual([end.code, end.out, end.errors], [0, 'null\n', ''])
  const [pid] = host.pids()
  assert.ok(pid, 'the engine stays for a next start')
  assert.notEqual(Number(stat(pid).session), Number(stat(process.pid).session), 'in a process session of its own')
  assert.notEqual(Number(stat(pid).parent), run.child.pid, 'as nobody\'s child')
  await eventually('the engine has ended', () => host.pids().length === 0)
})

test('an app that never asks anything is not held', linux, async (t) => {
  const [host] = cluster(t, 1)
  assert.equal((await host.run(opens + 'process.disconnect()').ended).code, 0)
})

function stat (pid) {
  const [, parent, , session] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return { parent, session }
}

test('an engine that is killed is started again, and has what other servers have', linux, async (t) => {
  const hosts = cluster(t, 2)
  const [one, two] = hosts.map((host) => host.store({ ack: 1 }))
  await Promise.all([one.get('x'), two.get('x')])
  await eventually('they have found each other', async () => {
    await one.set('meet', made())
    return two.get('meet')
  })
  await one.set('a', made({ n: 1 }))
  let gone = 0
  one.on('disconnect', () => gone++)
  const [pid] = hosts[0].pids()
  process.kill(pid, 'SIGKILL')
  await eventually('the session is there again', () => one.get('a').catch(() => null))
  assert.notEqual(hosts[0].pids()[0], pid)
  assert.equal(gone, 0)
})

test('a user who logs in on another server as he is logged out everywhere is left nowhere', linux, async (t) => {
  const hosts = cluster(t, 2)
  const [one, two] = [hosts[0].store({ user: 'user' }), hosts[1].store({ user: 'user', ack: 0 })]
  await Promise.all([one.get('x'), two.get('x')])
  await eventually('they have found each other', async () => {
    await one.set('meet', made())
    return two.get('meet')
  })
  let unheard = 0
  for (let round = 0; round < 40; round++) {
    const ann = 'ann' + round
    await two.set('s' + round, made({ user: ann })) // told to nobody when that returns
    const known = one.byUser(ann) // asked in the same breath: what is known as the logout begins
    await one.destroyUser(ann)
    if ((await known).length === 0) unheard++
    assert.deepEqual([await one.byUser(ann), await two.byUser(ann)], [[], []])
  }
  t.diagnostic(unheard + ' of 40 logins had not been heard of')
})

test('a logout everywhere tells that a server does not answer', linux, async (t) => {
  const hosts = cluster(t, 2)
  for (const host of hosts) host.env.SESSIONCAST_ACK_TIMEOUT = '2100ms' // longer than a reply may take else
  const [a, b] = hosts.map((host) => host.store({ user: 'user' }))
  await Promise.all([a.set('one', made({ user: 'ann' })), b.set('two', made({ user: 'bob' }))])
  await eventually('they know each other', () => a.get('two'))
  assert.deepEqual(await a.destroyUser('ann', { report: true }), { ended: 1, unanswered: 0 })
  const [pid] = hosts[1].pids()
  process.kill(pid, 'SIGSTOP')
  t.after(() => process.kill(pid, 'SIGCONT'))
  const answered = []
  const logout = a.destroyUser('bob', { report: true }).finally(() => answered.push('the logout'))
  await a.get('one').then(() => answered.push('a request'))
  assert.deepEqual(await logout, { ended: 1, unanswered: 1 })
  assert.deepEqual(answered, ['a request', 'the logout'], 'requests do not wait for it')
})

test('a request that changes thousands of keys keeps those of others, and is read as it was written', linux, async (t) => {
  const [host] = cluster(t, 1)
  const store = host.store()
  await store.set('a', made({ mine: 1 }))
  const [read, other] = [await store.get('a'), await store.get('a')]
  await store.set('a', Object.assign(other, { theirs: 1 }))
  for (let i = 0; i < 5000; i++) read['key' + i] = i
  await store.set('a', read)
  for (let i = 0; i < 5000; i += 2) delete read['key' + i]
  await store.set('a', read)
  const is = await store.get('a')
  assert.equal(Object.keys(is).length, 3 + 2500)
  assert.deepEqual([is.mine, is.theirs, is.key4999, is.key4998], [1, 1, 4999, undefined])
  assert.equal(store.counts.conflicts, 0)
})

test('a daemon that runs already is used, and none is started', linux, async (t) => {
  const [host] = cluster(t, 1)
  const o = host.options()
  const { engine } = insides(host.store({ socket: path.join(host.dir, 'none'), interface: undefined, linger: undefined }))
  engine.close()
  const { findBinary } = require('./package.js').lib('binary.js')
  const key = path.join(host.dir, 'r', 'of.resp')
  const daemon = spawn(await findBinary(host.dir, { env: {} }), ['serve', '--name=site', '--resp=unix://' + key, '--interface=lo', '--group=' + o.multicast, '--port=' + o.multicastPort, '--admin=off'], { env: host.env, stdio: 'ignore' })
  t.after(() => daemon.kill('SIGKILL'))
  await eventually('it runs', () => fs.existsSync(key))
  const store = host.store()
  await store.set('a', made({ n: 1 }))
  assert.deepEqual(host.pids(), [daemon.pid])
  const direct = host.store({ socket: key, interface: undefined, linger: undefined })
  assert.equal((await direct.get('a')).n, 1)
})

test('apps of one user with different options have an engine each, whoever comes first', linux, async (t) => {
  const [host] = cluster(t, 1)
  await host.store().set('a', made())
  assert.equal(await host.store({ cluster: 'other' }).get('a'), undefined)
  host.env.SESSIONCAST_CLUSTER = 'shop'
  assert.equal(await host.store().get('a'), undefined)
  assert.equal(host.pids().length, 3)
})

test('an app that starts after the key was copied uses it, though the engine of before lingers', linux, async (t) => {
  const [host] = cluster(t, 1)
  const keyFile = path.join(host.cluster.dir, 'c/sessioncast/key')
  const before = host.store()
  await before.set('a', made())
  const [pid] = host.pids()
  const { findBinary } = require('./package.js').lib('binary.js')
  fs.rmSync(keyFile)
  execFileSync(await findBinary(host.dir, { env: {} }), ['key', 'new', '--out=' + keyFile], { env: host.env })
  const lines = []
  const stores = Array.from({ length: 3 }, () => host.store({ logger: { info () {}, warn: (line) => lines.push(line) } })) // as the workers of one app
  for (const store of stores) assert.equal(await store.get('a'), undefined)
  await eventually('one engine is left of those that they started', () => host.pids().length === 1)
  assert.notEqual(host.pids()[0], pid)
  assert.equal(lines.filter((line) => line.includes('another key is in ' + keyFile)).length, 1)
  const again = host.store()
  await again.set('b', made())
  assert.ok(await before.get('b'), 'who was there before uses the new one too')
})

/** olderEngine is a link to an engine of before an update, which is the process pid. */
function olderEngine (pid, synced) {
  const info = `# Server\r\nprocess_id:${pid}\r\nsessioncast_version:v0.0.9\r\n# Sessioncast\r\nmembers_synced:${synced}\r\n`
  return { call: (args, done) => done(null, info) }
}

for (const [what, synced, command = 'serve'] of [['is ended where others hold its sessions', 2], ['goes on where nobody does, which is told', 1], ['goes on where its number is another program\'s here', 2, 'other']]) {
  test('an engine of before an update ' + what, linux, async (t) => {
    const [host] = cluster(t, 1)
    const lines = []
    const store = host.store({ logger: { info () {}, warn: (line) => lines.push(line) } })
    store.close() // its engine is looked at alone
    const { engine } = insides(store)
    const started = []
    Object.assign(engine, { started: true, run: async () => { started.push(fs.readdirSync(engine.dir())); return new Socket() } })
    fs.writeFileSync(path.join(host.dir, command), 'setInterval(() => {}, 1000)')
    const child = spawn(process.execPath, [command], { cwd: host.dir, stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    const hold = setInterval(() => {}, 1000) // the store holds no process
    t.after(() => clearInterval(hold))
    const ended = once(child, 'close')
    const kept = engine.keepOrReplace(olderEngine(child.pid, synced))
    if (synced > 1 && command === 'serve') {
      await assert.rejects(kept, { code: 'SESSIONCAST_UNAVAILABLE', retryAfter: 0 })
      await ended
      assert.ok(started[0].includes('express-' + identity(engine.options) + '.starting'), 'the lock is held until ours is there')
    } else {
      await kept
      assert.equal(child.signalCode, null)
      child.kill()
      await ended
      await engine.keepOrReplace(null) // looks once
    }
    assert.equal(lines.filter((line) => line.includes('the engine is of version v0.0.9')).length, 1)
  })
}

test('an engine of before an update that another process of the app has just replaced is no trouble', linux, async (t) => {
  const [host] = cluster(t, 1)
  const lines = []
  const store = host.store({ logger: { info () {}, warn: (line) => lines.push(line) } })
  store.close()
  const { engine } = insides(store)
  engine.started = true
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'close')
  const link = olderEngine(child.pid, 2)
  const { call } = link
  link.call = (args, done) => {
    link.call = (args, done) => done(new Error('the connection ended'))
    call(args, done)
  }
  await assert.rejects(engine.keepOrReplace(link), /the connection ended/)
  assert.deepEqual(lines, [])
})

/** impatient makes a store whose calls would wait until the test is over, if they waited. */
function impatient (host, options) {
  const store = host.store(options)
  insides(store).client.waits.first = 600_000
  return store
}

/** taken binds a port alone, as an original does. */
async function taken (t, port) {
  const socket = dgram.createSocket('udp4')
  await new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, resolve)
  })
  t.after(() => new Promise((resolve) => { socket.close(resolve) }))
}

for (const [what, arrange, message] of [
  ['a key file that holds no key', (t, host) => {
    fs.writeFileSync(path.join(host.dir, 'key'), 'no key', { mode: 0o600 })
    return { keyFile: path.join(host.dir, 'key') }
  }, /ended at once: option keyFile: .*`npx @sessioncast\/express-session key new`|ended at once: option keyFile: .*line 1/],
  ['a key file that is not there', (t, host) => ({ keyFile: path.join(host.dir, 'none') }), /ended at once: option keyFile: there is no key file.*; make one with: npx @sessioncast\/express-session key new --out .*none/],
  ['a key file that others may read', (t, host) => {
    fs.writeFileSync(path.join(host.dir, 'key'), '0'.repeat(64), { mode: 0o644 })
    return { keyFile: path.join(host.dir, 'key') }
  }, /ended at once: option keyFile: .*chmod 600/],
  ['an address that is another host\'s', () => ({ ipv4: '192.0.2.1', interface: undefined }), /ended at once: option ipv4: .*192\.0\.2\.1/],
  ['a port of a peer that there is not', () => ({ peers: ['192.0.2.1:99999'], multicast: undefined }), /ended at once: option peers: .*99999/],
  ['an option of the engine that is wrong', (t, host) => { host.env.SESSIONCAST_MAX_MEMORY = 'plenty' }, /ended at once: .*plenty/],
  ['a port that is taken', (t, host) => taken(t, host.cluster.port), /ended at once: .*\d+/],
  ['an interface that there is not', () => ({ interface: 'none0' }), /ended at once: option interface: .*none0/],
  ['a program that is not there', (t, host) => { host.env.SESSIONCAST_BINARY = '/none/such' }, /names \/none\/such, which cannot be executed/],
  ['a program that is none', (t, host) => {
    const file = path.join(host.dir, 'program')
    fs.writeFileSync(file, '\0', { mode: 0o755 })
    host.env.SESSIONCAST_BINARY = file
  }, /ended at once: ./]
]) {
  test('the first call fails at once for ' + what + ', and so do those after it', linux, async (t) => {
    const [host] = cluster(t, 1)
    const store = impatient(host, await arrange(t, host))
    const wanted = (error) => error.code === 'SESSIONCAST_UNAVAILABLE' && message.test(error.message)
    await assert.rejects(store.get('a'), wanted)
    await assert.rejects(store.set('a', made()), wanted)
    assert.equal(await store.get('a').catch((error) => wanted(error)), true)
  })
}

test('the first process of a container is told at once why the engine does not start, though it leaves its dead lying', linux, async (t) => {
  if (spawnSync('unshare', ['-Urpf', '--mount-proc', 'true']).status !== 0 && lacks(t, 'unshare cannot make a namespace of processes here')) return
  const [host] = cluster(t, 1)
  fs.writeFileSync(path.join(host.dir, 'key'), 'no key', { mode: 0o600 })
  const run = host.run(`${opens}
    store.get('a', (error) => { console.log(process.pid, error.message); process.disconnect() })
  `, { options: { keyFile: path.join(host.dir, 'key') }, by: ['unshare', '-Urpf', '--mount-proc'] })
  assert.match((await run.ended).out, /^1 .*ended at once: .*key/)
})

test('the first process of a container, which no signal ends, keeps its sessions', linux, async (t) => {
  if (spawnSync('unshare', ['-Urpf', '--mount-proc', 'true']).status !== 0 && lacks(t, 'unshare cannot make a namespace of processes here')) return
  const [host] = cluster(t, 1)
  const run = host.run(`${opens}
    const listeners = () => process.listenerCount('SIGTERM') + ' ' + process.listenerCount('beforeExit')
    store.set('a', made({ n: 1 }), () => {
      const before = listeners()
      process.kill(process.pid, 'SIGTERM')
      const look = () => listeners() === before ? setImmediate(look) : store.get('a', (error, a) => {
        console.log(process.pid, error ? error.message : a.n)
        process.exit()
      })
      look()
    })
  `, { by: ['unshare', '-Urpf', '--mount-proc'] })
  assert.equal((await run.ended).out, '1 1\n')
})

test('what keeps the engine from starting may be put right while the app runs', linux, async (t) => {
  const [host] = cluster(t, 1)
  const keyFile = path.join(host.dir, 'key')
  const store = impatient(host, { keyFile })
  await assert.rejects(store.get('a'), /none|key/)
  const { findBinary } = require('./package.js').lib('binary.js')
  execFileSync(await findBinary(host.dir, { env: {} }), ['key', 'new', '--out=' + keyFile], { env: host.env })
  await eventually('it works', () => store.set('a', made({ n: 1 })).then(() => true, () => false))
  assert.equal((await store.get('a')).n, 1)
})

test('an engine that cannot start says why', linux, async (t) => {
  const [host] = cluster(t, 1)
  fs.writeFileSync(path.join(host.dir, 'key'), 'no key', { mode: 0o600 })
  const lines = []
  const store = host.store({ keyFile: path.join(host.dir, 'key'), logger: { info () {}, error: (line) => lines.push(line) } })
  await assert.rejects(store.get('a'), (error) => error.code === 'SESSIONCAST_UNAVAILABLE' && /key/.test(error.message))
  assert.ok(lines.some((line) => /the engine does not start, next try in \d+ ms: .*key/.test(line)), lines.join('\n'))
})

test('a folder that another user could reach into is refused', linux, async (t) => {
  const [host] = cluster(t, 1)
  fs.mkdirSync(path.join(host.runtime, 'sessioncast'), { mode: 0o755 })
  fs.chmodSync(path.join(host.runtime, 'sessioncast'), 0o755)
  await assert.rejects(host.store().get('a'), /is open to others; run: chmod 700/)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(signal + ' ends a process that has no listener of its own, by the signal, after a goodbye of the last', linux, async (t) => {
    const hosts = cluster(t, 2)
    const other = hosts[1].store()
    await other.get('x')
    const run = hosts[0].run(opens + "store.set('a', made({ n: 1 }), () => { forever(); say('set') })")
    await said(run, 'set')
    await eventually('the other server has it', () => other.get('a'))
    await eventually('the engine of the process sees the other', () => /synced/.test(hosts[0].log()))
    run.child.kill(signal)
    const end = await run.ended
    assert.deepEqual([end.code, end.signal], [null, signal])
    await eventually('the engine has left', () => hosts[0].pids().length === 0)
    const log = hosts[0].log()
    assert.match(log, /left the cluster/)
    assert.doesNotMatch(log, /no client is connected any more/, 'it did not wait for that')
    assert.equal((await other.get('a')).n, 1)
  })
}

test('an app that listens for signals itself goes on to use its sessions, and ends as it likes', linux, async (t) => {
  const [host] = cluster(t, 1)
  const run = host.run(opens + `
    const timer = forever()
    process.on('SIGTERM', () => {
      setTimeout(() => store.get('a', (error, session) => {
        console.log(error, session.n)
        clearInterval(timer)
        process.disconnect()
      }), 300)
    })
    store.set('a', made({ n: 1 }), () => say('set'))`)
  await said(run, 'set')
  run.child.kill('SIGTERM')
  const end = await run.ended
  assert.deepEqual([end.code, end.signal, end.out], [0, null, 'null 1\n'])
  assert.equal(host.pids().length, 1, 'nobody else has the sessions, so the engine stays for the next start')
})

test('without gracefulShutdown no signal is listened for', linux, async (t) => {
  const [host] = cluster(t, 1)
  const run = host.run(opens.replace('new Store(options)', 'new Store({ ...options, gracefullShutdown: false })') + `
    console.log(process.listenerCount('SIGINT'), process.listenerCount('SIGTERM'))
    process.disconnect()`)
  assert.equal((await run.ended).out, '0 0\n')
})

test('a cluster of Node workers shares the engine, and a Ctrl-C to all leaves none behind', linux, async (t) => {
  const [host] = cluster(t, 1)
  const run = host.run(`
    const cluster = require('node:cluster')
    if (cluster.isPrimary) {
      let up = 0
      let gone = 0
      cluster.on('exit', () => { if (++gone === 3) process.disconnect() })
      for (let i = 0; i < 3; i++) cluster.fork().on('message', (m) => { if (m === 'set' && ++up === 3) process.send('set') })
      process.on('SIGINT', () => {})
    } else {
      ${opens}
      store.set('w' + cluster.worker.id, made(), (error) => { if (error) throw error; forever(); process.send('set') })
    }`)
  await said(run, 'set')
  assert.equal(host.pids().length, 1)
  const workers = fs.readdirSync('/proc').filter((n) => /^\d+$/.test(n)).map(Number).filter((pid) => {
    try { return Number(stat(pid).parent) === run.child.pid } catch { return false }
  })
  assert.equal(workers.length, 3)
  for (const pid of workers) process.kill(pid, 'SIGINT')
  assert.equal((await run.ended).code, 0)
  await eventually('the engine has ended', () => host.pids().length === 0)
})

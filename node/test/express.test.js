'use strict'
// Express apps on several servers, each with an engine of its own on loopback.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { test } = require('node:test')
const { fromApp } = require('./package.js')
const { serve, three, User } = require('./servers.js')
const { cluster, eventually, insides, once, pause } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'uses loopback as Linux has it' }

test('who logs in on one server is logged in on the others, and logged out on all', linux, async (t) => {
  const [a, b, c] = await three(t)
  const ann = new User()
  await ann.post(a, '/login', { user: 'ann' })
  for (const server of [b, c, a]) assert.deepEqual(await ann.get(server), { passport: { user: 'ann' } })
  await ann.post(b, '/set', { cart: [1] })
  assert.deepEqual(await ann.get(c), { passport: { user: 'ann' }, cart: [1] })
  assert.deepEqual(await ann.post(c, '/reload'), { passport: { user: 'ann' }, cart: [1] })
  const before = ann.cookie
  await ann.post(c, '/login', { user: 'ann' })
  assert.notEqual(ann.cookie, before)
  const old = Object.assign(new User(), { cookie: before })
  for (const server of [a, b, c]) assert.deepEqual(await old.get(server), {}, 'the id of before the login is dead')
  await ann.post(a, '/logout')
  for (const server of [b, c, a]) assert.deepEqual(await ann.get(server), {})
})

test('who watches a session on one server is told when it is logged out on another', linux, async (t) => {
  const [a, b] = await three(t)
  const ann = new User()
  await ann.post(a, '/login', { user: 'ann' })
  const watch = b.store.watch(ann.sid)
  const [changed, destroyed] = [once(watch, 'changed'), once(watch, 'destroyed')]
  await eventually('it watches', async () => {
    await ann.post(a, '/set', { at: Math.random() })
    return Promise.race([changed, pause(100)])
  })
  await ann.post(a, '/logout')
  assert.deepEqual(await destroyed, { type: 'destroyed', sid: ann.sid })
  watch.close()
})

const combinations = [false, true].flatMap((resave) => [false, true].flatMap((rolling) => [false, true].flatMap((saveUninitialized) =>
  [undefined, 60_000].map((maxAge) => ({ resave, rolling, saveUninitialized, maxAge })))))

test('every combination of options gives a session the time that docs/express.md says', linux, async (t) => {
  const [host] = cluster(t, 1)
  for (const [i, c] of combinations.entries()) {
    const name = JSON.stringify(c)
    await t.test(name, () => lives(t, host, c, 'c' + i + ':'))
  }
})

async function lives (t, host, { resave, rolling, saveUninitialized, maxAge }, prefix) {
  const server = await serve(t, host, { resave, rolling, saveUninitialized, cookie: { maxAge }, store: { prefix } })
  const { store } = server
  const empty = new User()
  assert.equal((await empty.get(server)).cookieSet, saveUninitialized, 'a cookie for who has nothing in the session')
  assert.equal(await store.length(), saveUninitialized ? 1 : 0)
  const ann = new User()
  assert.ok((await ann.post(server, '/set', { user: 'ann' })).cookieSet)
  const life = maxAge || 24 * 3600 * 1000
  const { sid } = ann
  const shorten = () => store.touch(sid, { cookie: { expires: new Date(Date.now() + 20_000) } })
  await shorten()
  assert.equal((await ann.get(server)).cookieSet, rolling, 'a cookie for who only looks')
  assert.ok(near(await left(store, prefix + sid), life), 'who only looks is given the whole time again')
  await shorten()
  assert.equal((await ann.post(server, '/set', { n: 1 })).cookieSet, rolling || maxAge !== undefined, 'a cookie for who changes something')
  assert.ok(near(await left(store, prefix + sid), life), 'who changes something too')
  assert.equal((await store.get(sid)).n, 1)
  assert.deepEqual(server.errors, [])
}

const near = (ms, want) => ms > want - 10_000 && ms <= want

/** left is how long the engine will keep a session. */
async function left (store, key) {
  const { client } = insides(store)
  return new Promise((resolve, reject) => client.call(['SESSION', 'GET', key], (error, reply) => error ? reject(error) : resolve(reply[1])))
}

test('sessionTTL rules with useSessionTTL only, in seconds', linux, async (t) => {
  const [host] = cluster(t, 1)
  const { store } = await serve(t, host, { store: { sessionTTL: 77, useSessionTTL: true }, cookie: { maxAge: 5_000 } })
  await store.set('a', { cookie: { expires: new Date(Date.now() + 5_000) } })
  assert.ok(near(await left(store, 'sess:a'), 77_000))
})

test('sessions of nearly 1 MiB are kept, and larger ones are errors that say so', linux, async (t) => {
  const [host] = cluster(t, 1)
  const { store } = await serve(t, host)
  const text = 'ü'.repeat(500_000)
  await store.set('a', { cookie: {}, text })
  const read = store.createSession({ sessionID: 'a', sessionStore: store }, await store.get('a'))
  assert.equal(read.text, text)
  read.more = 'x'.repeat(60_000)
  await assert.rejects(store.set('a', read), { code: 'SESSIONCAST_TOO_LARGE' })
  read.more = 'x'
  await store.set('a', read)
  assert.equal((await store.get('a')).more, 'x')
})

test('a session without an engine is an error that the app sees, and works again when one is there', linux, async (t) => {
  const [host] = cluster(t, 1)
  const server = await serve(t, host)
  const ann = new User()
  await ann.post(server, '/login', { user: 'ann' })
  const [pid] = host.pids()
  process.kill(pid, 'SIGSTOP')
  const states = () => fs.readdirSync(`/proc/${pid}/task`).map((task) => /^State:\s+(\w)/m.exec(fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'))[1])
  await eventually('all its threads stand still', () => states().every((state) => state === 'T'))
  await assert.rejects(ann.get(server), /500 .*(did not answer|no engine)/)
  process.kill(pid, 'SIGCONT')
  await eventually('it works again', () => ann.get(server).then((page) => page.passport).catch(() => null))
})

test('any Redis client sees a session as connect-redis stores it', linux, async (t) => {
  const [host] = cluster(t, 1)
  const { store } = await serve(t, host)
  await store.get('x') // what waits for the engine to start is stored for less
  const made = { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000).toISOString(), httpOnly: true, path: '/' }, user: 'ann', list: [1, { a: null }] }
  await store.set('a', made)
  const ask = (...args) => new Promise((resolve, reject) => insides(store).client.call(args, (error, reply) => error ? reject(error) : resolve(reply)))
  assert.equal(await ask('GET', 'sess:a'), JSON.stringify(made))
  assert.equal(await ask('TTL', 'sess:a'), 60)
  await ask('SET', 'sess:b', JSON.stringify({ ...made, user: 'bob' }), 'EX', '60')
  const bob = store.createSession({ sessionID: 'b', sessionStore: store }, await store.get('b'))
  assert.equal(bob.user, 'bob')
  bob.n = 1
  await store.set('b', bob)
  assert.equal(JSON.parse(await ask('GET', 'sess:b')).n, 1)
  await ask('SET', 'sess:c', 'no session', 'EX', '60')
  assert.equal(await store.get('c'), undefined)
  await ask('SET', 'other', 'x')
  assert.deepEqual((await store.ids()).sort(), ['a', 'b', 'c'])
  await store.clear()
  assert.equal(await store.length(), 0)
  assert.equal(await ask('GET', 'other'), 'x')
})

test('a user is logged out everywhere but here', linux, async (t) => {
  const servers = await three(t, { store: { user: 'passport.user' } })
  const devices = [0, 1, 2].map(() => new User())
  const other = new User()
  await Promise.all([...devices, other].map((device, i) => device.post(servers[i % 3], '/login', { user: device === other ? 'bob' : 'ann' })))
  const { store } = servers[1]
  await eventually('all are known', async () => (await store.byUser('ann')).length === 3)
  assert.deepEqual((await store.byUser('ann')).sort(), devices.map((d) => d.sid).sort())
  assert.equal(await store.destroyUser('ann', { except: devices[0].sid }), 2)
  const pages = await Promise.all([...devices, other].map((device, i) => device.get(servers[(i + 1) % 3])))
  assert.deepEqual(pages.map((page) => page.passport && page.passport.user), ['ann', undefined, undefined, 'bob'])
})

/** hangUp asks for a WebSocket and resets the connection at once. */
function hangUp (port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: connect.sid=s%3Aa.b\r\n\r\n', () => {
        setImmediate(() => socket.resetAndDestroy())
      })
    })
    socket.once('error', reject)
    socket.once('close', resolve)
  })
}

test('the example closes the WebSockets of who logs out on another server', linux, async (t) => {
  const WebSocket = fromApp('ws')
  const hosts = cluster(t, 2)
  const example = fs.readFileSync(path.join(__dirname, '../example/ws.js'), 'utf8')
  const servers = await Promise.all(hosts.map(async (host) => {
    Object.assign(host.env, {
      PORT: '0', HOST: '127.0.0.1', SESSIONCAST_INTERFACE: 'lo', SESSIONCAST_GROUP: host.cluster.group, SESSIONCAST_PORT: String(host.cluster.port), SESSIONCAST_ACK: 'all'
    })
    const run = host.run(example)
    const [, port] = await eventually('it listens', () => /on port (\d+)/.exec(run.out))
    return { port: Number(port) }
  }))
  const ann = new User()
  const open = () => new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://127.0.0.1:${servers[1].port}/`, { headers: { cookie: ann.cookie } })
    ws.once('open', () => resolve(ws))
    ws.once('error', reject)
  })
  await assert.rejects(open(), /401/)
  for (let i = 0; i < 300; i++) await hangUp(servers[1].port)
  await ann.post(servers[0], '/login', { user: 'ann' })
  const ws = await eventually('the other server knows her', () => open().catch(() => null))
  const message = once(ws, 'message')
  ws.send('hello')
  assert.equal(String(await message), 'ann: hello')
  const closed = once(ws, 'close')
  assert.deepEqual(await ann.post(servers[0], '/logout-everywhere'), { ended: 1 })
  assert.equal(await closed, 4001)
})

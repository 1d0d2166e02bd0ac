'use strict'
// The store beside an engine that misbehaves.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { EventEmitter } = require('node:events')
const { test } = require('node:test')
const { Store, withFake, once, insides, made, pause, tempDir, eventually } = require('./world.js')
const { Fake, bulk } = require('./fake.js')

const inflate = (store, sid, plain) => store.createSession({ sessionID: sid, sessionStore: store }, plain)

test('a session that was read is written as the difference, and one that was not as a whole', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', { cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }, user: 'ann', views: 1 })
  const read = inflate(store, 'a', await store.get('a'))
  read.views++
  read.cart = ['x']
  delete read.user
  await store.set('a', read)
  assert.equal(fake.seen('SET').length, 1)
  const patch = fake.seen('PATCH')[0]
  assert.deepEqual(patch.slice(5), ['2', 'views', '2', 'cart', '["x"]', '1', 'user'])
  read.views++
  await store.set('a', read)
  assert.deepEqual(fake.seen('PATCH')[1].slice(5), ['1', 'views', '3', '0'], 'and again only what changed since')
  assert.deepEqual({ ...(await store.get('a')), cookie: 0 }, { cookie: 0, views: 3, cart: ['x'] })
})

test('parallel requests keep each other\'s keys, and a key that both wrote is a conflict', async (t) => {
  const { store } = await withFake(t)
  const conflicts = []
  store.on('conflict', (c) => conflicts.push(c))
  await store.set('a', made({ both: 0 }))
  const [one, two] = [inflate(store, 'a', await store.get('a')), inflate(store, 'a', await store.get('a'))]
  Object.assign(one, { one: 1, both: 1 })
  Object.assign(two, { two: 2, both: 2 })
  await Promise.all([store.set('a', one), store.set('a', two)])
  const { one: first, two: second, both } = await store.get('a')
  assert.deepEqual([first, second, both], [1, 2, 2])
  assert.deepEqual(conflicts, [{ sid: 'a', keys: ['both'] }])
  assert.equal(store.counts.conflicts, 1)
})

test('a session that was destroyed meanwhile is not written and not an error', async (t) => {
  const { fake, store } = await withFake(t)
  const refused = []
  store.on('refused', (r) => refused.push(r))
  await store.set('a', made({ user: 'ann' }))
  const late = inflate(store, 'a', await store.get('a'))
  await store.destroy('a')
  late.more = 1
  await store.set('a', late)
  await store.touch('a', late)
  assert.equal(await store.get('a'), undefined)
  assert.deepEqual(refused, [{ operation: 'set', sid: 'a' }, { operation: 'touch', sid: 'a' }])
  assert.deepEqual([store.counts.refused, store.counts.errors], [2, 0])
  assert.equal(fake.seen('SET').length, 1)
})

test('a session that was made in a request and destroyed by another is not made anew by a second save', async (t) => {
  const { fake, store } = await withFake(t)
  const mine = made({ user: 'ann' })
  await store.set('a', mine)
  await store.destroy('a')
  mine.more = 1
  await store.set('a', mine)
  assert.equal(await store.get('a'), undefined)
  assert.equal(fake.seen('SET').length, 1)
})

test('a save that changes nothing but the end moves the end', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ user: 'ann' }, 30_000))
  const read = inflate(store, 'a', await store.get('a'))
  fake.sessions.get('sess:a').due = Date.now() + 5_000
  read.touch()
  await store.set('a', read)
  assert.equal(fake.seen('PATCH').length, 0)
  assert.equal(fake.seen('TOUCH').length, 1)
  const left = new Date((await store.get('a')).cookie.expires) - Date.now()
  assert.ok(left > 20_000 && left <= 30_000, 'the cookie that is read knows it: ' + left)
})

for (const [set, removed, patches] of [[1024, 0, 1], [1025, 0, 2], [1000, 24, 1], [1000, 25, 2], [0, 3000, 3], [2500, 2500, 5]]) {
  test(`a change of ${set} keys and the removal of ${removed} are ${patches} of the engine's changes`, async (t) => {
    const { fake, store } = await withFake(t, { user: 'user' })
    const names = (prefix, n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [prefix + i, i]))
    await store.set('a', made({ ...names('old', removed), user: 'ann', mine: 1 }))
    const read = inflate(store, 'a', await store.get('a'))
    const other = inflate(store, 'a', await store.get('a'))
    other.theirs = 1
    await store.set('a', other)
    for (let i = 0; i < removed; i++) delete read['old' + i]
    Object.assign(read, names('new', set))
    const first = store.set('a', read)
    read.mine = 2
    await Promise.all([first, store.set('a', read)])
    const seen = fake.seen('PATCH').slice(1)
    assert.equal(seen.length, patches + 1, 'and the change after it')
    for (const args of seen) assert.ok(Number(args[5]) + Number(args[6 + 2 * args[5]]) <= 1024)
    const { cookie, ...is } = await store.get('a')
    assert.deepEqual(is, { user: 'ann', mine: 2, theirs: 1, ...names('new', set) })
    assert.equal(store.counts.conflicts, 0)
  })
}

test('a part of a change that fails is told again with the next', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ n: 0 }))
  const read = inflate(store, 'a', await store.get('a'))
  for (let i = 0; i < 2000; i++) read['key' + i] = i
  let patches = 0
  fake.answers.set('SESSION PATCH', (args) => ++patches === 2 ? '-OOM full\r\n' : fake.onPATCH(args.slice(2)))
  await assert.rejects(store.set('a', read), { code: 'SESSIONCAST_FULL' })
  await store.set('a', read)
  assert.equal(Object.keys(await store.get('a')).length, 2002)
})

test('more keys than can be changed at once are an error that says so', async (t) => {
  const { store } = await withFake(t)
  await store.set('a', made({ n: 0 }))
  const read = inflate(store, 'a', await store.get('a'))
  for (let i = 0; i < 16 * 1024 + 1; i++) read['key' + i] = i
  await assert.rejects(store.set('a', read), (error) => error.code === 'SESSIONCAST_TOO_LARGE' && /more than 16384 top-level keys/.test(error.message))
})

test('a copy is written whole, also where the session was changed or destroyed meanwhile; what was read merges', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ mine: 1 }))
  const [one, two] = [await store.get('a'), await store.get('a')]
  await store.set('a', Object.assign(two, { theirs: 2 }))
  await store.set('a', Object.assign(one, { mine: 2 }))
  assert.deepEqual({ ...(await store.get('a')), cookie: 0 }, { cookie: 0, mine: 2, theirs: 2 }, 'copied into what was read')
  await store.set('a', { ...one, mine: 3 })
  assert.deepEqual({ ...(await store.get('a')), cookie: 0 }, { cookie: 0, mine: 3 })
  await store.destroy('a')
  await store.set('a', { ...one, mine: 4 })
  assert.equal((await store.get('a')).mine, 4)
  assert.equal(fake.seen('SET').length, 3)
})

test('changes that cross are all written, in their order', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ n: 0 }))
  const read = inflate(store, 'a', await store.get('a'))
  const saves = []
  for (const n of [1, 0, 2, 0]) {
    read.n = n
    saves.push(store.set('a', read))
  }
  await Promise.all(saves)
  assert.equal((await store.get('a')).n, 0)
  assert.equal(fake.seen('PATCH').length, 4)
})

test('a write that failed is told again with the next', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ n: 0 }))
  const read = inflate(store, 'a', await store.get('a'))
  fake.answers.set('SESSION PATCH', '-OOM full\r\n')
  read.n = 1
  await assert.rejects(store.set('a', read), { code: 'SESSIONCAST_FULL' })
  fake.answers.clear()
  await store.set('a', read)
  assert.equal((await store.get('a')).n, 1)
})

test('an engine that goes away and comes back is waited for, 250 ms', async (t) => {
  const { fake, store, file } = await withFake(t)
  await store.set('a', made({ n: 1 }))
  const disconnects = []
  store.on('disconnect', () => disconnects.push(1))
  const { waits } = insides(store).client
  waits.later = 30_000
  await fake.close()
  const during = store.get('a')
  const again = new Fake()
  again.sessions = fake.sessions
  await again.listen(file)
  t.after(() => again.close())
  assert.equal((await during).n, 1)
  waits.later = 250
  await again.close()
  const before = Date.now()
  await assert.rejects(store.get('a'), (error) => error.code === 'SESSIONCAST_UNAVAILABLE')
  const took = Date.now() - before
  assert.ok(took >= 200 && took < 5000, 'it took ' + took)
  assert.equal(disconnects.length, 0, 'that is not told before 5 s')
})

test('before the first engine answers calls wait longer; then it is told, and told again when one comes', async (t) => {
  const file = path.join(tempDir(t), 's')
  const store = new Store({ socket: file, logger: false, gracefulShutdown: false })
  t.after(() => store.close())
  const events = []
  for (const event of ['connect', 'disconnect']) store.on(event, () => events.push(event))
  const began = Date.now()
  await assert.rejects(store.get('a'), { code: 'SESSIONCAST_UNAVAILABLE' })
  assert.ok(Date.now() - began > 4500)
  await eventually('it is told', () => events.length === 1)
  const fake = new Fake()
  await fake.listen(file)
  t.after(() => fake.close())
  await eventually('it is told again', () => events.length === 2)
  assert.deepEqual(events, ['disconnect', 'connect'])
})

test('no error is ENOENT, which express-session takes for a missing session', async (t) => {
  const { fake, store } = await withFake(t)
  await store.get('a')
  await fake.close()
  await assert.rejects(store.get('a'), (error) => error.code !== 'ENOENT')
})

test('what was sent and not answered is sent again, but for a creation', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ n: 1 }))
  let first = true
  const once = (args, socket) => {
    if (!first) {
      fake.answers.clear()
      return fake.answer(args, socket)
    }
    first = false
    socket.destroy()
    return null
  }
  fake.answers.set('SESSION GET', once)
  assert.equal((await store.get('a')).n, 1)
  first = true
  fake.answers.set('SESSION SET', once)
  await assert.rejects(store.set('b', made({ n: 1 })), { code: 'SESSIONCAST_UNAVAILABLE' })
  assert.equal(await store.get('b'), undefined)
})

test('a session that waited for the engine ends when its cookie does', async (t) => {
  const { fake, store } = await withFake(t)
  const until = Date.now() + 300
  fake.answers.set('INFO', () => {
    if (Date.now() < until) return '$11\r\nloading:1\r\n\r\n'
    fake.answers.clear()
    return fake.onINFO()
  })
  const session = made({ n: 1 }, 60_000)
  const end = Date.parse(session.cookie.expires)
  await store.set('a', session)
  const ms = Number(fake.seen('SET')[0][3])
  assert.ok(ms > 0 && ms <= end - until + 50, 'told ' + ms)
})

test('an engine that does not answer is left, and the calls behind it do not wait for ever', async (t) => {
  const { fake, store } = await withFake(t)
  await store.get('a')
  insides(store).client.link.timeout = 100
  fake.answers.set('SESSION GET', null)
  await assert.rejects(store.get('a'), { code: 'SESSIONCAST_TIMEOUT' })
  fake.answers.clear()
  assert.equal(await store.get('a'), undefined)
})

test('a process that stood still reads what was answered meanwhile, and does not take the engine for dead', async () => {
  const { Link } = require('./package.js').lib('link.js')
  const socket = Object.assign(new EventEmitter(), { write () {}, ref () {}, unref () {}, destroy () {}, writableLength: 0 })
  const link = new Link(socket, 50)
  const answered = new Promise((resolve, reject) => link.call(['PING'], (error, reply) => error ? reject(error) : resolve(reply)))
  const hold = setTimeout(() => {}, 60_000) // as other work of the app would
  const until = Date.now() + 200
  while (Date.now() < until);
  setTimeout(() => setImmediate(() => socket.emit('data', Buffer.from('+PONG\r\n'))), 0) // read after the timers that are due
  assert.equal(await answered, 'PONG')
  clearTimeout(hold)
})

test('what is no engine is left, and said to be none', async (t) => {
  const { fake, store } = await withFake(t)
  await store.get('a')
  fake.answers.set('SESSION GET', 'HTTP/1.1 400 Bad Request\r\n')
  await assert.rejects(store.get('a'), { code: 'SESSIONCAST_REPLY' })
  fake.answers.set('COMMAND INFO', '*1\r\n_\r\n')
  fake.drop()
  await assert.rejects(store.get('a'), /Redis, or a sessioncast that is too old/)
})

test('an engine that joins its cluster is not used before it has the sessions', async (t) => {
  const { fake, store: before, file } = await withFake(t)
  await before.get('a')
  let looks = 0
  fake.answers.set('INFO persistence sessioncast', () => '$' + 11 + '\r\nloading:' + (looks++ < 5 ? '1' : '0') + '\r\n\r\n')
  const store = new Store({ socket: file, logger: false, gracefulShutdown: false })
  t.after(() => store.close())
  const connected = once(store, 'connect')
  await store.get('a')
  await connected
  assert.equal(looks, 6)
})

const throwing = `
  const { Store, insides } = require(process.argv[1])
  const { Fake } = require(process.argv[2])
  process.on('uncaughtException', (error) => console.log(error.message))
  const fake = new Fake()
  fake.listen(process.argv[3]).then(async () => {
    const store = new Store({ socket: process.argv[3], logger: false, gracefulShutdown: false })
    store.get('a', () => { throw new Error('of the app') })
    store.get('b', (error, session) => {
      console.log(error, session)
      store.close()
      fake.close()
    })
  })`

test('a callback that throws is the app\'s error and keeps no reply from another', (t) => {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', throwing, path.join(__dirname, 'world.js'), path.join(__dirname, 'fake.js'), path.join(tempDir(t), 's')])
  assert.deepEqual([...String(stdout).trim().split('\n')].sort(), ['null undefined', 'of the app'], String(stderr))
})

test('what is stored is a session, nothing or an error as for Go services', async (t) => {
  const { fake, store } = await withFake(t)
  const list = JSON.parse(fs.readFileSync(path.join(__dirname, '../../expresscookie/testdata/stored.json'), 'utf8'))
  for (const { name, text, is, keys } of list) {
    fake.answers.set('SESSION GET', '*4\r\n' + bulk(text) + ':60000\r\n$0\r\n\r\n$1\r\n1\r\n')
    const { undecodable } = store.counts
    const plain = await store.get('a')
    assert.equal(store.counts.undecodable - undecodable, is === 'nothing' ? 1 : 0, name)
    if (is === 'nothing') assert.equal(plain, undefined, name)
    if (is === 'an error') assert.throws(() => inflate(store, 'a', plain), name)
    if (is === 'a session') assert.deepEqual(Object.keys(inflate(store, 'a', plain)).filter((key) => key !== 'cookie').sort(), keys, name)
  }
})

test('what is no session counts as missing, and one without a cookie is an error of express-session, as with any store', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made())
  fake.answers.set('SESSION GET', '*4\r\n$3\r\n[1]\r\n:-1\r\n$0\r\n\r\n$1\r\n1\r\n')
  assert.equal(await store.get('a'), undefined)
  assert.equal(store.counts.undecodable, 1)
  fake.answers.set('SESSION GET', '*4\r\n$7\r\n{"a":1}\r\n:-1\r\n$0\r\n\r\n$1\r\n1\r\n')
  const plain = await store.get('a')
  assert.deepEqual(plain, { a: 1 })
  assert.throws(() => inflate(store, 'a', plain), TypeError)
})

test('sessions that cannot be written are errors that say why, and leave the store as it was', async (t) => {
  const { fake, store } = await withFake(t)
  await assert.rejects(store.set('a', made({ big: 'x'.repeat(1 << 20) })), (error) => error.code === 'SESSIONCAST_TOO_LARGE' && /1048576/.test(error.message))
  await assert.rejects(store.set('a', made({ n: 1n })), { code: 'SESSIONCAST_DATA' })
  assert.equal(fake.seen('SET').length, 0)
})

test('users are known by a path into the session', async (t) => {
  const { fake, store } = await withFake(t, { user: 'passport.user' })
  for (const sid of ['a', 'b', 'c']) await store.set(sid, made({ passport: { user: 7 } }))
  await store.set('d', made({ passport: {} }))
  assert.deepEqual(fake.seen('SET')[0].slice(5), ['OWNER', '7'])
  assert.equal(fake.seen('SET')[3].length, 5)
  const d = inflate(store, 'd', await store.get('d'))
  d.views = 1
  await store.set('d', d)
  assert.ok(!fake.seen('PATCH')[0].includes('OWNER'), 'nothing is said of the user by who does not change it')
  d.passport.user = '7'
  await store.set('d', d)
  assert.deepEqual((await store.byUser(7)).sort(), ['a', 'b', 'c', 'd'])
  assert.equal(await store.destroyUser('7', { except: 'b' }), 3)
  assert.deepEqual(await store.byUser('7'), ['b'])
  const b = inflate(store, 'b', await store.get('b'))
  delete b.passport
  await store.set('b', b)
  assert.deepEqual(await store.byUser('7'), [])
  await assert.rejects(store.set('e', made({ passport: { user: {} } })), { code: 'SESSIONCAST_DATA' })
  await assert.rejects(store.byUser({}), { code: 'SESSIONCAST_DATA' })
})

test('a logout everywhere tells who did not confirm it', async (t) => {
  const lines = []
  const { fake, store } = await withFake(t, { user: 'user', logger: { info () {}, warn: (line) => lines.push(line) } })
  await store.set('a', made({ user: 'ann' }))
  assert.deepEqual(await store.destroyUser('ann', { report: true }), { ended: 1, unanswered: 0 })
  assert.deepEqual(lines, [])
  fake.unanswered = 2
  assert.deepEqual(await store.destroyUser('ann', { report: true, except: 'b' }), { ended: 0, unanswered: 2 })
  assert.equal(await store.destroyUser('ann'), 0)
  assert.equal(lines.filter((line) => /not confirmed by 2 other servers/.test(line)).length, 2)
})

test('without the option that says where the user is there is no looking for one', async (t) => {
  const { store } = await withFake(t)
  await assert.rejects(store.byUser('ann'), /option user:/)
})

test('who watches is told, of an end too that happened while the connection was away', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made({ n: 0 }))
  await store.set('b', made({ n: 0 }))
  const all = []
  store.watch((event) => all.push(event.type + ' ' + event.sid))
  const watch = store.watch('a')
  await eventually('it watches', () => fake.watchers.size === 1)
  const a = inflate(store, 'a', await store.get('a'))
  a.n = 1
  const changed = once(watch, 'changed')
  await store.set('a', a)
  assert.deepEqual(await changed, { type: 'changed', sid: 'a' })
  const destroyed = once(watch, 'destroyed')
  fake.sessions.delete('sess:a')
  fake.drop()
  assert.deepEqual(await destroyed, { type: 'destroyed', sid: 'a' })
  assert.deepEqual(all, ['changed a', 'destroyed a'])
  const gone = once(store.watch('a'), 'destroyed')
  await gone
  watch.close()
})

test('who watches is told of an end that happened meanwhile, whichever connection is back first', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made())
  const watch = store.watch('a')
  await eventually('it watches', () => fake.watchers.size === 1)
  insides(store).client.open = () => new Promise(() => {})
  const destroyed = once(watch, 'destroyed')
  fake.sessions.delete('sess:a')
  fake.drop()
  assert.deepEqual(await destroyed, { type: 'destroyed', sid: 'a' })
})

test('who watches is told when too much happened to be told', async (t) => {
  const { fake, store } = await withFake(t)
  await store.set('a', made())
  const [one, all] = [store.watch('a'), store.watch()]
  await eventually('it watches', () => fake.watchers.size === 1)
  const [destroyed, missed] = [once(one, 'destroyed'), once(all, 'missed')]
  fake.sessions.clear()
  for (const [socket] of fake.watchers) socket.write('>2\r\n+session\r\n+lost\r\n')
  await Promise.all([destroyed, missed])
})

test('all, ids, length and clear see the sessions of this store', async (t) => {
  const { fake, store } = await withFake(t)
  for (let i = 0; i < 600; i++) store.set('s' + i, made({ i }))
  await eventually('all are there', () => fake.sessions.size === 600)
  assert.equal(await store.length(), 600)
  assert.equal((await store.ids()).length, 600)
  const all = await store.all()
  assert.deepEqual(all.map((s) => s.id), all.map((s) => 's' + s.i))
  assert.ok(!JSON.stringify(all[0]).includes('"id"'))
  await store.clear()
  assert.deepEqual(await store.all(), [])
})

test('calls that wait when the store is closed fail, as those after it', async (t) => {
  const { fake, store } = await withFake(t)
  await store.get('a')
  fake.answers.set('SESSION GET', null)
  const waiting = store.get('a')
  await eventually('it was sent', () => fake.seen('GET').length === 2)
  store.close()
  await assert.rejects(waiting, { code: 'SESSIONCAST_CLOSED' })
  await assert.rejects(store.get('a'), { code: 'SESSIONCAST_CLOSED' })
})

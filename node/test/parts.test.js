'use strict'
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { lib, session } = require('./package.js')
const { tempDir } = require('./world.js')
const { Parser, Push, ReplyError, encode, limits } = lib('resp.js')
const { Base, changesOf, fieldsOf, jsonOf } = lib('session-base.js')
const { lifetime, renew, sameButExpiry, day, longest } = lib('lifetime.js')
const { lock, unlock } = lib('lock.js')
const { explain } = lib('explain.js')
const { fits, place } = lib('discover.js')
const engineLog = lib('engine-log.js')

const replies = '+OK\r\n-ERR no\r\n:-7\r\n$5\r\nhello\r\n$0\r\n\r\n$-1\r\n_\r\n*2\r\n$2\r\nü\r\n*1\r\n:1\r\n%1\r\n+a\r\n#t\r\n>2\r\n+x\r\n+y\r\n=7\r\ntxt:abc\r\n,1.5\r\n(12\r\n~1\r\n:3\r\n!5\r\nERR x\r\n'

function parse (pieces) {
  const values = []
  const parser = new Parser()
  for (const piece of pieces) parser.push(piece, (value) => values.push(value))
  return values
}

test('replies are read whatever pieces they arrive in', () => {
  const bytes = Buffer.from(replies)
  const whole = parse([bytes])
  assert.deepEqual(whole.slice(0, 1), ['OK'])
  assert.ok(whole[1] instanceof ReplyError && whole[1].prefix === 'ERR')
  assert.deepEqual(whole.slice(2, 9), [-7, 'hello', '', null, null, ['ü', [1]], ['a', true]])
  assert.deepEqual(whole[9].items, ['x', 'y'])
  assert.ok(whole[9] instanceof Push)
  assert.deepEqual(whole.slice(10, 14), ['abc', 1.5, 12n, [3]])
  for (let size = 1; size < 20; size++) {
    const pieces = []
    for (let i = 0; i < bytes.length; i += size) pieces.push(bytes.subarray(i, i + size))
    assert.deepEqual(parse(pieces), whole, 'pieces of ' + size)
  }
})

test('a string of a mebibyte in pieces is put together once', () => {
  const text = 'x'.repeat(1 << 20)
  const bytes = Buffer.from('*2\r\n$' + text.length + '\r\n' + text + '\r\n:1\r\n')
  const pieces = []
  for (let i = 0; i < bytes.length; i += 65_536) pieces.push(bytes.subarray(i, i + 65_536))
  assert.deepEqual(parse(pieces), [[text, 1]])
})

test('what is no reply, or more than there may be, ends the connection', () => {
  const bad = [
    'HTTP/1.1 400\r\n', '$x\r\n', '$99999999999999999999\r\n', `$${limits.bulk + 1}\r\n`, `*${limits.items + 1}\r\n`, '$-2\r\n', '*-5\r\n',
    '*1\r\n'.repeat(limits.depth + 2), '+' + 'x'.repeat(limits.line + 1), '+a\rb\r\n'
  ]
  for (const text of bad) assert.throws(() => parse([Buffer.from(text)]), undefined, text.slice(0, 20))
})

test('commands count bytes, not letters', () => {
  assert.equal(encode(['SET', 'ü', 7]), '*3\r\n$3\r\nSET\r\n$2\r\nü\r\n$1\r\n7\r\n')
})

test('what is written of a session is what the request changed', () => {
  const base = new Base('a', '1', '{"cookie":{"path":"/"},"user":"ann","cart":[1],"old":true}')
  const now = fieldsOf({ cookie: { path: '/' }, user: 'ann', cart: [1, 2], fresh: new Date(0), nothing: undefined, f () {} })
  const change = base.diff(now)
  assert.deepEqual(change, { set: [['cart', '[1,2]'], ['fresh', '"1970-01-01T00:00:00.000Z"']], removed: ['old'] })
  base.wrote(now)
  assert.deepEqual(base.diff(now), { set: [], removed: [] })
  base.failed(change)
  assert.deepEqual(base.diff(now), change, 'a write that failed is told again')
  base.succeeded(change)
  assert.deepEqual(base.diff(now), { set: [], removed: [] })
})

test('the quick look at what changed finds what the slow one does, or leaves it to that', () => {
  const texts = ['', 'a', '"', '\\', '\\"', 'a,b', '}', ']', '{"x":1}', 'é\u2028', '\\\\', '\n']
  const keys = ['a', 'b', 'c', '"', '\\', 'é', '1', 'x,y']
  let seed = 1
  const draw = (n) => {
    seed = (seed * 1103515245 + 12345) % 2147483648
    return Math.floor(seed / 2147483648 * n)
  }
  const value = (depth) => [
    () => draw(3), () => draw(200), () => texts[draw(texts.length)], () => null, () => draw(2) === 0,
    () => Array.from({ length: draw(3) }, () => value(depth + 1)),
    () => Object.fromEntries(Array.from({ length: draw(3) }, () => [texts[draw(texts.length)], value(depth + 1)]))
  ][draw(depth > 2 ? 5 : 7)]()
  // foreign writes the same as another language might.
  const foreign = (json) => json.replace(/a,b/g, '\\u0061,b').replace(/é/g, '\\u00e9').replace(/:(\d+)([,}])/g, ':$1.0$2').replace(/\[(?=.)/g, () => draw(2) === 0 ? '[ ' : '[')
  let quick = 0
  for (let i = 0; i < 20_000; i++) {
    let json = JSON.stringify(Object.fromEntries(Array.from({ length: draw(6) }, () => [keys[draw(keys.length)], value(0)])))
    if (draw(2) === 0) json = foreign(json)
    const session = JSON.parse(json)
    for (let n = draw(3); n > 0; n--) {
      const key = keys[draw(keys.length)]
      if (draw(4) === 0) delete session[key]
      else session[key] = value(0)
    }
    const before = fieldsOf(JSON.parse(json))
    const now = fieldsOf(session)
    const found = changesOf(json, now)
    if (found === null) continue
    quick++
    assert.deepEqual(found, [...now].filter(([key, text]) => before.get(key) !== text), json)
    assert.ok([...before.keys()].every((key) => now.has(key)), json)
  }
  assert.ok(quick > 10_000, quick + ' were looked at')
  for (const odd of ['{"a":1', '{ "a":1}', '[1]', '{"a":1}x', '{"a":1,"a":2}', '{"a":12}x', '']) assert.equal(changesOf(odd, fieldsOf({ a: 1 })), null, odd)
})

test('a key that the app could not see is not taken for removed', () => {
  const base = new Base('a', '1', '{"cookie":{},"id":"of a Go service","save":1,"user":"ann"}')
  const plain = JSON.parse('{"cookie":{},"id":"of a Go service","save":1,"user":"ann"}')
  const made = new session.Session({ sessionID: 'a' }, plain)
  base.hides(plain, made)
  assert.deepEqual(base.diff(fieldsOf(made)), { set: [], removed: [] })
  delete made.user
  const fields = fieldsOf(made)
  assert.deepEqual(base.diff(fields), { set: [], removed: ['user'] })
  base.wrote(fields)
  assert.deepEqual(base.diff(fieldsOf(made)), { set: [], removed: [] })
})

test('a session is one JSON text, as JSON.stringify makes it', () => {
  const data = { a: [1, { b: null }], 'k"ey': 'ü😀', d: new Date(5), n: NaN, u: undefined }
  assert.equal(jsonOf(fieldsOf(data)), JSON.stringify(data))
  assert.equal(jsonOf(fieldsOf({})), '{}')
  const circular = {}
  circular.self = circular
  for (const bad of [circular, { n: 1n }]) assert.throws(() => fieldsOf(bad), { code: 'SESSIONCAST_DATA' })
})

test('how long a session lives is said by its cookie, by sessionTTL only with useSessionTTL, else it is a day', () => {
  const now = 1_700_000_000_000
  const none = { useSessionTTL: false, sessionTTL: 5000 }
  const of = (cookie, options = none) => lifetime({ cookie }, options, now)
  assert.equal(of({ expires: new Date(now + 90_000) }), 90_000)
  assert.equal(of({ expires: new Date(now + 90_000).toISOString() }), 90_000)
  assert.equal(of(new session.Cookie({ maxAge: 60_000 }), none) > 0, true)
  for (const cookie of [undefined, {}, { expires: null }, { expires: false }, { expires: 'never' }]) assert.equal(of(cookie), day)
  assert.ok(of({ expires: new Date(now - 1) }) <= 0)
  assert.equal(of({ expires: new Date(now + 90_000) }, { useSessionTTL: true, sessionTTL: 5000 }), 5_000_000)
  assert.equal(of({ expires: new Date(8.64e15) }), longest)
})

test('a cookie that is read ends when the session does, which a touch may have moved', () => {
  const now = 1_700_000_000_000
  const at = (ms) => new Date(now + ms).toISOString()
  const read = (cookie, pttl, options = { useSessionTTL: false }) => {
    renew(cookie, pttl, options, now)
    return cookie.expires
  }
  assert.equal(read({ expires: at(1_000) }, 60_000), at(60_000))
  assert.equal(read({ expires: at(60_100) }, 60_000), at(60_000))
  assert.equal(read({ expires: at(60_020) }, 60_000), at(60_020), 'but not for the time that a call takes')
  assert.equal(read({ expires: null }, 60_000), null)
  assert.equal(read({ expires: at(1_000) }, 60_000, { useSessionTTL: true }), at(1_000))
  assert.ok(sameButExpiry('{"path":"/","expires":"2020-01-01T00:00:00.000Z"}', '{"path":"/","expires":"2021-01-01T00:00:00.000Z"}'))
  assert.ok(!sameButExpiry('{"path":"/","expires":null}', '{"path":"/","expires":"2021-01-01T00:00:00.000Z"}'))
  assert.ok(!sameButExpiry('{"path":"/"}', '{"path":"/a"}'))
  assert.ok(sameButExpiry('{"originalMaxAge":60000}', '{"originalMaxAge":59999}'))
  assert.ok(!sameButExpiry('{"originalMaxAge":60000}', '{"originalMaxAge":60500}'))
  assert.ok(!sameButExpiry(undefined, '{}'))
  assert.ok(!sameButExpiry('1', '{}'))
})

test('a lock is one process\'s, and of one that is gone nobody\'s', (t) => {
  const file = path.join(tempDir(t), 'lock')
  assert.ok(lock(file, 60_000))
  assert.ok(!lock(file, 60_000))
  unlock(file)
  assert.ok(!fs.existsSync(file))
  const gone = spawnSync(process.execPath, ['-e', '0']).pid
  fs.writeFileSync(file, String(gone))
  unlock(file)
  assert.ok(fs.existsSync(file), 'another\'s lock is not given free')
  assert.ok(lock(file, 60_000), 'its owner is gone')
  fs.utimesSync(file, 0, 0)
  assert.ok(lock(file, 60_000), 'held for too long')
  const before = Date.now() / 1000 - process.uptime() - 5
  fs.utimesSync(file, before, before)
  assert.ok(lock(file, 3_600_000), 'of a process before this one that had its number')
})

test('where no lock can be written an engine is started without one, and none is left', (t) => {
  const file = path.join(tempDir(t), 'lock')
  const { writeFileSync } = fs
  t.after(() => { fs.writeFileSync = writeFileSync })
  fs.writeFileSync = (file) => { // as on a full disk
    fs.closeSync(fs.openSync(file, 'wx'))
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }
  assert.ok(lock(file, 60_000))
  assert.ok(!fs.existsSync(file))
})

test('a running daemon is used where it is of the cluster that is meant', () => {
  const status = { cluster: '', group: '228.0.0.5:4000', mode: 'auto', address: '10.0.0.1:4000', clients: [] }
  const o = { use: 'v4' }
  assert.ok(fits(status, o))
  assert.ok(fits({ ...status, clients: ['127.0.0.1:6379', 'unix:///run/sessioncast/site.resp'] }, o))
  for (const client of ['unix:///run/sessioncast/express.resp', 'unix:///run/user/1000/sessioncast/express-0123abcd.resp']) assert.ok(!fits({ ...status, clients: [client] }, o), 'another app\'s')
  assert.ok(fits({ ...status, interface: 'eth1' }, { ...o, interface: 'eth1', address: '10.0.0.1' }))
  assert.ok(!fits({ ...status, interface: 'eth1' }, { ...o, interface: 'eth0' }))
  assert.ok(!fits(status, { ...o, address: '10.0.0.2' }))
  assert.ok(fits(status, { ...o, group: '228.0.0.5', port: 4000, mode: 'auto' }))
  for (const other of [{ cluster: 'shop' }, { port: 4001 }, { group: '228.0.0.6' }, { mode: 'unicast' }, { use: 'v6' }]) assert.ok(!fits(status, { ...o, ...other }), JSON.stringify(other))
  assert.ok(fits({ ...status, group: '[ffbe::43]:4000', address: '[fd00::1]:4000' }, { use: 'v6', group: 'ffbe::043' }))
  assert.deepEqual(place('unix:///run/a.sock'), { path: '/run/a.sock' })
  assert.deepEqual(place('[::1]:6379'), { host: '::1', port: 6379 })
  assert.equal(place(undefined), null)
})

test('what an engine prints is told by its levels, and what it says as it ends becomes the error', (t) => {
  const file = path.join(tempDir(t), 'log')
  fs.writeFileSync(file, 'of before\n')
  const { fd, at } = engineLog.open(file)
  fs.writeSync(fd, 'sessioncast devel\n2026-11-23T17:47:28.910Z INFO  joining\n2026-11-23T17:47:28.911Z WARN  something\nsessioncast: --key-file: is missing\n2026-11-23T17:47:28.912Z ERROR half')
  fs.closeSync(fd)
  const told = []
  const follower = new engineLog.Follower(file, at, { debug: (x) => told.push('debug ' + x), warn: (x) => told.push('warn ' + x), error: (x) => told.push('error ' + x) })
  t.after(() => follower.stop())
  follower.look()
  assert.deepEqual(told, ['debug engine: joining', 'warn engine: something'])
  fs.appendFileSync(file, ' a line\n')
  follower.look()
  assert.deepEqual(told[2], 'error engine: half a line')
  assert.equal(engineLog.complaints(file, at), '--key-file: is missing')
})

test('what an engine complains of is told in the words of the options', () => {
  const npx = 'npx @sessioncast/express-session'
  const options = { use: 'v4', keyFile: '/etc/k', interface: 'eth1', address: '10.0.0.1' }
  for (const [said, told, o = options] of [
    ['there is no key file: open /etc/k: no such file; make one with: sessioncast key new --out /etc/k', 'option keyFile: there is no key file: open /etc/k: no such file; make one with: ' + npx + ' key new --out /etc/k'],
    ['--peers: "x:0" has no usable port', 'option peers: "x:0" has no usable port'],
    ['no usable network interface: there is no interface "eth1"', 'option interface: no usable network interface: there is no interface "eth1"'],
    ['no interface has the address 10.0.0.1; this', 'option ipv4: no interface has the address 10.0.0.1; this'],
    ['no interface has the address fd00::1; this', 'option ipv6: no interface has the address fd00::1; this', { use: 'v6', address: 'fd00::1' }],
    ['a node at 10.0.0.1 uses it: another port, as --port 4100; run: sessioncast bridge --key-file=/etc/k', 'a node at 10.0.0.1 uses it: another port, as multicastPort: 4100; run: ' + npx + ' bridge --key-file=/etc/k'],
    ['making the folder of the key file: mkdir /x: denied', 'making the folder of the key file: mkdir /x: denied; name another place with option keyFile, and make one there with: ' + npx + ' key new --out FILE', { use: 'v4' }],
    ['no place for a cluster key: $HOME is not defined; name a file with --key-file, or make one with: sessioncast key new --out FILE', 'no place for a cluster key: $HOME is not defined; name a file with option keyFile, or make one with: ' + npx + ' key new --out FILE', { use: 'v4' }],
    ['SESSIONCAST_MAX_MEMORY: "plenty" is no size', 'SESSIONCAST_MAX_MEMORY: "plenty" is no size']
  ]) assert.equal(explain(said, o), told)
})

test('the one folder for sockets is used, and no other is looked into', (t) => {
  const { ownDir, runtimeDirs } = lib('paths.js')
  const dir = tempDir(t)
  const env = { SESSIONCAST_RUNTIME_DIR: dir, XDG_RUNTIME_DIR: '/run' }
  assert.deepEqual(runtimeDirs(env), [path.join(dir, 'sessioncast')])
  assert.equal(ownDir(env), path.join(dir, 'sessioncast'))
  assert.throws(() => ownDir({ SESSIONCAST_RUNTIME_DIR: 'run' }), /SESSIONCAST_RUNTIME_DIR is no whole path/)
})

'use strict'
const assert = require('node:assert/strict')
const path = require('node:path')
const { test } = require('node:test')
const { inspect } = require('node:util')
const { lib, sessioncast } = require('./package.js')
const { Store } = require('./world.js')
const { readOptions } = lib('options.js')
const { engineArgs } = lib('launch.js')
const { engineName, engineTarget, identity } = lib('paths.js')

const none = { debug () {}, info () {}, warn () {}, error () {} }

test('without options everything is as in the original', () => {
  const o = readOptions()
  assert.deepEqual([o.use, o.ttl, o.useSessionTTL, o.sessionTTL, o.gracefulShutdown], ['v4', 2, false, 5000, true])
  assert.deepEqual([o.group, o.port, o.address], [undefined, undefined, undefined]) // the engine's defaults, 228.0.0.5 and 4000
  assert.equal(o.prefix, 'sess:')
})

test('the options of the original\'s README are taken', () => {
  const o = readOptions({
    multicast: '228.0.0.5', multicastPort: 4000, ipv4: '10.1.0.81', use: 'v4', useSessionTTL: true, sessionTTL: 1000, multicastTTL: 1, logger: console
  })
  assert.deepEqual([o.group, o.port, o.address, o.ttl, o.sessionTTL, o.logger], ['228.0.0.5', 4000, '10.1.0.81', 1, 1000, console])
})

test('what is false in a condition means the default, as in the original', () => {
  const o = readOptions({ multicast: '', multicastPort: 0, ipv4: null, multicastTTL: 0, sessionTTL: 0, use: undefined, logger: undefined })
  assert.deepEqual([o.group, o.port, o.address, o.ttl, o.sessionTTL, o.use], [undefined, undefined, undefined, 2, 5000, 'v4'])
  assert.equal(readOptions({ ipv4: '127.0.0.1' }).address, undefined)
})

test('IPv6 has an address and a group of its own', () => {
  const o = readOptions({ use: 'v6', multicast: 'ffbe::043', ipv6: 'fd00::4', ipv4: '10.0.0.1' })
  assert.deepEqual([o.use, o.group, o.address], ['v6', 'ffbe::043', 'fd00::4'])
})

test('gracefulShutdown is known in both spellings', () => {
  assert.equal(readOptions({ gracefulShutdown: false }).gracefulShutdown, false)
  assert.equal(readOptions({ gracefullShutdown: false }).gracefulShutdown, false)
  assert.equal(readOptions({ gracefullShutdown: true, gracefulShutdown: true }).gracefulShutdown, true)
})

test('wrong options are errors that name the option', () => {
  const wrong = [
    ['use', { use: 'ipv4' }], ['multicast', { multicast: '10.0.0.1' }], ['multicast', { use: 'v6', multicast: '228.0.0.5' }],
    ['multicastPort', { multicastPort: 70000 }], ['multicastPort', { multicastPort: 'http' }], ['multicastTTL', { multicastTTL: 256 }],
    ['ipv4', { ipv4: 'localhost' }], ['ipv6', { ipv6: '10.0.0.1' }], ['useSessionTTL', { useSessionTTL: 'yes' }], ['sessionTTL', { sessionTTL: -1 }],
    ['sessionTTL', { sessionTTL: 1e12 }], ['logger', { logger: {} }], ['logger', { logger: 'console' }],
    ['gracefulShutdown', { gracefulShutdown: true, gracefullShutdown: false }], ['gracefullShutdown', { gracefullShutdown: 1 }],
    ['cluster', { cluster: 'a b' }], ['peers', { peers: [] }], ['peers', { peers: ['a b'] }], ['peers', { peers: ['--key-file'] }], ['mode', { mode: 'broadcast' }],
    ['mode', { mode: 'unicast' }], ['peers', { mode: 'multicast', peers: ['a'] }],
    ['multicast', { mode: 'unicast', peers: ['a'], multicast: '228.0.0.5' }], ['multicastTTL', { mode: 'unicast', peers: ['a'], multicastTTL: 1 }], ['ack', { ack: 32 }], ['ack', { ack: 'some' }],
    ['socket', { socket: 'here' }], ['socket', { socket: '/' + 'x'.repeat(200) }], ['keyFile', { socket: '/run/s', keyFile: 'key' }],
    ['keyFile', { keyFile: 7 }], ['user', { user: 'a..b' }], ['linger', { linger: 0 }], ['prefix', { prefix: 7 }], ['(all)', []], ['(all)', 'v4']
  ]
  for (const [name, options] of wrong) {
    assert.throws(() => new Store(options), (error) => error.code === 'SESSIONCAST_OPTION' && error.message.includes('option ' + name + ':'), JSON.stringify(options))
  }
})

test('of an option that is none the right name is told', () => {
  for (const [given, meant] of [['sesssionTTL', 'sessionTTL'], ['gracefulshutdown', 'gracefulShutdown'], ['keyfile', 'keyFile'], ['multicastport', 'multicastPort']]) {
    assert.throws(() => new Store({ [given]: 1 }), new RegExp('option ' + given + ': .*did you mean ' + meant))
  }
  assert.throws(() => new Store({ entirelyElse: 1 }), /option entirelyElse: there is none of this name$/)
})

test('a socket is a path or a host and port', () => {
  assert.deepEqual(readOptions({ socket: 'unix:///run/s.sock' }).socket, { path: '/run/s.sock' })
  assert.deepEqual(readOptions({ socket: '/run/s.sock' }).socket, { path: '/run/s.sock' })
  assert.deepEqual(readOptions({ socket: '127.0.0.1:6379' }).socket, { host: '127.0.0.1', port: 6379 })
  assert.deepEqual(readOptions({ socket: 'redis://[::1]:6380/' }).socket, { host: '::1', port: 6380 })
})

test('options become flags of sessioncast serve', () => {
  const o = readOptions({ multicast: '228.0.0.6', multicastPort: '4100', cluster: 'shop', peers: '10.0.0.1, 10.0.0.2', keyFile: 'k', linger: 30, interface: 'lo', ipv4: '10.0.0.9' })
  assert.deepEqual(engineArgs(o, 'web1-express', { path: '/run/x.resp' }), [
    'serve', '--name=web1-express', '--resp=unix:///run/x.resp', '--linger=30s', '--use=v4', '--group=228.0.0.6', '--port=4100', '--multicast-ttl=2',
    '--address=10.0.0.9', '--interface=lo', '--cluster=shop', '--peers=10.0.0.1,10.0.0.2', '--key-file=' + path.resolve('k'), '--admin=off'
  ])
})

test('one engine is shared where the options mean the same node', () => {
  const same = [{}, { use: 'v4' }, { ack: 'all', prefix: 'x', user: 'u', linger: 5, multicastTTL: 1, useSessionTTL: true }]
  assert.deepEqual(same.map((o) => identity(readOptions(o))), ['', '', ''])
  const others = [{ use: 'v6' }, { multicastPort: 4001 }, { cluster: 'a' }, { keyFile: 'a' }, { peers: ['a'] }, { interface: 'lo' }].map((o) => identity(readOptions(o)))
  assert.equal(new Set(['', ...others]).size, 7)
  const by = (env, o) => identity(readOptions(o, env))
  const told = [{ SESSIONCAST_CLUSTER: 'a' }, { SESSIONCAST_CLUSTER: 'b' }, { SESSIONCAST_KEY: 'k' }, { SESSIONCAST_PORT: '4001' }, { SESSIONCAST_CONFIG: '/a' }].map((env) => by(env))
  assert.equal(new Set(['', ...told]).size, 6)
  assert.ok(!inspect(readOptions({}, { SESSIONCAST_KEY: 'of-the-cluster' }), { depth: 9 }).includes('of-the-cluster'), 'the key is not among what an app may show')
  assert.equal(by({ SESSIONCAST_MAX_MEMORY: '1GiB', SESSIONCAST_CLUSTER: '', HOME: '/' }), '')
  assert.equal(by({ SESSIONCAST_CLUSTER: 'a', SESSIONCAST_KEY: 'k' }, { cluster: 'b', keyFile: 'f' }), by({}, { cluster: 'b', keyFile: 'f' }), 'an option overrules its variable')
})

test('names of engines fit what the daemon takes, whatever the host is called', () => {
  const o = readOptions({ cluster: 'shop' })
  for (const host of ['web1', 'host with spaces', 'ü', '', 'x'.repeat(80)]) {
    assert.match(engineName(o, host), /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
  }
  assert.equal(engineName(readOptions(), 'web1'), 'web1-express')
  assert.ok(engineTarget(o, '/run/user/1000/sessioncast').path.endsWith('.resp')) // .sock is of daemons' own
})

test('the factory takes express-session, or connect with it', () => {
  class Base { constructor () { this.made = true } }
  for (const connect of [{ Store: Base }, { session: { Store: Base } }]) assert.ok(sessioncast(connect).prototype instanceof Base)
  assert.throws(() => sessioncast(), /call it with express-session/)
  assert.throws(() => sessioncast({}), /call it with express-session/)
})

test('loggers of every make are taken, with the levels that they have', () => {
  const { loggerFor } = lib('logger.js')
  const lines = []
  const log = loggerFor({ info: (text) => lines.push('info ' + text), error: (text) => lines.push('error ' + text) })
  log.debug('a')
  log.warn('b')
  log.error('c')
  assert.deepEqual(lines, ['info sessioncast: b', 'error sessioncast: c'])
  loggerFor(null).error('nothing')
  assert.equal(readOptions({ logger: none }).logger, none)
  assert.equal(readOptions({ logger: false }).logger, null)
})

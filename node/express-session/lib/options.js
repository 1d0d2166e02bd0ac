'use strict'
// The options: those of express-session-multicast 0.0.2 with its names, defaults and meaning, and ours beside them.

const crypto = require('node:crypto')
const net = require('node:net')
const path = require('node:path')
const { fail } = require('./errors.js')
const { checkLogger, quietConsole } = require('./logger.js')

const wrong = (name, text) => fail('OPTION', 'option ' + name + ': ' + text)
const shown = (value) => typeof value === 'string' ? JSON.stringify(value) : String(value)

/** What the original has where nothing is given. */
const defaults = {
  use: 'v4',
  multicast: { v4: '228.0.0.5', v6: 'ffbe::43' },
  multicastPort: 4000,
  multicastTTL: 2,
  useSessionTTL: false,
  sessionTTL: 5000, // seconds
  gracefulShutdown: true
}

/** What is ours. */
const ours = { prefix: 'sess:', linger: 60, maxPath: 103, maxUser: 256, maxTTL: 3650 * 24 * 3600 }

/** As in the original, what is false in a condition is not given: 0, "" and null too. */
const unless = (read) => (value, name) => value ? read(value, name) : undefined

/** For what is ours, only undefined and null are. */
const given = (read) => (value, name) => value === undefined || value === null ? undefined : read(value, name)

function number (min, max, example) {
  return (value, name) => {
    const n = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    if (!Number.isInteger(n) || n < min || n > max) throw wrong(name, shown(value) + ' is not a whole number from ' + min + ' to ' + max + ': give one as ' + example)
    return n
  }
}

function flag (value, name) {
  if (typeof value !== 'boolean') throw wrong(name, shown(value) + ' is neither true nor false')
  return value
}

function oneOf (...words) {
  return (value, name) => {
    if (!words.includes(value)) throw wrong(name, shown(value) + ' is none of ' + words.map(shown).join(', '))
    return value
  }
}

function text (pattern, what) {
  return (value, name) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw wrong(name, shown(value) + ' is not ' + what)
    return value
  }
}

/** address reads an address of this host. One of loopback told nobody anything, so the original took it for none. */
function address (family) {
  return (value, name) => {
    if (typeof value !== 'string' || net.isIP(value) !== family) throw wrong(name, shown(value) + ' is not an IPv' + family + ' address')
    return value === '127.0.0.1' || value === '::1' ? undefined : value
  }
}

function peers (value, name) {
  const list = typeof value === 'string' ? value.split(',') : value
  if (!Array.isArray(list) || list.length === 0) throw wrong(name, 'give a list of addresses and names, as ["10.0.1.4", "nodes.example.org"]')
  return list.map((peer) => {
    const trimmed = typeof peer === 'string' ? peer.trim() : ''
    if (!/^[^\s,=]+$/.test(trimmed) || trimmed.startsWith('-')) throw wrong(name, shown(peer) + ' is neither an address nor a name of a host')
    return trimmed
  })
}

function ack (value, name) {
  if (value === 'all') return value
  return String(number(0, 31, '1, or "all"')(value, name))
}

/** socket reads where a daemon is: the path of its socket, or a host and port. */
function socket (value, name) {
  const bad = wrong(name, shown(value) + ' is no place of a daemon: give a path as "/run/user/1000/sessions.sock", or "127.0.0.1:6379"')
  if (typeof value !== 'string' || value === '') throw bad
  if (value.startsWith('unix://')) return unixSocket(value.slice('unix://'.length), bad)
  if (path.isAbsolute(value)) return unixSocket(value, bad)
  const found = /^(?:tcp:\/\/|redis:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:/\s[\]]+):(\d{1,5})\/?$/.exec(value)
  const port = found ? Number(found[2]) : 0
  if (port < 1 || port > 65535) throw bad
  return { host: found[1].replace(/^\[|\]$/g, ''), port }
}

function unixSocket (file, bad) {
  if (!path.isAbsolute(file) || Buffer.byteLength(file) > ours.maxPath) throw bad
  return { path: file }
}

const name = text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name of letters, digits, dots, dashes and underscores')

const readers = {
  use: unless(oneOf('v4', 'v6')),
  multicast: unless(text(/^[0-9a-fA-F:.]+$/, 'an address')),
  multicastPort: unless(number(1, 65535, '4000')),
  multicastTTL: unless(number(1, 255, '1')),
  ipv4: unless(address(4)),
  ipv6: unless(address(6)),
  useSessionTTL: given(flag),
  sessionTTL: unless(number(1, ours.maxTTL, '3600, which are seconds')),
  gracefulShutdown: given(flag),
  gracefullShutdown: given(flag),
  logger: (value) => value === false || !value ? value : checkLogger(value),
  keyFile: given(text(/./, 'the name of a file')),
  cluster: given(name),
  peers: given(peers),
  mode: given(oneOf('auto', 'unicast', 'multicast')),
  ack: given(ack),
  socket: given(socket),
  interface: given(text(/^[^\s/]{1,64}$/, 'the name of an interface')),
  prefix: given(text(/^[^]{0,64}$/, 'a text of at most 64 characters')),
  user: given(text(/^[^.]+(\.[^.]+)*$/, 'a path into the session, as "passport.user"')),
  linger: given(number(1, 30 * 24 * 3600, '60, which are seconds'))
}

/** What of the engine's own variables makes its node another one; each is overruled by the option of the same meaning. */
const variables = {
  KEY: 'keyFile', KEY_FILE: 'keyFile', INSECURE: undefined, CONFIG: undefined, CLUSTER: 'cluster', GROUP: 'multicast', PORT: 'multicastPort', MODE: 'mode', PEERS: 'peers', PEERS_FILE: undefined, INTERFACE: 'interface', ADDRESS: undefined
}

/** readVariables are those that are set, each with a digest of what it says, as one of them is the key itself and options may be shown by an app. */
function readVariables (env, o) {
  const set = Object.entries(variables).filter(([name, option]) => env['SESSIONCAST_' + name] && o[option] === undefined)
  return set.length > 0 ? set.map(([name]) => [name, digest(env['SESSIONCAST_' + name])]) : undefined
}

const digest = (text) => crypto.createHash('sha256').update(text).digest('hex')

/** readOptions checks what an app gave and fills in the rest. A mistake is an error that names the option. */
function readOptions (given, env = process.env) {
  if (given === undefined || given === null) given = {}
  if (typeof given !== 'object' || Array.isArray(given)) throw wrong('(all)', (Array.isArray(given) ? 'a list' : shown(given)) + ' is no object')
  const o = {}
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(readers, key)) throw wrong(key, 'there is none of this name' + didYouMean(key))
    o[key] = readers[key](value, key)
  }
  checkTogether(o, given)
  return {
    use: o.use ?? defaults.use,
    variables: readVariables(env, o),
    group: o.multicast,
    port: o.multicastPort,
    ttl: o.multicastTTL ?? defaults.multicastTTL,
    address: (o.use === 'v6' ? o.ipv6 : o.ipv4),
    interface: o.interface,
    cluster: o.cluster,
    mode: o.mode,
    peers: o.peers,
    keyFile: o.keyFile === undefined ? undefined : path.resolve(o.keyFile),
    ack: o.ack,
    socket: o.socket,
    prefix: o.prefix ?? ours.prefix,
    user: o.user === undefined ? undefined : o.user.split('.'),
    linger: o.linger ?? ours.linger,
    useSessionTTL: o.useSessionTTL ?? defaults.useSessionTTL,
    sessionTTL: o.sessionTTL ?? defaults.sessionTTL,
    gracefulShutdown: o.gracefulShutdown ?? o.gracefullShutdown ?? defaults.gracefulShutdown,
    logger: o.logger === false ? null : o.logger || quietConsole
  }
}

function checkTogether (o, given) {
  const family = o.use === 'v6' ? 6 : 4
  if (o.multicast && !isGroup(o.multicast, family)) {
    throw wrong('multicast', shown(o.multicast) + ' is no IPv' + family + ' multicast address: give one as ' + shown(defaults.multicast['v' + family]))
  }
  if (o.gracefulShutdown !== undefined && o.gracefullShutdown !== undefined && o.gracefulShutdown !== o.gracefullShutdown) {
    throw wrong('gracefulShutdown', 'it is given in both spellings, and differently: leave one out')
  }
  if (o.mode === 'unicast' && !o.peers) throw wrong('mode', '"unicast" needs to know where other servers are: give peers as well')
  for (const name of o.mode === 'unicast' ? ['multicast', 'multicastTTL'] : []) {
    if (o[name] !== undefined) throw wrong(name, 'mode "unicast" has no use for it: leave one of the two out')
  }
  if (o.mode === 'multicast' && o.peers) throw wrong('peers', 'mode "multicast" has no use for them: leave one of the two out')
  if (!o.socket) return
  for (const name of ['keyFile', 'cluster', 'peers', 'mode', 'interface', 'linger']) {
    if (o[name] !== undefined) throw wrong(name, 'the daemon at the socket has its own: leave one of the two out')
  }
}

function isGroup (value, family) {
  if (net.isIP(value) !== family) return false
  if (family === 6) return /^ff/i.test(value)
  const first = Number(value.split('.')[0])
  return first >= 224 && first <= 239
}

function didYouMean (key) {
  let best = null
  let least = 4
  for (const name of Object.keys(readers)) {
    const d = distance(key.toLowerCase(), name.toLowerCase())
    if (d < least) [best, least] = [name, d]
  }
  return best ? ': did you mean ' + best + '?' : ''
}

/** distance is how many letters must be added, left out or changed to make one word of another. */
function distance (a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

module.exports = { readOptions, defaults, ours }

'use strict'
// Where the engine's socket stands, and which engine an app means. The folders are those of "sessioncast serve", so that either
// finds the other.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { fail } = require('./errors.js')

const windows = process.platform === 'win32'
const uid = () => process.getuid ? process.getuid() : -1

function isDir (name) {
  try { return fs.statSync(name).isDirectory() } catch { return false }
}

/** runtimeDirs are the folders in which sockets of daemons may stand, this user's own first. */
function runtimeDirs (env = process.env) {
  if (env.SESSIONCAST_RUNTIME_DIR) return [path.join(env.SESSIONCAST_RUNTIME_DIR, 'sessioncast')] // this one and no other
  const user = uid()
  const dirs = []
  if (env.XDG_RUNTIME_DIR && path.isAbsolute(env.XDG_RUNTIME_DIR)) dirs.push(env.XDG_RUNTIME_DIR)
  if (user > 0) dirs.push('/run/user/' + user)
  if (user === 0) dirs.push('/run')
  const found = dirs.filter(isDir)
  const temporary = windows ? os.tmpdir() : env.TMPDIR || '/tmp'
  found.push(path.join(temporary, 'sessioncast-' + user))
  if (user > 0 && isDir('/run')) found.push('/run')
  return [...new Set(found)].map((dir) => path.join(dir, 'sessioncast'))
}

/** ownDir makes the folder of this user's sockets, and refuses one that another user could reach into. */
function ownDir (env = process.env) {
  if (env.SESSIONCAST_RUNTIME_DIR && !path.isAbsolute(env.SESSIONCAST_RUNTIME_DIR)) throw fail('OPTION', 'SESSIONCAST_RUNTIME_DIR is no whole path: give one as /run/user/1000')
  const dir = runtimeDirs(env)[0]
  for (const each of [path.dirname(dir), dir]) {
    if (isDir(each)) continue
    try {
      fs.mkdirSync(each, { mode: 0o700 })
    } catch (error) {
      if (error.code !== 'EEXIST') throw fail('UNAVAILABLE', 'cannot make the folder ' + each, error)
    }
  }
  checkOwn(dir)
  if (path.basename(path.dirname(dir)) === 'sessioncast-' + uid()) checkOwn(path.dirname(dir))
  return dir
}

function checkOwn (dir) {
  if (windows) return
  const info = fs.lstatSync(dir)
  const unsafe = (why) => fail('UNAVAILABLE', dir + ' ' + why)
  if (!info.isDirectory()) throw unsafe('is no folder')
  if (info.uid !== uid()) throw unsafe('belongs to another user: remove it, or set XDG_RUNTIME_DIR to a folder of your own')
  if (info.mode & 0o077) throw unsafe('is open to others; run: chmod 700 ' + dir)
}

/** Engines are different where what makes a node another node is. */
function identity (o) {
  const made = { use: o.use, group: o.group, port: o.port, address: o.address, interface: o.interface, cluster: o.cluster, mode: o.mode, peers: o.peers, keyFile: o.keyFile, variables: o.variables }
  const parts = Object.entries(made).filter(([, value]) => value !== undefined && value !== 'v4')
  if (parts.length === 0) return ''
  return crypto.createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8)
}

/** engineName names the engine's node among its peers: the host's name and, for engines that differ, something by which. */
function engineName (o, hostname = os.hostname()) {
  const id = identity(o)
  const end = '-express' + (id ? '-' + id : '')
  const host = hostname.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'node'
  return host.slice(0, 64 - end.length) + end
}

/** engineTarget is where the engine that we start for these options listens. */
function engineTarget (o, dir) {
  if (!windows) return { path: path.join(dir, 'express' + (identity(o) ? '-' + identity(o) : '') + '.resp') }
  const hash = crypto.createHash('sha256').update(os.userInfo().username + identity(o)).digest()
  return { host: '127.0.0.1', port: 26_000 + hash.readUInt16BE(0) % 4_000 } // Node has no Unix sockets on Windows
}

/** isEngineTarget tells whether a place for clients, as a daemon tells it, is that of an engine which a store has started. */
const isEngineTarget = (client) => /^unix:\/\/.*\/sessioncast\/express(-[0-9a-f]{8})?\.resp$/.test(client)

const targetText = (target) => target.path ? 'unix://' + target.path : target.host + ':' + target.port

module.exports = { runtimeDirs, ownDir, identity, engineName, engineTarget, isEngineTarget, targetText, windows }

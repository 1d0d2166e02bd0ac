'use strict'
// The engine of this host: a daemon that runs already, or one that is started and shared by all Node processes of the user.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { findBinary, ownVersion } = require('./binary.js')
const { askInfo } = require('./client.js')
const { connect } = require('./connect.js')
const { findDaemon } = require('./discover.js')
const engineLog = require('./engine-log.js')
const { explain } = require('./explain.js')
const { fail, final } = require('./errors.js')
const { engineArgs, launch, listens, pause, times: launchTimes } = require('./launch.js')
const { lock, unlock } = require('./lock.js')
const { alive, endEngine, isEngine } = require('./processes.js')
const { engineName, engineTarget, ownDir } = require('./paths.js')

const times = {
  elsewhere: 100, // until one that another process starts is tried again
  pauseMin: 500, // before an engine that ended at once is started again, doubling
  pauseMax: 30_000
}

/** Engine has the environment as it is when the store is made: later engines are to be the same. */
class Engine {
  constructor (options, log) {
    this.env = { ...process.env }
    this.options = options
    this.log = log
    this.started = false // whether it is one that stores start
    this.failures = 0
    this.notBefore = 0
    this.lastError = null
    this.follower = null
    this.fits = false // whether the engine was seen to have the key that this store was made for
  }

  /** open resolves to a connection to an engine, which it starts where there is none. */
  async open () {
    if (this.options.socket) return connect(this.options.socket)
    const dir = this.dir()
    const target = engineTarget(this.options, dir)
    try {
      return this.shared(await connect(target), true)
    } catch {}
    const daemon = await findDaemon(this.options, this.env)
    if (daemon) {
      try {
        return this.shared(await connect(daemon), false)
      } catch {}
    }
    return this.shared(await this.start(dir, target), true)
  }

  dir () {
    try {
      return ownDir(this.env)
    } catch (error) {
      throw final(error)
    }
  }

  shared (socket, started) {
    this.started = started
    return socket
  }

  /** start starts the engine, unless another process is about to, and waits until it listens. */
  async start (dir, target) {
    const wait = this.notBefore - Date.now()
    if (wait > 0) throw Object.assign(this.lastError, { retryAfter: Math.min(wait, 1000) })
    const lockFile = this.lockFile(dir, target)
    if (!lock(lockFile, launchTimes.listens + 5000)) throw this.elsewhere()
    try {
      const socket = await this.run(dir, target)
      this.failures = 0
      return socket
    } catch (error) {
      const pause = Math.min(times.pauseMin * 2 ** this.failures++, times.pauseMax)
      this.notBefore = Date.now() + pause
      this.lastError = error
      this.log.error('the engine does not start, next try in ' + pause + ' ms: ' + error.message)
      throw Object.assign(error, { retryAfter: Math.min(pause, 1000) })
    } finally {
      unlock(lockFile)
    }
  }

  lockFile (dir, target) { return path.join(dir, path.basename(target.path || 'express-' + target.port, '.resp') + '.starting') }

  elsewhere () { return Object.assign(fail('UNAVAILABLE', 'another process is starting the engine'), { retryAfter: times.elsewhere }) }

  async run (dir, target) {
    const binary = await findBinary(dir, { env: this.env }).catch((error) => { throw final(error) })
    const name = engineName(this.options)
    const file = path.join(dir, name + '.log')
    const { fd, at } = engineLog.open(file)
    let engine
    try {
      engine = launch(binary, engineArgs(this.options, name, target, this.env), { cwd: dir, fd, env: this.env })
    } finally {
      fs.closeSync(fd)
    }
    this.log.info('starting the engine ' + name + ', which prints to ' + file)
    const socket = await listens(target, engine, () => explain(engineLog.complaints(file, at), this.options))
    if (this.follower) this.follower.stop()
    this.follower = new engineLog.Follower(file, at, this.log)
    return socket
  }

  /**
   * keepOrReplace ends an engine that this store is not to go on with. One that lingers for the app's next start, while somebody copied the
   * cluster's key to this host, would go on in the cluster of the old key for as long as the app is started again in time; and one of before an update
   * for as long as the app's processes are exchanged one after another: it is ended where other servers hold its sessions. A store looks
   * once, so that an app goes to what is new as it starts and not while it runs.
   */
  async keepOrReplace (link) {
    if (this.fits || !this.started) return
    const info = await askInfo(link, 'server', 'sessioncast')
    if (await hasChanged(info)) await this.replace(link, info, 'another key is in ' + info.key_file + ' since the engine was started')
    const [has, own] = [info.sessioncast_version, ownVersion(this.env)]
    if (isOlder(has, own)) {
      const why = 'the engine is of version ' + has + ' and the app of v' + own
      if (info.members_synced > 1) await this.replace(link, info, why)
      else this.log.warn(why + ': no other server holds its sessions, so it goes on until ' + this.options.linger + ' s after its last process')
    }
    this.fits = true
  }

  /** replace starts another engine in the place of one, under the lock: who is still there from before an update would start the old one again. */
  async replace (link, { process_id: id }, why) {
    const [dir, pid] = [this.dir(), Number(id)]
    const target = engineTarget(this.options, dir)
    const lockFile = this.lockFile(dir, target)
    if (!isEngine(pid)) {
      await askInfo(link, 'server') // one that another process of the app has replaced meanwhile answers no more
      return this.log.warn(why + ', and its process cannot be told from here: end it to have it started again')
    }
    if (!lock(lockFile, 2 * launchTimes.listens + 5000)) throw this.elsewhere()
    try {
      this.log.warn(why + ': it is started again')
      endEngine(pid)
      for (const end = Date.now() + launchTimes.listens; alive(pid) && Date.now() < end;) await pause(launchTimes.look)
      const socket = await this.run(dir, target)
      socket.destroy()
    } finally {
      unlock(lockFile)
    }
    throw Object.assign(fail('UNAVAILABLE', 'the engine is started again: ' + why), { retryAfter: 0 })
  }

  close () {
    if (this.follower) this.follower.stop()
  }
}

/** isOlder compares versions of engines; one that is no release is as old as any. */
function isOlder (has, own) {
  const [a, b] = [has, own].map((version) => /^v?(\d+)\.(\d+)\.(\d+)/.exec(version || ''))
  if (!a || !b) return false
  const i = [1, 2, 3].find((i) => a[i] !== b[i])
  return i !== undefined && Number(a[i]) < Number(b[i])
}

/** hasChanged tells whether an engine's key file holds something else than as it started. One that cannot be read is left for the engine to complain of. */
async function hasChanged ({ key_file: file, key_file_hash: hash }) {
  if (!file || !hash) return false
  try {
    const content = await fs.promises.readFile(file)
    return crypto.createHash('sha256').update(content).digest('hex').slice(0, hash.length) !== hash
  } catch {
    return false
  }
}

module.exports = { Engine }

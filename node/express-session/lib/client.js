'use strict'
// A client that stays connected: whatever ends the connection, it makes a new one, and calls wait a little for that.

const { EventEmitter } = require('node:events')
const { Link } = require('./link.js')
const { ReplyError } = require('./resp.js')
const { fail } = require('./errors.js')

const waits = {
  first: 5000, // of calls for an engine that is just being started, ms
  later: 250, // of calls while an engine that was there is away
  down: 5000, // how long it is away before that is told
  reply: 2000, // for the reply to a command
  pauseMin: 20, // between attempts to connect, doubling
  pauseMax: 1000,
  loading: 25, // between two looks at whether the engine has its cluster's sessions
  maxWaiting: 10_000 // calls that wait for a connection
}

/**
 * Client emits "up" when an engine answers and has its sessions, "down" when it has been away for waits.down, and "push".
 *
 * open() resolves to a connected socket, or rejects. greet(link) resolves when the connection may be used.
 */
class Client extends EventEmitter {
  constructor ({ open, greet, log, waits: own }) {
    super()
    this.open = open
    this.greet = greet
    this.log = log
    this.waits = { ...waits, ...own }
    this.link = null
    this.reason = null // why there is no connection
    this.waiting = new Set()
    this.closed = false
    this.began = Date.now()
    this.wasUp = false
    this.connects = 0
    this.isDown = false
    this.downTimer = null
    this.pauseTimer = null
    this.pause = 0
  }

  start () {
    this.expectDown()
    this.connect()
  }

  expectDown () {
    this.downTimer = setTimeout(() => {
      this.isDown = true
      this.emit('down', this.reason)
    }, this.waits.down)
    this.downTimer.unref()
  }

  async connect () {
    let link = null
    try {
      const socket = await this.open()
      if (this.closed) return socket.destroy()
      link = new Link(socket, this.waits.reply)
      link.on('push', (items) => this.emit('push', items))
      await this.greet(link)
      if (link.closed) throw link.closed
    } catch (error) {
      if (link) link.close(fail('UNAVAILABLE', 'the connection was not usable', error))
      return this.again(error)
    }
    if (this.closed) return link.close(fail('CLOSED', 'the store was closed'))
    this.use(link)
  }

  use (link) {
    this.link = link
    this.wasUp = true
    this.reason = null
    this.pause = 0
    this.isDown = false
    this.connects++
    clearTimeout(this.downTimer)
    link.on('close', (reason) => {
      this.link = null
      if (this.closed) return
      this.log.debug('the connection to the engine ended: ' + reason.message)
      this.expectDown()
      this.again(reason)
    })
    this.emit('up')
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const call of waiting) {
      clearTimeout(call.timer)
      if (call.lifetime) call.args[call.lifetime] = Math.max(1, call.args[call.lifetime] - (Date.now() - call.since))
      this.send(call)
    }
  }

  again (reason) {
    if (this.closed) return
    this.reason = reason
    if (reason.final) this.giveUpWaiting()
    const ms = reason.retryAfter ?? this.pause
    this.pause = Math.min(Math.max(this.pause * 2, this.waits.pauseMin), this.waits.pauseMax)
    this.pauseTimer = setTimeout(() => this.connect(), ms)
    this.pauseTimer.unref()
  }

  /**
   * call sends a command, now or as soon as there is a connection. What was sent and not answered is sent again over the next
   * connection, if that comes in time, unless it is to be sent once only. Of the lifetime at args[lifetime], in ms, the wait is taken off.
   */
  call (args, done, { once = false, lifetime = 0 } = {}) {
    if (this.closed) return process.nextTick(done, fail('CLOSED', 'the store was closed'))
    const call = { args, done, once, lifetime, timer: null, since: 0, deadline: 0 }
    if (this.link) this.send(call)
    else if (this.reason && this.reason.final) process.nextTick(done, this.unavailable())
    else this.await(call)
  }

  send (call) {
    this.link.call(call.args, (error, reply) => {
      const lost = error && !(error instanceof ReplyError) && !this.closed
      if (lost && !call.once && error.code === 'SESSIONCAST_UNAVAILABLE' && call.deadline === 0) this.await(call)
      else call.done(error, reply)
    })
  }

  await (call) {
    if (this.waiting.size >= this.waits.maxWaiting) {
      return process.nextTick(call.done, fail('BUSY', 'too many calls wait for the engine'))
    }
    const now = Date.now()
    const first = this.wasUp ? 0 : this.began + this.waits.first - now // as long as the first engine may take
    const ms = Math.max(first, this.waits.later)
    call.since = now
    call.deadline = now + ms
    call.timer = setTimeout(() => {
      this.waiting.delete(call)
      call.done(this.unavailable())
    }, ms)
    this.waiting.add(call)
  }

  /** giveUpWaiting is for what does not mend itself in the time that calls wait: a wrong key file, a port that is taken, a program that is missing. */
  giveUpWaiting () {
    this.began = -Infinity
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const call of waiting) {
      clearTimeout(call.timer)
      call.done(this.unavailable())
    }
  }

  unavailable () {
    const why = this.reason ? ': ' + this.reason.message.replace(/^sessioncast: /, '') : ''
    return fail('UNAVAILABLE', 'no engine answers' + why, this.reason || undefined)
  }

  /** close ends it for good; calls that wait fail. */
  close () {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.downTimer)
    clearTimeout(this.pauseTimer)
    const reason = fail('CLOSED', 'the store was closed')
    for (const call of this.waiting) {
      clearTimeout(call.timer)
      call.done(reason)
    }
    this.waiting.clear()
    if (this.link) this.link.close(reason)
  }

  /** idle tells whether no call is under way. */
  get idle () { return this.waiting.size === 0 && (!this.link || this.link.waiting === 0) }
}

/** ask is link.call as a promise. */
const ask = (link, ...args) => new Promise((resolve, reject) => {
  link.call(args, (error, reply) => error ? reject(error) : resolve(reply))
})

/** askInfo is what INFO says, by name. */
async function askInfo (link, ...sections) {
  const found = {}
  for (const line of (await ask(link, 'INFO', ...sections)).split('\r\n')) {
    const at = line.indexOf(':')
    if (at > 0) found[line.slice(0, at)] = line.slice(at + 1)
  }
  return found
}

module.exports = { Client, ask, askInfo, waits }

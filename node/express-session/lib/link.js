'use strict'
// One connection to an engine. Commands are sent without waiting for the replies of those before, and answered in their order.

const { EventEmitter } = require('node:events')
const { Parser, Push, ReplyError, encode } = require('./resp.js')
const { fail } = require('./errors.js')

const limits = {
  pending: 65_536, // commands without a reply
  output: 64 << 20, // bytes that the engine has not taken yet
  looks: 5 // at the oldest command, within the time for its reply
}

/**
 * Link owns a connected socket. It emits "push" with the items of a message, and "close" with the reason once. The socket holds
 * the process only while replies are awaited.
 */
class Link extends EventEmitter {
  constructor (socket, timeout) {
    super()
    this.socket = socket
    this.timeout = timeout
    this.pending = [] // from index head on
    this.head = 0
    this.out = ''
    this.closed = null
    this.timer = null
    this.parser = new Parser()
    if (socket.setNoDelay) socket.setNoDelay(true)
    socket.unref()
    socket.on('data', (chunk) => this.read(chunk))
    socket.on('error', (error) => this.close(fail('UNAVAILABLE', 'the connection to the engine broke', error)))
    socket.on('close', () => this.close(fail('UNAVAILABLE', 'the engine closed the connection')))
  }

  get waiting () { return this.pending.length - this.head }

  /** call sends a command; done(error, reply) is called once. An error reply is an error of class ReplyError. */
  call (args, done) {
    if (this.closed) return process.nextTick(done, this.closed)
    if (this.waiting >= limits.pending || this.socket.writableLength + this.out.length > limits.output) {
      return process.nextTick(done, fail('BUSY', 'too many calls wait for the engine'))
    }
    if (this.waiting === 0) this.socket.ref()
    this.pending.push({ done })
    if (this.out === '') setImmediate(() => this.flush()) // with what the other requests that came at once send
    this.out += encode(args)
    if (!this.timer) this.watch()
  }

  flush () {
    const out = this.out
    this.out = ''
    if (out !== '' && !this.closed) this.socket.write(out)
  }

  /**
   * watch closes the connection when the oldest command is not answered in time: what follows it would wait as well. It looks several
   * times, since a process that stood still finds the time over before it reads the replies that wait for it.
   */
  watch () {
    const oldest = this.pending[this.head]
    let looks = 0
    const look = () => {
      this.timer = null
      if (this.waiting === 0 || this.closed) return
      if (this.pending[this.head] !== oldest) return this.watch()
      if (++looks === limits.looks) return this.close(fail('TIMEOUT', 'the engine did not answer within ' + this.timeout + ' ms'))
      this.timer = setTimeout(look, this.timeout / limits.looks)
      this.timer.unref()
    }
    this.timer = setTimeout(look, this.timeout / limits.looks)
    this.timer.unref()
  }

  read (chunk) {
    const values = []
    let broken = null
    try {
      this.parser.push(chunk, (value) => values.push(value))
    } catch (error) {
      broken = error
    }
    for (const value of values) {
      if (!this.closed) broken = this.reply(value) || broken
    }
    if (broken) this.close(fail('REPLY', 'what answers is no engine: ' + broken.message, broken))
  }

  reply (value) {
    if (value instanceof Push) {
      run(() => this.emit('push', value.items))
      return null
    }
    if (this.waiting === 0) return new Error('a reply to no command')
    const { done } = this.pending[this.head]
    this.pending[this.head++] = undefined
    if (this.waiting === 0) {
      this.pending = []
      this.head = 0
      this.socket.unref()
    } else if (this.head > 1024 && this.head * 2 > this.pending.length) {
      this.pending = this.pending.slice(this.head)
      this.head = 0
    }
    if (value instanceof ReplyError) run(() => done(value))
    else run(() => done(null, value))
    return null
  }

  /** close ends the connection; what was not answered fails with the reason. */
  close (reason) {
    if (this.closed) return
    this.closed = reason
    clearTimeout(this.timer)
    this.socket.unref()
    this.socket.destroy()
    const left = this.pending.slice(this.head)
    this.pending = []
    this.head = 0
    for (const { done } of left) run(() => done(reason))
    this.emit('close', reason)
  }
}

/** run calls what belongs to others. What that throws is theirs, and must not keep the next reply from whom it is for. */
function run (callback) {
  try {
    callback()
  } catch (error) {
    process.nextTick(() => { throw error })
  }
}

module.exports = { Link, limits }

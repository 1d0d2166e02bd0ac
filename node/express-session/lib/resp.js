'use strict'
// The Redis protocol, version 3: commands are written as arrays of strings, replies are read from whatever pieces they arrive in.

const limits = {
  bulk: 64 << 20, // bytes of one string, as much as an engine lets replies for one client wait
  items: 1 << 20, // of one array
  depth: 8,
  line: 64 << 10 // bytes of a line that holds a number, a status or an error
}

/** An error reply. Its prefix is the word that it begins with, as DESTROYED. */
class ReplyError extends Error {
  constructor (text) {
    super(text)
    this.name = 'ReplyError'
    this.prefix = text.split(' ', 1)[0]
  }
}

/** Something that is no reply came: the connection cannot be understood any more. */
class ProtocolError extends Error {}

/** A message that answers no command. */
class Push {
  constructor (items) { this.items = items }
}

/** encode writes a command. */
function encode (args) {
  let out = '*' + args.length + '\r\n'
  for (const arg of args) {
    const text = typeof arg === 'string' ? arg : String(arg)
    out += '$' + Buffer.byteLength(text) + '\r\n' + text + '\r\n'
  }
  return out
}

const incomplete = Symbol('incomplete')
const CR = 13

/** Parser turns bytes into replies. After a ProtocolError it must not be used any more. */
class Parser {
  constructor () {
    this.chunks = []
    this.size = 0
    this.need = 1 // bytes without which trying again is of no use
    this.buffer = Buffer.alloc(0)
    this.at = 0
  }

  /** push takes what arrived and hands every complete reply to onReply. */
  push (chunk, onReply) {
    this.chunks.push(chunk)
    this.size += chunk.length
    if (this.size < this.need) return
    this.buffer = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks, this.size)
    let done = 0
    this.need = 1
    while (done < this.buffer.length) {
      this.at = done
      const value = this.value(0)
      if (value === incomplete) {
        this.need = Math.max(this.need - done, this.buffer.length - done + 1)
        break
      }
      done = this.at
      onReply(value)
    }
    const rest = this.buffer.subarray(done)
    this.size = rest.length
    this.chunks = rest.length > 0 ? [rest] : []
    if (rest.length === 0) this.need = 1
    this.buffer = null
  }

  value (depth) {
    if (depth > limits.depth) throw new ProtocolError('replies nested too deeply')
    if (this.at >= this.buffer.length) return incomplete
    const type = this.buffer[this.at]
    const line = this.line()
    if (line === incomplete) return incomplete
    switch (String.fromCharCode(type)) {
      case '+': return line
      case '-': return new ReplyError(line)
      case ':': return integer(line)
      case '$': return this.bulk(line)
      case '=': { // verbatim: "txt:" stands before the text
        const text = this.bulk(line)
        return typeof text === 'string' ? text.slice(4) : text
      }
      case '!': {
        const text = this.bulk(line)
        return typeof text === 'string' ? new ReplyError(text) : text
      }
      case '_': return null
      case '#': return line === 't'
      case ',': return Number(line)
      case '(': return BigInt(integer(line) === null ? 0 : line)
      case '*': case '~': return this.array(line, 1, depth)
      case '%': return this.array(line, 2, depth)
      case '>': {
        const items = this.array(line, 1, depth)
        return items === incomplete ? incomplete : new Push(items)
      }
    }
    throw new ProtocolError('something that is no reply')
  }

  line () {
    const end = this.buffer.indexOf(CR, this.at + 1)
    if (end < 0 || end + 1 >= this.buffer.length) {
      if (this.buffer.length - this.at > limits.line) throw new ProtocolError('a line without end')
      return incomplete
    }
    if (this.buffer[end + 1] !== 10) throw new ProtocolError('a line that ends wrongly')
    const text = this.buffer.toString('utf8', this.at + 1, end)
    this.at = end + 2
    return text
  }

  bulk (line) {
    const n = integer(line)
    if (n === -1) return null
    if (n < 0 || n > limits.bulk) throw new ProtocolError('a string of ' + line + ' bytes')
    const end = this.at + n
    if (end + 2 > this.buffer.length) {
      this.need = Math.max(this.need, end + 2)
      return incomplete
    }
    const text = this.buffer.toString('utf8', this.at, end)
    this.at = end + 2
    return text
  }

  array (line, perItem, depth) {
    const n = integer(line)
    if (n === -1) return null
    if (n < 0 || n > limits.items) throw new ProtocolError('an array of ' + line + ' items')
    const items = []
    for (let i = 0; i < n * perItem; i++) {
      const item = this.value(depth + 1)
      if (item === incomplete) return incomplete
      items.push(item)
    }
    return items
  }
}

function integer (text) {
  if (!/^-?\d{1,19}$/.test(text)) throw new ProtocolError('something that is no number')
  return Number(text)
}

module.exports = { Parser, Push, ReplyError, ProtocolError, encode, limits }

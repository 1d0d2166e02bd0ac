'use strict'
// An engine that holds sessions in a map and speaks what the store speaks. Tests tell it to misbehave.

const net = require('node:net')
const { Parser } = require('./package.js').lib('resp.js')

class Fake {
  constructor () {
    this.sessions = new Map() // key to { fields: Map of name to { text, at }, due, owner }
    this.clock = 0
    this.unanswered = 0 // servers that do not confirm a logout
    this.commands = [] // as they came
    this.answers = new Map() // words of a command to what to answer: a text, or null for nothing
    this.sockets = new Set()
    this.watchers = new Map() // socket to prefix
    this.server = net.createServer((socket) => this.serve(socket))
  }

  listen (path) { return new Promise((resolve) => { this.server.listen(path, resolve) }) }

  /** drop ends all connections, as an engine that dies does. */
  drop () { for (const socket of this.sockets) socket.destroy() }

  async close () {
    this.drop()
    await new Promise((resolve) => { this.server.close(resolve) })
  }

  serve (socket) {
    this.sockets.add(socket)
    socket.on('close', () => {
      this.sockets.delete(socket)
      this.watchers.delete(socket)
    })
    socket.on('error', () => {})
    const parser = new Parser()
    socket.on('data', (chunk) => parser.push(chunk, (args) => {
      this.commands.push(args)
      const answer = this.answer(args, socket)
      if (answer !== null) socket.write(answer)
    }))
  }

  answer (args, socket) {
    for (const [words, answer] of this.answers) {
      if (args.join(' ').startsWith(words)) return typeof answer === 'function' ? answer(args, socket) : answer
    }
    const name = args[0] === 'SESSION' ? args[1] : args[0]
    const handler = this['on' + name]
    return handler ? handler.call(this, args[0] === 'SESSION' ? args.slice(2) : args.slice(1), socket) : '-ERR unknown command\r\n'
  }

  onHELLO () { return '%1\r\n$5\r\nproto\r\n:3\r\n' }
  onCLIENT () { return '+OK\r\n' }
  onCOMMAND () { return '*1\r\n*1\r\n$7\r\nsession\r\n' }
  onINFO () { return bulk('# Persistence\r\nloading:0\r\nprocess_id:0\r\nconnected_clients:1\r\nmembers_synced:1\r\n') }

  live (key) {
    const s = this.sessions.get(key)
    if (!s || s.due <= Date.now()) return null
    return s
  }

  onGET ([key]) {
    const s = this.live(key)
    if (!s) return '_\r\n'
    const json = '{' + [...s.fields].map(([name, { text }]) => JSON.stringify(name) + ':' + text).join(',') + '}'
    return '*4\r\n' + bulk(json) + ':' + (s.due - Date.now()) + '\r\n' + bulk(s.owner) + bulk(String(this.clock))
  }

  onSET ([key, ms, json, , label], socket) {
    this.clock++
    const fields = new Map(Object.entries(JSON.parse(json)).map(([name, value]) => [name, { text: JSON.stringify(value), at: this.clock }]))
    const kind = this.live(key) ? 'changed' : 'created'
    this.sessions.set(key, { fields, due: Date.now() + Number(ms), owner: label || '' })
    this.tell(kind, key)
    return bulk(String(this.clock))
  }

  onPATCH ([key, ms, since, n, ...rest]) {
    const s = this.live(key)
    if (!s) return '-DESTROYED there is no such session\r\n'
    const set = rest.splice(0, 2 * Number(n))
    const removed = rest.splice(0, Number(rest.shift()))
    if (rest[0] === 'OWNER') s.owner = rest[1]
    const conflicts = []
    this.clock++
    for (let i = 0; i < set.length; i += 2) {
      const old = s.fields.get(set[i])
      if (since !== '' && old && old.at > Number(since) && old.text !== set[i + 1]) conflicts.push(set[i])
      s.fields.set(set[i], { text: set[i + 1], at: this.clock })
    }
    for (const name of removed) s.fields.delete(name)
    s.due = Date.now() + Number(ms)
    this.tell('changed', key)
    return '*2\r\n' + bulk(String(this.clock)) + '*' + conflicts.length + '\r\n' + conflicts.map(bulk).join('')
  }

  onTOUCH ([key, ms]) {
    const s = this.live(key)
    if (s) s.due = Date.now() + Number(ms)
    return s ? ':1\r\n' : ':0\r\n'
  }

  onDESTROY ([key]) {
    const was = this.live(key)
    this.sessions.delete(key)
    if (was) this.tell('destroyed', key)
    return was ? ':1\r\n' : ':0\r\n'
  }

  onSCAN () { return '*2\r\n' + bulk('0') + list([...this.sessions.keys()].filter((key) => this.live(key))) }
  ownedBy (label) { return [...this.sessions].filter(([, s]) => s.owner === label).map(([key]) => key) }
  onOWNED ([label]) { return list(this.ownedBy(label)) }

  onDESTROYOWNED ([label, report, , ...except]) {
    if (report !== 'REPORT') return '-ERR syntax error\r\n'
    const ended = this.ownedBy(label).filter((key) => !except.includes(key))
    for (const key of ended) this.onDESTROY([key])
    return '*2\r\n:' + ended.length + '\r\n:' + this.unanswered + '\r\n'
  }

  onWATCH ([prefix], socket) {
    this.watchers.set(socket, prefix)
    return '+OK\r\n'
  }

  tell (kind, key) {
    for (const [socket, prefix] of this.watchers) {
      if (key.startsWith(prefix)) socket.write('>3\r\n' + bulk('session') + bulk(kind) + bulk(key))
    }
  }

  /** seen lists the SESSION commands of a kind. */
  seen (kind) { return this.commands.filter((args) => args[0] === 'SESSION' && args[1] === kind) }
}

const bulk = (text) => '$' + Buffer.byteLength(text) + '\r\n' + text + '\r\n'
const list = (items) => '*' + items.length + '\r\n' + items.map(bulk).join('')

module.exports = { Fake, bulk }

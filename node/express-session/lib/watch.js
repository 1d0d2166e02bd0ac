'use strict'
// Being told when sessions change or end, on whatever server that happens. The engine tells of all sessions over a connection of
// its own, which is there while somebody watches.

const { EventEmitter } = require('node:events')
const { Client, ask } = require('./client.js')

const kinds = ['created', 'changed', 'touched', 'destroyed', 'expired']

/**
 * Watch emits the kinds above and "event", each with { type, sid }. An ended session is told as ended once. Who watches all is
 * told by "missed" that events were lost: of a session that is watched by its id the end is told nevertheless.
 */
class Watch extends EventEmitter {
  constructor (watcher, sid) {
    super()
    this.watcher = watcher
    this.sid = sid // undefined: all
    this.ended = false
  }

  tell (event) {
    const ends = event.type === 'destroyed' || event.type === 'expired'
    if (this.sid !== undefined) {
      if (ends && this.ended) return
      this.ended = ends
    }
    this.emit(event.type, event)
    this.emit('event', event)
  }

  close () { this.watcher.remove(this) }
}

/** Watcher has the connection and knows who watches what. */
class Watcher {
  constructor ({ prefix, open, greet, log, waits }) {
    this.prefix = prefix
    this.make = () => new Client({ open, greet: (link) => this.greet(link, greet), log, waits })
    this.client = null
    this.bySid = new Map() // sid, or undefined for all, to a set of watches
  }

  async greet (link, greet) {
    await greet(link)
    await ask(link, 'SESSION', 'WATCH', this.prefix)
  }

  add (sid) {
    const watch = new Watch(this, sid)
    if (!this.bySid.has(sid)) this.bySid.set(sid, new Set())
    this.bySid.get(sid).add(watch)
    if (this.client === null) this.connect()
    else if (this.client.link) this.check(sid)
    return watch
  }

  remove (watch) {
    const set = this.bySid.get(watch.sid)
    if (!set || !set.delete(watch)) return
    if (set.size === 0) this.bySid.delete(watch.sid)
    if (this.bySid.size === 0) this.close()
  }

  connect () {
    this.client = this.make()
    this.client.on('push', (items) => this.pushed(items))
    this.client.on('up', () => {
      if (this.client.connects > 1) this.missed()
      else for (const sid of this.bySid.keys()) this.check(sid)
    })
    this.client.start()
  }

  /** missed makes up for what was not told: while the connection was away, or since too much happened at once. */
  missed () {
    for (const sid of this.bySid.keys()) this.check(sid)
    for (const watch of this.bySid.get(undefined) || []) watch.emit('missed')
  }

  /** check asks whether a session that is watched ended while nobody was told, over the connection that tells of what follows. */
  check (sid) {
    if (sid === undefined) return
    this.client.call(['SESSION', 'GET', this.prefix + sid], (error, reply) => {
      if (!error && reply === null) this.tell({ type: 'destroyed', sid })
    })
  }

  pushed (items) {
    if (Array.isArray(items) && items[0] === 'session' && items[1] === 'lost') return this.missed()
    if (!Array.isArray(items) || items.length < 3 || items[0] !== 'session' || !kinds.includes(items[1])) return
    const key = items[2]
    if (typeof key === 'string' && key.startsWith(this.prefix)) this.tell({ type: items[1], sid: key.slice(this.prefix.length) })
  }

  tell (event) {
    for (const sid of [event.sid, undefined]) {
      for (const watch of this.bySid.get(sid) || []) watch.tell(event)
    }
  }

  close () {
    if (this.client) this.client.close()
    this.client = null
    this.bySid.clear()
  }
}

module.exports = { Watcher, Watch }

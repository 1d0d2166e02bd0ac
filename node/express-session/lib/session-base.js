'use strict'
// What a session looked like when it was handed out. A session that is saved is compared with it, and only what the request
// changed is written: what other requests changed meanwhile stays.

const { fail } = require('./errors.js')

const BASE = Symbol('sessioncast.base')

/** Base belongs to one object of one request. Its fields are the JSON texts of the session's top-level keys as the engine has them. */
class Base {
  constructor (sid, version, json, shownUntil = 0) {
    this.sid = sid
    this.version = version
    this.shownUntil = shownUntil // by performance.now(), if nobody writes: until then every server shows the session, touched or not
    this.json = json // until the fields are needed
    this.known = null
    this.hidden = null // keys that the object never had, so that their absence says nothing
    this.unsure = new Set() // keys of which a write failed: whether the engine has it is unknown
  }

  get fields () {
    if (this.known === null) {
      this.known = fieldsOf(JSON.parse(this.json))
      this.json = null
    }
    return this.known
  }

  /** hides notes the keys that were not taken over into the object that the app gets. */
  hides (plain, session) {
    const missing = Object.keys(plain).filter((key) => !Object.prototype.propertyIsEnumerable.call(session, key))
    this.hidden = missing.length > 0 ? new Set(missing) : null
  }

  /** diff is what must be written for the engine to have these fields: [key, text] pairs, and keys to be removed. */
  diff (fields) {
    const quick = this.known === null && this.hidden === null && this.unsure.size === 0 ? changesOf(this.json, fields) : null
    if (quick) return { set: quick, removed: [] }
    const set = []
    const removed = []
    for (const [key, text] of fields) {
      if (this.fields.get(key) !== text || this.unsure.has(key)) set.push([key, text])
    }
    for (const key of new Set([...this.fields.keys(), ...this.unsure])) {
      if (!fields.has(key) && !(this.hidden && this.hidden.has(key))) removed.push(key)
    }
    return { set, removed }
  }

  /** wrote takes the fields for those of the engine, as soon as they are sent: what is saved next comes after them. */
  wrote (fields) {
    if (this.hidden) for (const key of this.hidden) if (this.fields.has(key)) fields.set(key, this.fields.get(key))
    this.known = fields
    this.json = null
    this.shownUntil = 0 // a write promises no more than it asks for
  }

  /** failed notes that a write did not succeed, so that the next one tells it again. */
  failed ({ set, removed }) {
    for (const [key] of set) this.unsure.add(key)
    for (const key of removed) this.unsure.add(key)
  }

  succeeded ({ set, removed }) {
    for (const [key] of set) this.unsure.delete(key)
    for (const key of removed) this.unsure.delete(key)
  }
}

/**
 * changesOf compares fields with the JSON text that they were read from, without reading it again: [key, text] pairs that are new or
 * others. It is null where the text is not what an engine makes of the same keys in the same order: then the slow way tells.
 */
function changesOf (json, fields) {
  if (json[0] !== '{') return null
  const set = []
  let at = 1
  for (const [key, text] of fields) {
    if (json[at] === '}') {
      set.push([key, text])
      continue
    }
    const name = JSON.stringify(key) + ':'
    if (json.slice(at, at + name.length) !== name) return null
    const from = at + name.length
    let end = from + text.length
    if (json.slice(from, end) !== text || !isEnd(json[end])) { // no JSON value begins with another one but a number, and that ends elsewhere
      end = endOfValue(json, from)
      if (!isEnd(json[end])) return null
      // Others than JavaScript may write the same in other letters: "\u003c", 1.0, a space.
      if (JSON.stringify(JSON.parse(json.slice(from, end))) !== text) set.push([key, text])
    }
    at = json[end] === ',' ? end + 1 : end
  }
  return json[at] === '}' && at === json.length - 1 ? set : null
}

const isEnd = (letter) => letter === ',' || letter === '}'

/** endOfValue is the index behind the JSON value that begins at an index. */
function endOfValue (json, at) {
  let depth = 0
  for (; at < json.length; at++) {
    const letter = json[at]
    if (letter === '"') at = endOfString(json, at)
    else if (letter === '{' || letter === '[') depth++
    else if (letter === ',' || letter === '}' || letter === ']') {
      if (depth === 0) return at
      if (letter !== ',') depth--
    }
  }
  return at
}

/** endOfString is the index of the quote that ends a string: no odd number of backslashes stands before it. */
function endOfString (json, at) {
  for (;;) {
    at = json.indexOf('"', at + 1)
    if (at < 0) return json.length
    let slashes = 0
    while (json[at - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return at
  }
}

/** attach notes the base with an object, where nobody sees it who does not know of it. */
function attach (object, base) {
  if (!Object.isExtensible(object)) return
  Object.defineProperty(object, BASE, { value: base, enumerable: false, configurable: true, writable: true })
}

/** baseOf is the base of an object that is to be saved under this id. */
function baseOf (object, sid) {
  const base = object[BASE]
  return base instanceof Base && base.sid === sid ? base : null
}

const anyBaseOf = (object) => object[BASE] instanceof Base ? object[BASE] : null

/** fieldsOf writes each top-level key as JSON. */
function fieldsOf (session) {
  const fields = new Map()
  try {
    const plain = typeof session.toJSON === 'function' ? session.toJSON() : session
    for (const key of Object.keys(plain)) {
      const text = JSON.stringify(plain[key])
      if (text !== undefined) fields.set(key, text)
    }
  } catch (error) {
    throw fail('DATA', 'the session cannot be written as JSON: ' + error.message, error)
  }
  return fields
}

/** jsonOf is the session as one JSON text. */
function jsonOf (fields) {
  const parts = []
  for (const [key, text] of fields) parts.push(JSON.stringify(key) + ':' + text)
  return '{' + parts.join(',') + '}'
}

module.exports = { Base, changesOf, attach, baseOf, anyBaseOf, fieldsOf, jsonOf }

'use strict'
// What a session looked like when it was handed out. A session that is saved is compared with it, and only what the request
// changed is written: what other requests changed meanwhile stays.

const { fail } = require('./errors.js')

const BASE = Symbol('sessioncast.base')

/** Base belongs to one object of one request. Its fields are the JSON texts of the session's top-level keys as the engine has them. */
class Base {
  constructor (sid, version, json) {
    this.sid = sid
    this.version = version
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

module.exports = { Base, attach, baseOf, anyBaseOf, fieldsOf, jsonOf }

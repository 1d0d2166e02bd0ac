'use strict'
// What the store does, apart from being a class of express-session: sessions are read and written in the engine of this host.

const { Client, ask, askInfo } = require('./client.js')
const { Engine } = require('./engine.js')
const { fail, fromReply } = require('./errors.js')
const { Farewell } = require('./farewell.js')
const { lifetime, renew, sameButExpiry } = require('./lifetime.js')
const { loggerFor } = require('./logger.js')
const { readOptions, ours } = require('./options.js')
const { ReplyError } = require('./resp.js')
const { Base, attach, baseOf, anyBaseOf, fieldsOf, jsonOf } = require('./session-base.js')
const signals = require('./signals.js')
const { Watcher } = require('./watch.js')

const limits = {
  session: 1 << 20, // bytes of a session as JSON
  patch: 1024, // keys that an engine takes in one change of a session
  patches: 16, // into which one is cut
  scan: 1000, // keys in one reply of a scan
  batch: 256, // sessions read at once by all()
  logout: 1500 // ms for which a logout everywhere waits for other servers, or for as long as a write if that is longer
}

class Core {
  constructor (options, emit) {
    const o = this.options = readOptions(options)
    this.emit = emit
    this.log = loggerFor(o.logger)
    this.counts = { refused: 0, conflicts: 0, undecodable: 0, errors: 0 }
    const engine = new Engine(o, this.log)
    const open = () => engine.open()
    const greet = (link) => this.greet(link)
    const client = new Client({ open, greet, log: this.log })
    const watcher = new Watcher({ prefix: o.prefix, open, greet, log: this.log })
    this.inside = { engine, client, watcher, slow: null }
    this.farewell = new Farewell(this)
    this.told = '' // "connect" or "disconnect", whichever came last
    client.on('up', () => this.tell('connect'))
    client.on('down', (reason) => {
      this.log.error('no engine for ' + client.waits.down + ' ms; requests go on without sessions' + (reason ? ': ' + reason.message : ''))
      this.tell('disconnect')
    })
    if (o.gracefulShutdown) signals.add(this)
    client.start()
  }

  tell (event) {
    if (this.told === event) return
    this.told = event
    this.emit(event)
  }

  /** greet sees that what answers is an engine that knows sessions, and waits until it has those of its cluster. It resolves to how long writes may wait, in ms. */
  async greet (link) {
    await ask(link, 'HELLO', '3', 'SETNAME', 'express-session')
    const [known] = await ask(link, 'COMMAND', 'INFO', 'SESSION')
    if (!known) throw fail('REPLY', 'what answers is Redis, or a sessioncast that is too old')
    await this.inside.engine.keepOrReplace(link)
    if (this.options.ack !== undefined) await ask(link, 'CLIENT', 'ACK', this.options.ack)
    for (let info; ;) {
      info = await askInfo(link, 'persistence', 'sessioncast')
      const ack = Number(info.ack_timeout_ms) || 0 // for so long the engine may wait for others before it answers
      link.timeout = this.inside.client.waits.reply + ack
      if (info.loading !== '1') return ack
      await new Promise((resolve) => { setTimeout(resolve, this.inside.client.waits.loading).unref() })
    }
  }

  key (sid) { return this.options.prefix + sid }

  /** call sends a command; an error reply becomes an error for the app. */
  call (args, done, how, client = this.inside.client) {
    client.call(args, (error, reply) => {
      if (!error) return done(null, reply)
      this.counts.errors++
      done(error instanceof ReplyError ? fromReply(error) : error)
    }, how)
  }

  get (sid, done) {
    this.call(['SESSION', 'GET', this.key(sid)], (error, reply) => {
      if (error) return done(error)
      done(null, reply === null ? undefined : this.decode(sid, reply))
    })
  }

  /**
   * decode gives the session of a reply. What is no JSON object may be anything, and counts as missing, so that the user gets a new one
   * with another id: of an error express-session makes a 500 for as long as the browser has its cookie. One without a cookie is
   * handed out as it is: that is an error of who wrote it, and express-session tells the app so.
   */
  decode (sid, [json, pttl, , version, promise]) {
    let session = null
    try { session = JSON.parse(json) } catch {}
    if (typeof session !== 'object' || session === null || Array.isArray(session)) {
      this.counts.undecodable++
      this.log.warn('a session that is no JSON object counts as missing')
      return undefined
    }
    renew(session.cookie, pttl, this.options)
    attach(session, new Base(sid, version, json, promise > 0 ? performance.now() + promise : 0))
    return session
  }

  /** remember hands what get noted on to the object that the app works with. */
  remember (sid, plain, session) {
    const base = anyBaseOf(plain)
    if (!base || base.sid !== sid) return
    base.hides(plain, session)
    attach(session, base)
  }

  set (sid, session, done) {
    let fields, label
    try {
      fields = fieldsOf(session)
      checkSize(fields)
      label = this.label(session)
    } catch (error) {
      return process.nextTick(done, error)
    }
    const ms = lifetime(session, this.options)
    if (ms <= 0) return this.destroy(sid, done)
    const base = baseOf(session, sid)
    if (base) this.update(base, { sid, fields, ms, label }, done)
    else this.create(session, { sid, fields, ms, label }, done)
  }

  /** create writes a session that this process has not read: it is new, or is to be replaced whole. */
  create (session, { sid, fields, ms, label }, done) {
    const args = ['SESSION', 'SET', this.key(sid), ms, jsonOf(fields)]
    if (label) args.push('OWNER', label)
    const base = new Base(sid, '', '{}')
    base.wrote(fields)
    attach(session, base)
    this.call(args, (error, version) => {
      if (error) {
        if (anyBaseOf(session) === base) attach(session, null)
        return this.refusedOr(error, 'set', sid, done)
      }
      if (base.version === '') base.version = version
      done(null)
    }, { once: true, lifetime: 3 })
  }

  /** update writes what changed since the session was read, and nothing where it was destroyed meanwhile. */
  update (base, { sid, fields, ms, label }, done) {
    const change = base.diff(fields)
    if (this.onlyMoves(base, change, fields)) {
      base.wrote(fields)
      return this.move('set', sid, ms, base, done)
    }
    const parts = partsOf(change)
    if (parts.length > limits.patches) {
      return process.nextTick(done, fail('TOO_LARGE', 'a request has changed more than ' + limits.patches * limits.patch + ' top-level keys of a session'))
    }
    const owns = this.options.user && this.options.user[0]
    const owned = owns && (change.removed.includes(owns) || change.set.some(([key]) => key === owns)) ? ['OWNER', label] : []
    base.wrote(fields)
    this.patch(base, { sid, ms, parts, owned }, (error, conflicts) => {
      if (error) {
        base.failed(change)
        return this.refusedOr(error, 'set', sid, done)
      }
      base.succeeded(change)
      this.conflicts(sid, conflicts)
      done(null)
    })
  }

  /**
   * patch sends the parts of a change, all at once, so that what is saved next comes after them. Conflicts are known of the first alone: what it
   * writes may make the others' keys look changed.
   */
  patch (base, { sid, ms, parts, owned }, done) {
    let left = parts.length
    let failed = null
    let conflicts = []
    parts.forEach(({ set, removed }, i) => {
      const since = i === 0 ? base.version : ''
      const args = ['SESSION', 'PATCH', this.key(sid), ms, since, set.length, ...set.flat(), removed.length, ...removed]
      if (i === 0) args.push(...owned)
      this.call(args, (error, reply) => {
        failed = failed || error
        if (!error) {
          base.version = reply[0]
          if (i === 0) conflicts = reply[1]
        }
        if (--left === 0) done(failed, conflicts)
      }, { lifetime: 3 })
    })
  }

  /** onlyMoves tells whether a change is to the session's end alone, which is not part of what is stored. */
  onlyMoves (base, { set, removed }, fields) {
    if (removed.length > 0 || set.length > 1) return false
    if (set.length === 0) return true
    return set[0][0] === 'cookie' && !this.options.useSessionTTL && sameButExpiry(base.fields.get('cookie'), fields.get('cookie'))
  }

  conflicts (sid, names) {
    const keys = (names || []).filter((name) => name !== 'cookie') // every request moves the cookie's end
    if (keys.length === 0) return
    this.counts.conflicts++
    this.emit('conflict', { sid, keys })
  }

  /** refusedOr ends a write. One that came after the session's end is no error: the response that it belongs to is right. */
  refusedOr (error, operation, sid, done) {
    const destroyed = error.cause instanceof ReplyError && error.cause.prefix === 'DESTROYED'
    if (!destroyed) return done(error)
    this.counts.errors--
    this.refused(operation, sid)
    done(null)
  }

  refused (operation, sid) {
    this.counts.refused++
    this.emit('refused', { operation, sid })
  }

  touch (sid, session, done) {
    const ms = lifetime(session, this.options)
    if (ms <= 0) return this.destroy(sid, done)
    this.move('touch', sid, ms, baseOf(session, sid), done)
  }

  /**
   * move tells the session's new end. Nobody waits for the answer where the session was seen to be shown for that long in any case: if the
   * engine were to die at this moment, the others would show it as long.
   */
  move (operation, sid, ms, base, done) {
    const waits = !base || performance.now() + ms > base.shownUntil
    this.call(['SESSION', 'TOUCH', this.key(sid), ms], (error, moved) => {
      if (!error && !moved) this.refused(operation, sid)
      if (waits) done(error)
    }, { lifetime: 3 })
    if (!waits) setImmediate(done, null)
  }

  destroy (sid, done) {
    this.call(['SESSION', 'DESTROY', this.key(sid)], (error) => done(error || null))
  }

  /** ids lists the sessions. */
  ids (done) {
    const found = new Set()
    const pattern = this.options.prefix.replace(/[\\*?[\]]/g, '\\$&') + '*'
    const next = (cursor) => this.call(['SCAN', cursor, 'MATCH', pattern, 'COUNT', limits.scan], (error, reply) => {
      if (error) return done(error)
      for (const key of reply[1]) found.add(key.slice(this.options.prefix.length))
      if (reply[0] === '0') done(null, [...found])
      else next(reply[0])
    })
    next('0')
  }

  length (done) {
    this.ids((error, sids) => error ? done(error) : done(null, sids.length))
  }

  all (done) {
    this.ids((error, sids) => {
      if (error) return done(error)
      this.each(sids, (sid, ended) => this.get(sid, ended), (error, sessions) => {
        if (error) return done(error)
        done(null, sessions.flatMap((session, i) => session ? [named(session, sids[i])] : []))
      })
    })
  }

  clear (done) {
    this.ids((error, sids) => {
      if (error) return done(error)
      this.each(sids, (sid, ended) => this.destroy(sid, ended), (error) => done(error))
    })
  }

  /** each does something for every id, so many at a time, and gives the results in their order. */
  each (sids, one, done) {
    const results = new Array(sids.length)
    let next = 0
    let under = 0
    let failed = null
    const more = () => {
      if (under === 0 && (failed || next === sids.length)) return done(failed, results)
      while (!failed && under < limits.batch && next < sids.length) {
        const i = next++
        under++
        one(sids[i], (error, result) => {
          under--
          failed = failed || error
          results[i] = result
          more()
        })
      }
    }
    more()
  }

  /** label is the user whose session it is, empty where nobody is logged in. */
  label (session) {
    let value = session
    for (const name of this.options.user || []) {
      if (typeof value !== 'object' || value === null) return ''
      value = value[name]
    }
    return this.options.user ? userLabel(value) : ''
  }

  byUser (id, done) {
    this.owned(id, done, (label) => this.call(['SESSION', 'OWNED', label], (error, keys) => {
      if (error) return done(error)
      const { prefix } = this.options
      done(null, keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)))
    }))
  }

  /**
   * destroyUser gives how many sessions it ended and, where a report is asked for, how many other servers have not confirmed it. It may wait for
   * these, and what follows on a connection waits with it: so it has one of its own.
   */
  destroyUser (id, { except, report = false } = {}, done) {
    const spared = (except === undefined || except === null ? [] : [except]).flat().map((sid) => this.key(sid))
    const rest = spared.length > 0 ? ['EXCEPT', ...spared] : []
    this.owned(id, done, (label) => this.call(['SESSION', 'DESTROYOWNED', label, 'REPORT', ...rest], (error, reply) => {
      if (error) return done(error)
      const [ended, unanswered] = reply
      if (unanswered > 0 && this.options.ack !== '0') {
        this.log.warn('a logout everywhere was not confirmed by ' + unanswered + ' other servers: a session that began there just before may live on')
      }
      done(null, report ? { ended, unanswered } : ended)
    }, undefined, this.slow()))
  }

  /** slow is the connection for what may take long, made when it is needed first. */
  slow () {
    if (!this.inside.slow) {
      const greet = async (link) => {
        const ack = await this.greet(link)
        link.timeout += limits.logout + ack // it looks twice, and waits each time
      }
      this.inside.slow = new Client({ open: () => this.inside.engine.open(), greet, log: this.log })
      this.inside.slow.start()
    }
    return this.inside.slow
  }

  owned (id, done, use) {
    let label
    try {
      if (!this.options.user) throw fail('OPTION', 'option user: give the path of the user in the session, as "passport.user", to find sessions by it')
      label = userLabel(id)
      if (label === '') throw fail('DATA', 'a user is a text or a number')
    } catch (error) {
      return process.nextTick(done, error)
    }
    use(label)
  }

  watch (sid) { return this.inside.watcher.add(sid) }

  prepareToLeave () { this.farewell.prepare() }
  leaveAtOnce () { this.farewell.atOnce() }

  async leave () {
    await this.farewell.leave()
    this.close()
  }

  close () {
    signals.remove(this)
    this.farewell.stop()
    this.inside.watcher.close()
    this.inside.client.close()
    if (this.inside.slow) this.inside.slow.close()
    this.inside.engine.close()
  }
}

function checkSize (fields) {
  let size = 0
  for (const [key, text] of fields) size += key.length + text.length
  if (size <= limits.session / 3) return // whatever its letters
  const bytes = Buffer.byteLength(jsonOf(fields))
  if (bytes > limits.session) throw fail('TOO_LARGE', 'a session of ' + bytes + ' bytes is larger than the ' + limits.session + ' that are possible')
}

/** partsOf cuts a change into some that an engine takes. */
function partsOf ({ set, removed }) {
  const parts = []
  for (let i = 0; i < set.length || parts.length === 0; i += limits.patch) parts.push({ set: set.slice(i, i + limits.patch), removed: [] })
  for (let rest = removed; rest.length > 0;) {
    const last = parts[parts.length - 1]
    const room = limits.patch - last.set.length - last.removed.length
    last.removed = rest.slice(0, room)
    rest = rest.slice(room)
    if (rest.length > 0) parts.push({ set: [], removed: [] })
  }
  return parts
}

function userLabel (value) {
  if (value === undefined || value === null || value === '') return ''
  if (typeof value !== 'string' && !Number.isFinite(value)) throw fail('DATA', 'what option user points at is neither a text nor a number')
  const label = String(value)
  if (Buffer.byteLength(label) > ours.maxUser) throw fail('DATA', 'what option user points at is longer than ' + ours.maxUser + ' bytes')
  return label
}

/** named tells a session's id, as an app that lists sessions wants to know it, without making it part of the session. */
const named = (session, sid) => Object.defineProperty(session, 'id', { value: sid, enumerable: false, configurable: true })

module.exports = { Core, limits }

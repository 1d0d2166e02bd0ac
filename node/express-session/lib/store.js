'use strict'
// The class of the store, made for the express-session that the app uses.

const { Core } = require('./core.js')

const CORE = Symbol('sessioncast.core')

function makeStore (Base) {
  /** Every method takes a callback last; without one it returns a promise. */
  return class SessioncastStore extends Base {
    constructor (options) {
      super(options)
      const core = new Core(options, (...event) => this.emit(...event))
      Object.defineProperty(this, CORE, { value: core })
    }

    createSession (req, plain) {
      super.createSession(req, plain)
      this[CORE].remember(req.sessionID, plain, req.session)
      return req.session
    }

    get (sid, done) { return settle(done, (done) => this[CORE].get(sid, done)) }
    set (sid, session, done) { return settle(done, (done) => this[CORE].set(sid, session, done)) }
    touch (sid, session, done) { return settle(done, (done) => this[CORE].touch(sid, session, done)) }
    destroy (sid, done) { return settle(done, (done) => this[CORE].destroy(sid, done)) }
    all (done) { return settle(done, (done) => this[CORE].all(done)) }
    ids (done) { return settle(done, (done) => this[CORE].ids(done)) }
    length (done) { return settle(done, (done) => this[CORE].length(done)) }
    clear (done) { return settle(done, (done) => this[CORE].clear(done)) }

    /** watch tells what happens to a session, or to all, on any server; done(event), if given, is called for each event. */
    watch (sid, listener) {
      if (typeof sid === 'function') [sid, listener] = [undefined, sid]
      const watch = this[CORE].watch(sid)
      if (listener) watch.on('event', listener)
      return watch
    }

    /** byUser lists the ids of a user's sessions. */
    byUser (id, done) { return settle(done, (done) => this[CORE].byUser(id, done)) }

    /** destroyUser ends all sessions of a user, but for those in options.except; the result is how many, with options.report { ended, unanswered }. */
    destroyUser (id, options, done) {
      if (typeof options === 'function') [options, done] = [undefined, options]
      return settle(done, (done) => this[CORE].destroyUser(id, options || {}, done))
    }

    /** counts are how often something happened since the store was made. */
    get counts () { return { ...this[CORE].counts } }

    /** close ends the connection to the engine. The store cannot be used any more. */
    close () { this[CORE].close() }
  }
}

/** settle gives a callback what comes, or a promise that nobody needs to look at. */
function settle (done, run) {
  if (typeof done === 'function') {
    run(done)
    return undefined
  }
  const promise = new Promise((resolve, reject) => {
    run((error, value) => error ? reject(error) : resolve(value))
  })
  promise.catch(() => {})
  return promise
}

module.exports = { makeStore }

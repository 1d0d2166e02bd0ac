// Answers, line by line, what express-session and cookie-signature make of what the tests in the folder above ask: JSON in, JSON out.
import http from 'node:http'
import readline from 'node:readline'
import session from 'express-session'
import signature from 'cookie-signature'

process.env.NO_DEPRECATION = 'express-session'

// store has one session, of any id, and remembers what is asked of it.
class OneStore extends session.Store {
  constructor (text) {
    super()
    this.text = text
    this.calls = []
    this.asked = null
  }

  get (sid, done) {
    this.asked = sid
    this.calls.push('get')
    done(null, this.text == null ? null : JSON.parse(this.text))
  }

  set (sid, sess, done) {
    this.calls.push('save')
    this.text = JSON.stringify(sess)
    done(null)
  }

  touch (sid, sess, done) {
    this.calls.push('touch')
    done(null)
  }

  destroy (sid, done) {
    this.calls.push('destroy')
    this.text = null
    done(null)
  }
}

const does = {
  nothing: (req, done) => done(),
  set: (req, done) => { Object.assign(req.session, { a: 1 }); done() },
  same: (req, done) => { req.session.user = 'alice'; done() },
  delete: (req, done) => { delete req.session.user; done() },
  back: (req, done) => { req.session.a = 1; delete req.session.a; done() },
  save: (req, done) => { req.session.a = 1; req.session.save(done) },
  twice: (req, done) => { req.session.a = 1; req.session.save((error) => { req.session.b = 2; done(error) }) },
  remember: (req, done) => { req.session.a = 1; req.session.cookie.maxAge = 3600000; done() },
  forget: (req, done) => { req.session.a = 1; req.session.cookie.maxAge = null; done() },
  regenerate: (req, done) => req.session.regenerate(done),
  login: (req, done) => req.session.regenerate((error) => { req.session.user = 'bob'; done(error) }),
  destroy: (req, done) => req.session.destroy(done)
}

// visit is one request: { header, text, options, ids, https, now, does }.
function visit (q) {
  Date.now = () => q.now
  const store = new OneStore(q.text ?? null)
  const ids = [...(q.ids ?? [])]
  const req = {
    method: 'GET', url: q.url ?? '/', originalUrl: q.url ?? '/', connection: { encrypted: Boolean(q.https) },
    headers: q.header == null ? {} : { cookie: Buffer.from(q.header, 'base64').toString('latin1') }
  }
  const res = new http.ServerResponse(req)
  const answer = { error: null }
  const failed = (error) => { if (error) answer.error = String(error.message) }
  const middleware = session({ resave: false, saveUninitialized: false, ...q.options, store, genid: () => ids.shift() ?? 'none left' })
  middleware(req, res, (error) => {
    failed(error)
    if (error || !req.session) return
    answer.seen = JSON.stringify(req.session)
    answer.id = req.sessionID
    answer.inherited = q.inherited ? names(req.session) : undefined
    does[q.does ?? 'nothing'](req, failed)
    answer.last = req.session ? req.sessionID : null
    res.end()
  })
  return {
    ...answer, asked: store.asked, calls: store.calls, stored: store.text,
    sent: res.getHeader('Set-Cookie') ?? []
  }
}

// names are what is found in a session though nobody has put it there.
function names (of) {
  const found = new Set()
  for (let o = of; o; o = Object.getPrototypeOf(o)) Object.getOwnPropertyNames(o).forEach((name) => found.add(name))
  return [...found]
}

const answers = {
  visit,
  sign: (q) => ({ value: signature.sign(q.value, q.secret) }),
  unsign: (q) => ({ value: signature.unsign(q.value, q.secret) })
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const q = JSON.parse(line)
  console.log(JSON.stringify(answers[q.op](q)))
}

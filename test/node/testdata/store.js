'use strict'
// An Express server's store, of the package that is named first, which does what stands on a line of its input, as JSON, and answers
// each with a line. Sessions are read and saved as express-session does it.
const session = require('express-session')
const print = console.log
console.log = () => {} // the original prints express-session's own class
const answer = (line) => print(JSON.stringify(line))
const [, , name, text] = process.argv
const quiet = { debug () {}, info () {}, warn (line) { console.error(line) }, error (line) { console.error(line) }, trace () {} }
const store = new (require(name)(session))({ ...JSON.parse(text), logger: quiet })
store.once('connect', () => answer({ ready: true }))
process.on('uncaughtException', (error) => { console.error(error && error.stack); process.exit(9) })

const request = (sid) => ({ sessionStore: store, sessionID: sid })
const requests = new Map() // under way, by their number

const call = (method, ...args) => new Promise((resolve, reject) => store[method](...args, (error, value) => error ? reject(error) : resolve(value)))
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms) })

async function create (sid, fields, maxAge = 3_600_000) {
  await call('set', sid, Object.assign({ cookie: new session.Cookie({ maxAge }) }, fields))
}

async function open (sid) {
  const plain = await call('get', sid)
  if (!plain) return null
  const req = request(sid)
  store.createSession(req, plain)
  return req.session
}

/** A request that has changed something ends. */
async function end (sid, opened, fields) {
  Object.assign(opened, fields)
  opened.touch()
  await call('set', sid, opened)
}

async function save (number, fields) {
  const { sid, opened } = requests.get(number)
  requests.delete(number)
  await end(sid, opened, fields)
}

const ops = {
  create: ({ sid, fields, maxAge }) => create(sid, fields, maxAge),
  async many ({ sid, count, size, every }) {
    for (let i = 0; i < count; i++) {
      await create(sid + i, { n: 1, pad: 'x'.repeat(size) })
      if (every) await pause(every)
    }
  },
  /** A request that begins: it reads the session. */
  async open ({ sid, number }) { requests.set(number, { sid, opened: await open(sid) }) },
  /** Requests that end at once: each saves what it has changed. */
  save: ({ saves }) => Promise.all(saves.map(({ number, fields }) => save(number, fields))).then(() => undefined),
  async change ({ sids, fields, every }) {
    for (const sid of sids) {
      const opened = await open(sid)
      if (opened) await end(sid, opened, fields)
      if (every) await pause(every)
    }
  },
  async destroy ({ sids, every }) {
    for (const sid of sids) {
      await call('destroy', sid)
      if (every) await pause(every)
    }
  },
  async read ({ sids }) {
    return Promise.all(sids.map(async (sid) => {
      const plain = await call('get', sid)
      if (!plain) return null
      const { cookie, save, ...fields } = JSON.parse(JSON.stringify(plain))
      if (fields.pad) fields.pad = fields.pad.length
      return fields
    }))
  }
}
let rest = ''
process.stdin.on('data', (data) => {
  const lines = (rest + data).split('\n')
  rest = lines.pop()
  for (const text of lines) {
    const line = JSON.parse(text)
    ops[line.op](line).then((value) => answer({ id: line.id, value }), (error) => answer({ id: line.id, error: String(error) }))
  }
})

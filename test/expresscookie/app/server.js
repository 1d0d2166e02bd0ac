// A login of the plainest kind, as in test/express: nothing here knows that a Go service takes part in it.
import express from 'express'
import session from 'express-session'
import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'
import { createRequire } from 'node:module'

async function connectRedis () {
  const client = createClient({ url: 'redis://127.0.0.1:6379' })
  client.on('error', (error) => console.error('redis:', error.code ?? error.message))
  await client.connect()
  return new RedisStore({ client })
}

// ours is the store of node/, from the source tree: it loads nothing but Node's own.
function ours () {
  const Store = createRequire(import.meta.url)(process.env.SCTEST_STORE)(session)
  return new Store({ socket: '127.0.0.1:6379', user: 'user.name' })
}

const store = process.env.SCTEST_STORE ? ours() : await connectRedis()

const app = express()
app.use(express.json())
app.use(session({
  store,
  secret: ['signed in Express', 'signed in Go'],
  resave: false,
  saveUninitialized: false,
  cookie: { maxAge: 30 * 60 * 1000, sameSite: 'lax' }
}))

// express-session loses a millisecond of originalMaxAge at times: it reads the clock twice.
const answer = (req, res) => res.json({
  user: req.session.user?.name ?? null,
  note: req.session.note ?? null,
  minutes: Math.round(req.session.cookie.originalMaxAge / 60000),
  keys: Object.keys(req.session).filter((key) => key.startsWith('key')).length
})

app.get('/me', answer)

app.post('/login', (req, res, next) => {
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = { name: req.body.user, since: new Date() }
    answer(req, res)
  })
})

app.post('/change', (req, res) => {
  req.session.note = req.body.note
  answer(req, res)
})

// What other requests of the session write meanwhile is none of this one's business.
app.post('/key', (req, res) => {
  req.session[req.body.key] = 1
  setTimeout(answer, 100, req, res)
})

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => error ? next(error) : res.json({}))
})

app.use((error, req, res, next) => {
  console.error('request:', error.message)
  res.status(500).json({ error: error.message })
})

app.listen(3000, '127.0.0.1', () => console.log('listening'))

// A login of the plainest kind, as its documentation teaches it: nothing here knows of sessioncast.
import express from 'express'
import session from 'express-session'
import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'

const client = createClient({ url: 'redis://127.0.0.1:6379' })
client.on('error', (error) => console.error('redis:', error.code ?? error.message))
await client.connect()

const app = express()
app.use(express.json())
app.use(session({
  store: new RedisStore({ client, ttl: 3600 }),
  secret: 'of the test',
  resave: false,
  saveUninitialized: false
}))

const answer = (req, res) => res.json({ user: req.session.user ?? null, note: req.session.note ?? null })

app.get('/me', answer)

app.post('/login', (req, res, next) => {
  req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.user = req.body.user
    req.session.save((error) => error ? next(error) : answer(req, res))
  })
})

app.post('/change', (req, res) => {
  req.session.note = req.body.note
  answer(req, res)
})

app.post('/regenerate', (req, res, next) => {
  const { user, note } = req.session
  req.session.regenerate((error) => {
    if (error) return next(error)
    Object.assign(req.session, { user, note })
    answer(req, res)
  })
})

app.post('/logout', (req, res, next) => {
  req.session.destroy((error) => error ? next(error) : res.json({ user: null, note: null }))
})

app.use((error, req, res, next) => {
  console.error('request:', error.message)
  res.status(500).json({ error: error.message })
})

app.listen(3000, '127.0.0.1', () => console.log('listening'))

'use strict'
// An Express app on one of three session stores, as its argument says. It tells its port to who started it.
//
// node app.js memory | redis SOCKET | sessioncast SOCKET

const express = require('express')
const session = require('express-session')
const [kind, where] = process.argv.slice(2)

async function main () {
  const app = express()
  const use = session({
    secret: 'of the benchmark', resave: false, saveUninitialized: false, cookie: { maxAge: 30 * 60 * 1000 }, store: await stores[kind]()
  })
  app.use(use)
  app.post('/login', (req, res) => {
    Object.assign(req.session, { user: { id: req.query.id, name: 'Ann' }, views: 0, filler: filler(Number(req.query.size)) })
    res.end('welcome')
  })
  app.get('/read', (req, res) => answer(req, res))
  app.get('/write', (req, res) => {
    if (req.session.user) req.session.views++
    answer(req, res)
  })
  let requests = 0
  app.get('/mixed', (req, res) => { // one in ten changes its session
    if (req.session.user && ++requests % 10 === 0) req.session.views++
    answer(req, res)
  })
  const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
  server.keepAliveTimeout = 600_000
  process.on('disconnect', () => process.exit())
  process.on('message', () => process.send({ memory: process.memoryUsage().rss }))
}

function answer (req, res) {
  if (!req.session.user) return res.status(401).end('nobody is logged in')
  res.end('hello ' + req.session.user.name)
}

/** filler makes a session about so many bytes long, in several fields as sessions have them. */
function filler (size) {
  const items = []
  while (items.length * 40 < size) items.push({ article: 1000 + items.length, amount: 2, note: 'gift' })
  return items
}

const stores = {
  async memory () { return new session.MemoryStore() },
  async redis () {
    const { createClient } = require('redis')
    const { RedisStore } = require('connect-redis')
    const client = createClient({ socket: { path: where } })
    await client.connect()
    return new RedisStore({ client })
  },
  async sessioncast () {
    const Store = require('@sessioncast/express-session')(session)
    return new Store({ socket: where, gracefulShutdown: false })
  }
}

main()

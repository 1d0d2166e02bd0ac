'use strict'
// Servers with an Express app, and the browsers that ask them.

const http = require('node:http')
const { fromApp, session } = require('./package.js')
const { cluster, eventually, once } = require('./world.js')
const express = fromApp('express')

/** serve runs an app on a server; the session's options may be changed. */
function serve (t, host, { store, ...options } = {}) {
  return serveWith(t, host.store(store), options)
}

/** serveWith does so with a store of any kind. */
async function serveWith (t, store, options) {
  const app = express()
  const waiting = new Map()
  app.use(express.json())
  app.use(session({ secret: 'of the test', resave: false, saveUninitialized: false, store, ...options }))
  const answer = (req, res) => res.json({ ...req.session, cookie: undefined })
  app.get('/me', answer)
  app.post('/login', (req, res, next) => req.session.regenerate((error) => {
    if (error) return next(error)
    req.session.passport = { user: req.body.user }
    req.session.save((error) => error ? next(error) : answer(req, res))
  }))
  app.post('/set', (req, res) => {
    Object.assign(req.session, req.body)
    answer(req, res)
  })
  app.post('/slow/:name', (req, res) => { // answers when it is told to
    Object.assign(req.session, req.body)
    waiting.set(req.params.name, () => answer(req, res))
  })
  app.post('/reload', (req, res, next) => req.session.reload((error) => error ? next(error) : answer(req, res)))
  app.post('/logout', (req, res, next) => req.session.destroy((error) => error ? next(error) : res.json({})))
  app.use((error, req, res, next) => {
    errors.push(error)
    if (!res.headersSent) res.status(500).json({ error: error.message })
  })
  const errors = []
  const server = app.listen(0, '127.0.0.1')
  server.keepAliveTimeout = 0 // a connection that is closed for idleness as a request leaves on it would be the browser's to mend
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { store, errors, port: server.address().port, slow: (name) => eventually(name + ' is under way', () => waiting.get(name)) }
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })

/** User is a browser: it keeps one cookie for all servers. */
class User {
  constructor () { this.cookie = '' }

  ask (server, method, path, body) {
    return new Promise((resolve, reject) => {
      const content = body === undefined ? '' : JSON.stringify(body)
      const request = http.request({ agent, method, path, port: server.port, host: '127.0.0.1', headers: { cookie: this.cookie, 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) } }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => { text += chunk })
        response.on('end', () => {
          const set = response.headers['set-cookie']
          if (set) this.cookie = set[0].split(';')[0]
          if (response.statusCode !== 200) return reject(new Error(response.statusCode + ' ' + text))
          resolve(Object.defineProperty(JSON.parse(text), 'cookieSet', { value: set !== undefined }))
        })
      })
      request.on('error', reject)
      request.end(content)
    })
  }

  get (server) { return this.ask(server, 'GET', '/me') }
  post (server, path, body) { return this.ask(server, 'POST', path, body) }
  get sid () { return decodeURIComponent(this.cookie.split('=')[1]).slice(2).split('.')[0] }
}

/** three servers that have found each other. What one answered is on all before it did. */
async function three (t, options) {
  const hosts = cluster(t, 3)
  const servers = await Promise.all(hosts.map((host) => serve(t, host, { ...options, store: { ack: 'all', ...(options && options.store) } })))
  await Promise.all(servers.map(({ store }) => store.get('x')))
  await eventually('all see all', async () => {
    const user = new User()
    await user.post(servers[0], '/set', { meet: 1 })
    return (await user.get(servers[1])).meet && (await user.get(servers[2])).meet
  })
  return servers
}

module.exports = { serve, serveWith, three, User }

'use strict'
// A chat for users who are logged in. Whoever logs out, on any server and in any tab, loses all connections at once.
// npm install express express-session ws @sessioncast/express-session

const http = require('node:http')
const express = require('express')
const session = require('express-session')
const { WebSocketServer } = require('ws')
const Store = require('@sessioncast/express-session')(session)

const store = new Store({ user: 'user' })
const sessions = session({ store, secret: process.env.SESSION_SECRET ?? 'change me', resave: false, saveUninitialized: false })

const app = express()
app.use(express.json(), sessions)
app.post('/login', (req, res, next) => req.session.regenerate((error) => {
  if (error) return next(error)
  req.session.user = req.body.user
  res.json({ user: req.session.user })
}))
app.post('/logout', (req, res, next) => req.session.destroy((error) => error ? next(error) : res.json({})))
app.post('/logout-everywhere', (req, res, next) => {
  if (!req.session.user) return res.status(401).json({})
  store.destroyUser(req.session.user).then((ended) => res.json({ ended }), next)
})

const server = http.createServer(app)
const sockets = new WebSocketServer({ noServer: true })
server.on('upgrade', (req, socket, head) => {
  socket.on('error', () => socket.destroy()) // who hangs up while the session is read would end the process
  sessions(req, {}, () => {
    if (!req.session || !req.session.user) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
    sockets.handleUpgrade(req, socket, head, (ws) => welcome(ws, req.session.user, req.sessionID))
  })
})

function welcome (ws, user, sid) {
  const watch = store.watch(sid)
  const end = () => ws.close(4001, 'logged out')
  watch.once('destroyed', end)
  watch.once('expired', end)
  ws.once('close', () => watch.close())
  ws.on('error', () => ws.terminate())
  ws.on('message', (text) => {
    for (const each of sockets.clients) if (each.readyState === each.OPEN) each.send(`${user}: ${text}`)
  })
}

server.listen(process.env.PORT ?? 3000, process.env.HOST, () => {
  console.log('listening on port', server.address().port)
})

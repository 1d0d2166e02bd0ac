'use strict'
// What is done at the same moment on several servers, or on one right after another.
const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { fromApp } = require('./package.js')
const { lacksProgram } = require('./need.js')
const { serveWith, three, User } = require('./servers.js')
const { eventually, once, tempDir } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'uses loopback as Linux has it' }

/** setAll makes 200 requests at once on one session, over all servers, each setting a key of its own; it resolves to the user. */
async function setAll (servers) {
  const ann = new User()
  await ann.post(servers[0], '/login', { user: 'ann' })
  const { cookie } = ann
  await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const tab = Object.assign(new User(), { cookie })
    await tab.post(servers[i % servers.length], '/set', { ['key' + i]: i })
  }))
  return ann
}

test('200 requests at once on one session, over three servers, lose no key', linux, async (t) => {
  const servers = await three(t)
  const ann = await setAll(servers)
  for (const server of servers) {
    await eventually('every key is there', async () => Object.keys(await ann.get(server)).length === 201)
  }
  assert.deepEqual(servers.map((s) => s.store.counts.conflicts), [0, 0, 0])
})

test('the same requests lose keys with connect-redis', linux, async (t) => {
  if (lacksProgram(t, 'redis-server')) return
  const { createClient } = fromApp('redis')
  const { RedisStore } = fromApp('connect-redis')
  const socket = path.join(tempDir(t), 'redis')
  const redis = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', path.dirname(socket)], { stdio: 'ignore' })
  t.after(() => { redis.kill('SIGKILL') })
  await eventually('Redis listens', () => fs.existsSync(socket))
  const servers = await Promise.all([1, 2, 3].map(async () => {
    const client = createClient({ socket: { path: socket } })
    client.on('error', () => {})
    await client.connect()
    t.after(() => client.destroy())
    return serveWith(t, new RedisStore({ client }), {})
  }))
  const ann = await setAll(servers)
  const kept = Object.keys(await ann.get(servers[0])).filter((key) => /^key/.test(key)).length
  t.diagnostic(`connect-redis lost ${200 - kept} of 200 keys`)
  assert.ok(kept >= 1, 'the last writer\'s is there')
  assert.ok(kept < 200, 'else the requests would not have met each other')
})

test('a logout during slow requests, one on each server, stays on all, and the slow requests are answered', linux, async (t) => {
  const servers = await three(t)
  const ann = new User()
  await ann.post(servers[0], '/login', { user: 'ann' })
  const refused = servers.map(({ store }) => once(store, 'refused'))
  const slow = servers.map((server) => Object.assign(new User(), { cookie: ann.cookie }).post(server, '/slow/one', { late: true }))
  const finish = await Promise.all(servers.map((server) => server.slow('one')))
  await Object.assign(new User(), { cookie: ann.cookie }).post(servers[0], '/logout')
  for (const answer of finish) answer()
  for (const page of await Promise.all(slow)) assert.equal(page.late, true)
  for (const event of await Promise.all(refused)) assert.deepEqual(event, { operation: 'set', sid: ann.sid })
  for (const server of servers) assert.deepEqual(await Object.assign(new User(), { cookie: ann.cookie }).get(server), {})
  assert.deepEqual(servers.flatMap((s) => s.errors), [])
})

test('a login is seen by the next request on another server, 10,000 of 10,000 times', linux, async (t) => {
  const servers = await three(t)
  let [logins, missed] = [0, 0]
  const people = Array.from({ length: 8 }, async () => {
    while (logins < 10_000) {
      const n = logins++
      const user = new User()
      await user.post(servers[n % 3], '/login', { user: 'u' + n })
      const { passport } = await user.get(servers[(n + 1) % 3])
      if (!passport || passport.user !== 'u' + n) missed++
    }
  })
  await Promise.all(people)
  assert.deepEqual([logins, missed], [10_000, 0])
})

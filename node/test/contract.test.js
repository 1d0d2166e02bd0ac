'use strict'
// What express-session expects of a store, each asked of its own MemoryStore as well: what that does is right by definition.
const assert = require('node:assert/strict')
const http = require('node:http')
const { after, test } = require('node:test')
const { session } = require('./package.js')
const { cluster, eventually, once } = require('./world.js')

const linux = process.platform === 'linux' ? {} : { skip: 'uses loopback as Linux has it' }
const [host] = linux.skip ? [] : cluster({ after }, 1)
let made = 0
const stores = [['MemoryStore', () => new session.MemoryStore()], ['this store', () => host.store({ prefix: `p${++made}:` })]]
const promised = (store, method, ...args) => new Promise((resolve, reject) => store[method](...args, (error, value) => error ? reject(error) : resolve(value)))

/** serve runs a server on which a request does one thing; it resolves to ask(cookie, path), which gives { status, text, cookie }. */
async function serve (t, options, respond) {
  const middleware = session({ secret: 'of the test', resave: false, saveUninitialized: true, cookie: { maxAge: 60_000 }, ...options })
  const server = http.createServer((req, res) => middleware(req, res, async (error) => {
    try {
      if (error) throw error
      await respond(req, res)
    } catch (error) {
      res.statusCode = 500
      res.end(error.message)
    }
  }))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return async (cookie = '', path = '/') => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { cookie } })
    const [set] = response.headers.getSetCookie()
    return { status: response.status, text: await response.text(), set, cookie: set ? set.split(';')[0] : cookie }
  }
}

/** both is a test of each store. */
function both (name, run) {
  test(name, linux, async (t) => {
    for (const [kind, make] of stores) await t.test(kind, (t) => run(t, make))
  })
}

both('a session that was saved has an id, is found by its cookie, and by the store', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => {
    req.session.views = (req.session.views || 0) + 1
    res.end(req.sessionID)
  })
  const first = await ask()
  const again = await ask(first.cookie)
  assert.equal(again.text, first.text)
  assert.equal((await promised(store, 'get', first.text)).views, 2)
  assert.equal(await promised(store, 'length'), 1)
  assert.notEqual((await ask()).text, first.text)
  assert.equal(await promised(store, 'length'), 2)
})

both('a session is saved before its response ends, be it empty, in pieces or of a given length', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => {
    req.session.hit = true
    res.setHeader('x-id', req.sessionID)
    if (req.url === '/empty') return res.end()
    if (req.url === '/length') res.setHeader('content-length', String(req.sessionID.length))
    if (req.url === '/pieces') res.write(req.sessionID.slice(0, 5))
    res.end(req.url === '/pieces' ? req.sessionID.slice(5) : req.sessionID)
  })
  for (const path of ['/', '/length', '/pieces']) assert.equal((await promised(store, 'get', (await ask('', path)).text)).hit, true, path)
  assert.equal((await ask('', '/empty')).text, '')
  assert.equal(await promised(store, 'length'), 4)
})

both('an id that the store does not have, or that is signed wrongly, gets a new session with another id', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => res.end(req.sessionID))
  const first = await ask()
  await promised(store, 'destroy', first.text)
  const gone = await ask(first.cookie)
  assert.notEqual(gone.text, first.text)
  assert.ok(gone.set)
  const forged = await ask(gone.cookie.slice(0, -1) + (gone.cookie.endsWith('A') ? 'B' : 'A'))
  assert.notEqual(forged.text, gone.text)
  assert.equal(await promised(store, 'length'), 2)
})

both('a session that has ended is not in the store, and its cookie gets a new one', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store, cookie: { maxAge: 30 } }, (req, res) => res.end(req.sessionID))
  const { text, cookie } = await ask()
  await eventually('it has ended', async () => !await promised(store, 'get', text))
  assert.notEqual((await ask(cookie)).text, text)
  await eventually('both have ended', async () => (await promised(store, 'all'), await promised(store, 'length')) === 0)
})

both('a session without a cookie is an error', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => res.end(req.sessionID))
  const { text, cookie } = await ask()
  await promised(store, 'set', text, { foo: 'bar' })
  const { status, text: message } = await ask(cookie)
  assert.equal(status, 500)
  assert.match(message, /Cannot read prop/)
})

both('a session has no keys but its data and its cookie, whatever names the data has', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => {
    const keys = []
    for (const key in req.session) keys.push(key)
    res.end(JSON.stringify({ keys, id: req.sessionID, methods: typeof req.session.save }))
    req.session.user = 'ann'
  })
  const { text, cookie } = await ask()
  const { id, keys } = JSON.parse(text)
  assert.deepEqual(keys, ['cookie'])
  const stored = JSON.parse(JSON.stringify(await promised(store, 'get', id)))
  await promised(store, 'set', id, { ...stored, id: 'x', req: 'y', save: 'z', name: 'ann', constructor: 'c', __proto__: null })
  const again = JSON.parse((await ask(cookie)).text)
  assert.equal(again.id, id)
  assert.equal(again.methods, 'function')
  assert.deepEqual(again.keys.filter((key) => !['constructor', 'user'].includes(key)).sort(), ['cookie', 'name'])
})

both('the end moves with every request, in the store and in the cookie that is read from it', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => res.end(req.sessionID))
  const { text, cookie, set } = await ask()
  const end = async () => new Date((await promised(store, 'get', text)).cookie.expires)
  const first = await end()
  assert.equal(first.toUTCString(), /Expires=([^;]+)/.exec(set)[1], 'the store has the end that the browser has')
  await eventually('a request moved the end by 100 ms', async () => {
    await ask(cookie)
    return await end() - first > 100
  })
})

both('req.session.touch, originalMaxAge and a changed maxAge are kept from request to request', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store, resave: true }, (req, res) => {
    if (req.url === '/longer') req.session.cookie.maxAge = 3_600_000
    req.session.touch()
    res.end(JSON.stringify({ original: req.session.cookie.originalMaxAge, left: req.session.cookie.maxAge }))
  })
  const { cookie, text } = await ask()
  assert.equal(Math.round(JSON.parse(text).original / 1000), 60)
  for (const [path, seconds] of [['/', 60], ['/longer', 3600], ['/', 3600]]) {
    const page = JSON.parse((await ask(cookie, path)).text)
    assert.equal(Math.round(page.original / 1000), seconds)
    assert.equal(Math.round(page.left / 1000), seconds)
  }
})

both('without a maxAge the cookie ends with the browser, and the store has no end for it', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store, cookie: {} }, (req, res) => res.end(req.sessionID))
  const { text, set, cookie } = await ask()
  assert.doesNotMatch(set, /Expires/)
  assert.equal((await promised(store, 'get', text)).cookie.expires || null, null)
  assert.equal((await ask(cookie)).text, text)
})

both('which requests call set and which touch', async (t, make) => {
  for (const resave of [false, true]) {
    for (const saveUninitialized of [false, true]) {
      const store = make()
      const calls = []
      for (const method of ['set', 'touch', 'destroy']) {
        const own = store[method]
        store[method] = function (...args) {
          calls.push(method)
          return own.apply(this, args)
        }
      }
      const ask = await serve(t, { store, resave, saveUninitialized }, async (req, res) => {
        if (req.url === '/change') req.session.n = (req.session.n || 0) + 1
        if (req.url === '/cookie') req.session.cookie.maxAge = 120_000
        if (req.url === '/save') await new Promise((resolve) => { req.session.n = 'saved'; req.session.save(resolve) })
        if (req.url === '/null') req.session = null
        res.end()
      })
      const of = async (path, cookie) => {
        const { cookie: next } = await ask(cookie, path)
        return [calls.splice(0).join(' '), next]
      }
      const name = JSON.stringify({ resave, saveUninitialized })
      assert.equal((await of('/'))[0], saveUninitialized ? 'set' : '', name)
      const [made, cookie] = await of('/change')
      assert.equal(made, 'set', name)
      assert.equal((await of('/', cookie))[0], resave ? 'set' : 'touch', name)
      assert.equal((await of('/change', cookie))[0], 'set', name)
      assert.equal((await of('/save', cookie))[0].split(' ')[0], 'set', name)
      assert.equal((await of('/null', cookie))[0], '', name + ' keeps a session that a request sets to null')
      assert.equal((await ask(cookie)).cookie, cookie)
    }
  }
})

both('unset: destroy destroys the session that a request sets to null', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store, unset: 'destroy' }, (req, res) => {
    const id = req.sessionID
    if (req.url === '/null') req.session = null
    res.end(id)
  })
  const { text, cookie } = await ask()
  await ask(cookie, '/null')
  assert.equal(await promised(store, 'get', text) || null, null)
  assert.equal((await ask('', '/null')).set, undefined, 'one that was never saved is none')
  assert.equal(await promised(store, 'length'), 0)
})

both('regenerate, destroy, reload and save', async (t, make) => {
  const store = make()
  const call = (req, method) => new Promise((resolve, reject) => req.session[method]((error) => error ? reject(error) : resolve()))
  const steps = {
    '/': () => {},
    '/regenerate': (req) => call(req, 'regenerate'),
    '/destroy': (req) => call(req, 'destroy'),
    '/reload': async (req) => {
      req.session.n = 'not saved'
      await promised(store, 'set', req.sessionID, { ...JSON.parse(JSON.stringify(req.session)), n: 'of another' })
      await call(req, 'reload')
    },
    '/lost': async (req) => {
      await promised(store, 'destroy', req.sessionID)
      await call(req, 'reload')
    },
    '/save': async (req) => {
      req.session.n = 'saved'
      await call(req, 'save')
    }
  }
  const ask = await serve(t, { store }, async (req, res) => {
    const before = req.sessionID
    await steps[req.url](req)
    res.end(JSON.stringify({ before, after: req.sessionID, n: req.session && req.session.n }))
  })
  let { cookie, text } = await ask()
  const step = async (path) => {
    const answer = await ask(cookie, path)
    cookie = answer.cookie
    return answer.status === 200 ? JSON.parse(answer.text) : answer.text
  }
  const { after: id } = JSON.parse(text)
  assert.equal((await step('/save')).n, 'saved')
  assert.equal((await promised(store, 'get', id)).n, 'saved')
  assert.equal((await step('/reload')).n, 'of another')
  const renewed = await step('/regenerate')
  assert.notEqual(renewed.after, renewed.before)
  assert.equal(await promised(store, 'get', renewed.before) || null, null)
  assert.ok(await promised(store, 'get', renewed.after))
  assert.equal(await step('/lost'), 'failed to load session')
  const { before } = await step('/')
  await step('/destroy')
  assert.equal(await promised(store, 'get', before) || null, null)
})

both('while a store says that it is away requests have no session', async (t, make) => {
  const store = make()
  const ask = await serve(t, { store }, (req, res) => res.end(String(req.session !== undefined)))
  assert.equal((await ask()).text, 'true')
  store.emit('disconnect')
  assert.equal((await ask()).text, 'false')
  store.emit('connect')
  assert.equal((await ask()).text, 'true')
})

for (const [method, path, how] of [['get', '/', 'with a cookie'], ['set', '/change', 'at the end'], ['touch', '/', 'at the end'], ['destroy', '/destroy', 'of the app']]) {
  both(`an error of ${method} reaches the app`, async (t, make) => {
    const store = make()
    const seen = []
    const ask = await serve(t, { store }, async (req, res) => {
      if (req.url === '/change') req.session.n = Math.random()
      if (req.url === '/destroy') await new Promise((resolve, reject) => req.session.destroy((error) => error ? reject(error) : resolve()))
      res.end('fine')
    })
    const { cookie } = await ask()
    store[method] = (...args) => {
      seen.push(method)
      setImmediate(args.at(-1), new Error('of the store'))
    }
    await ask(cookie, path).catch(() => {})
    assert.deepEqual(seen, [method], how)
  })
}

both('all gives every session, and clear leaves none', async (t, make) => {
  const store = make()
  const ids = ['a', 'ü', 'with space:and%:*?[x]']
  for (const [n, id] of ids.entries()) await promised(store, 'set', id, { cookie: {}, n })
  const all = Object.values(await promised(store, 'all'))
  assert.deepEqual(all.map((s) => s.n).sort(), [0, 1, 2])
  for (const [n, id] of ids.entries()) assert.equal((await promised(store, 'get', id)).n, n)
  await promised(store, 'clear')
  assert.equal(await promised(store, 'length'), 0)
  assert.equal(await promised(store, 'get', 'a') || null, null)
  await promised(store, 'destroy', 'a')
})

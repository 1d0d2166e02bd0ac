'use strict'
// Loaded by mocha before express-session's own tests: wherever they or express-session make a MemoryStore they get a store of ours,
// each with a prefix of its own, so that it begins as empty. All use one engine.

const { createRequire } = require('node:module')
const path = require('node:path')

const inSuite = createRequire(path.join(process.cwd(), 'suite.js'))
const sessioncast = createRequire(path.join(process.env.SCTEST_APP, 'app.js'))('@sessioncast/express-session')
const Store = sessioncast({ Store: inSuite('./session/store.js') })
const options = JSON.parse(process.env.SCTEST_OPTIONS)
let made = 0

class MemoryStore extends Store {
  constructor () { super({ ...options, gracefulShutdown: false, prefix: 's' + (++made) + ':' }) }
}

const filename = inSuite.resolve('./session/memory.js')
require.cache[filename] = { id: filename, filename, loaded: true, exports: MemoryStore }
process.on('exit', () => console.log('stores made: ' + made))

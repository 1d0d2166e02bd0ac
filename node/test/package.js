'use strict'
// What is tested: the packages as they were installed into a folder. Run by run.mjs, which makes it.

const { createRequire } = require('node:module')
const path = require('node:path')

const app = process.env.SCTEST_APP
if (!app) throw new Error('run the tests with: node node/test/run.mjs')
const fromApp = createRequire(path.join(app, 'app.js'))

module.exports = {
  app,
  dist: process.env.SCTEST_DIST,
  fromApp,
  session: fromApp('express-session'),
  sessioncast: fromApp('@sessioncast/express-session'),
  /** lib loads a file of the package that the outside has no access to. */
  lib: (file) => require(path.join(app, 'node_modules/@sessioncast/express-session/lib', file))
}

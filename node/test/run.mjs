// Packs the packages with an engine for this system, installs them as an app would, and runs the tests against what was installed.
// node node/test/run.mjs [file ...]; DIST names packages that were built before, APP a folder in which they are installed.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installApp } from './install.mjs'
import { serveRegistry } from './registry.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const made = []
let status = 1
try {
  let dist = process.env.DIST
  if (!dist) {
    made.push(dist = mkdtempSync(join(tmpdir(), 'scdist-')))
    execFileSync(process.execPath, [join(here, '..', 'build.mjs')], {
      stdio: 'inherit', env: { ...process.env, DIST: dist, PLATFORMS: process.env.PLATFORMS || `${process.platform}-${process.arch}` }
    })
  }
  let app = process.env.APP
  if (!app) {
    const registry = await serveRegistry(dist)
    app = await installApp(registry)
    registry.close()
    made.push(dirname(app))
  }
  const chosen = process.argv.slice(2)
  const files = (chosen.length > 0 ? chosen : readdirSync(here).filter((name) => name.endsWith('.test.js'))).map((name) => join(here, name))
  status = spawnSync(process.execPath, ['--test', '--test-concurrency=2', ...files], {
    stdio: 'inherit', env: { ...process.env, SCTEST_APP: app, SCTEST_DIST: dist }
  }).status
} finally {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
}
process.exit(status ?? 1)

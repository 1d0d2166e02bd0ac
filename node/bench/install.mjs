// Packs the store with an engine for this system and installs it beside what the benchmark needs; prints the folder.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { emptyFolder, npm } from '../test/install.mjs'
import { serveRegistry } from '../test/registry.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const dist = mkdtempSync(join(tmpdir(), 'scdist-'))
execFileSync(process.execPath, [join(here, '..', 'build.mjs')], {
  stdio: ['ignore', 2, 2], env: { ...process.env, DIST: dist, PLATFORMS: `${process.platform}-${process.arch}` }
})
const registry = await serveRegistry(dist)
const app = emptyFolder()
cpSync(join(here, 'package.json'), join(app, 'package.json'))
await npm(app, 'install', '--ignore-scripts', '--no-package-lock')
await npm(app, 'install', '--no-save', '--no-package-lock', '--ignore-scripts', `--@sessioncast:registry=${registry.url}`, '@sessioncast/express-session')
registry.close()
rmSync(dist, { recursive: true, force: true })
console.log(app)

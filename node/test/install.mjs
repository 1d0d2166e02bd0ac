// Installs the packed packages into an empty folder, beside what an Express app has.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
export const npm = (folder, ...args) => promisify(execFile)('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], {
  cwd: folder, shell: process.platform === 'win32', env: cleanEnv()
})

/** cleanEnv is the environment without what npm tells the scripts that it runs. */
function cleanEnv () {
  const env = {}
  for (const [name, value] of Object.entries(process.env)) if (!/^npm_|^SESSIONCAST_/i.test(name)) env[name] = value
  return env
}

/** emptyFolder makes a folder with a package.json and nothing else. */
export function emptyFolder () {
  const folder = mkdtempSync(join(tmpdir(), 'scnode-'))
  mkdirSync(join(folder, 'app'))
  return join(folder, 'app')
}

/** installApp installs Express and express-session, as the lock file has them, and the store from the registry. */
export async function installApp (registry, { spec = '@sessioncast/express-session', flags = ['--ignore-scripts'] } = {}) {
  const folder = emptyFolder()
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(here, 'app', file), join(folder, file))
  await npm(folder, 'ci', '--ignore-scripts')
  await npm(folder, 'install', '--no-save', ...flags, `--@sessioncast:registry=${registry.url}`, spec)
  return folder
}

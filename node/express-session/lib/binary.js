'use strict'
// The engine's program: it comes in a package of its own for each platform, of which the package manager installs the one that
// fits. No script runs at installation.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { fail } = require('./errors.js')

const known = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-arm64', 'win32-x64']
const override = 'SESSIONCAST_BINARY'

const packageOf = (platform) => '@sessioncast/engine-' + platform
const fileOf = (platform) => platform.startsWith('win32') ? 'bin/sessioncast.exe' : 'bin/sessioncast'

/** The table of hashes is made when the packages are. */
function readHashes () {
  try {
    return require('./engines.json')
  } catch (error) {
    throw fail('BINARY', 'this is the source of @sessioncast/express-session, not the package: run make npm, or name a program with ' + override, error)
  }
}

/** ownVersion is the version of the engine that belongs to this package, null where another is named or the package was not built. */
function ownVersion (env = process.env) {
  if (env[override]) return null
  try { return readHashes().version } catch { return null }
}

/**
 * findBinary gives the path of the engine's program, once its content was seen to be that which belongs to this package. The
 * folder takes a copy where the package lies inside an archive or may not be executed.
 */
async function findBinary (folder, { env = process.env, platform = process.platform + '-' + process.arch, resolve = require.resolve, hashes } = {}) {
  if (env[override]) return overridden(env[override])
  if (!known.includes(platform)) {
    throw fail('BINARY', 'there is no engine for ' + platform + ': build one with Go (go build ./cmd/sessioncast) and name it with ' + override)
  }
  const table = hashes || readHashes()
  const found = locate(platform, table.version, resolve)
  const content = await fs.promises.readFile(found)
  const hash = crypto.createHash('sha256').update(content).digest('hex')
  if (hash !== table.sha256[platform]) {
    throw fail('BINARY', found + ' is not the program that belongs to @sessioncast/express-session ' + table.version +
      ': install both again, as npm install @sessioncast/express-session@' + table.version)
  }
  return runnable(found, content, hash, folder)
}

function overridden (file) {
  if (!path.isAbsolute(file)) throw fail('BINARY', override + ' is ' + JSON.stringify(file) + ': give the whole path')
  try {
    fs.accessSync(file, fs.constants.X_OK)
  } catch (error) {
    throw fail('BINARY', override + ' names ' + file + ', which cannot be executed', error)
  }
  return file
}

function locate (platform, version, resolve) {
  const name = packageOf(platform)
  let manifest
  try {
    manifest = resolve(name + '/package.json')
  } catch (error) {
    throw fail('BINARY', missing(platform, version, resolve), error)
  }
  const has = JSON.parse(fs.readFileSync(manifest, 'utf8')).version
  if (has !== version) {
    throw fail('BINARY', name + ' is version ' + has + ', and ' + version + ' is wanted: run npm install ' + name + '@' + version)
  }
  return path.join(path.dirname(manifest), fileOf(platform))
}

/** missing says why a platform's package may not be there, and what to do. */
function missing (platform, version, resolve) {
  const others = known.filter((other) => {
    try { return other !== platform && resolve(packageOf(other) + '/package.json') } catch { return false }
  })
  if (others.length > 0) {
    return 'the engine for ' + others.join(' and ') + ' is installed here, and this is ' + platform + ': node_modules seems to have been copied from another ' +
      'system. Install on the system that runs the app (npm ci), or for both: npm install --os=' + platform.split('-')[0] + ' --cpu=' + platform.split('-')[1]
  }
  return 'the package ' + packageOf(platform) + ' is not installed. It is an optional dependency: --omit=optional, --no-optional or a lock file made on another ' +
    'system leaves it out. Run: npm install ' + packageOf(platform) + '@' + version
}

/** runnable gives a file that the system can execute. */
function runnable (found, content, hash, folder) {
  const archived = /\.zip[\\/]/.test(found) // Yarn's Plug'n'Play
  if (!archived) {
    try {
      fs.accessSync(found, fs.constants.X_OK)
      return found
    } catch {}
  }
  const copy = path.join(folder, 'engine-' + hash.slice(0, 16) + path.extname(found))
  if (!fs.existsSync(copy)) {
    const part = copy + '.' + process.pid
    fs.writeFileSync(part, content, { mode: 0o700 })
    fs.renameSync(part, copy)
  }
  return copy
}

module.exports = { findBinary, ownVersion, known, packageOf, fileOf, override }

'use strict'
// Other people's tools that a test runs, as tools.json pins them, installed into a folder of the test's own.

const fs = require('node:fs')
const path = require('node:path')
const pinned = require('./tools.json')
const { lacks } = require('./need.js')
const { tempDir } = require('./world.js')

/** installTool resolves to the folder with a tool's node_modules; where npm cannot have it the test is skipped aloud, and there is none. */
async function installTool (t, name) {
  const { npm } = await import('./install.mjs')
  const folder = tempDir(t)
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, ...pinned[name] }))
  try {
    await npm(folder, 'install', '--ignore-scripts', '--prefer-offline', '--no-package-lock')
  } catch (error) {
    lacks(t, `npm cannot install ${name} ${JSON.stringify(pinned[name].dependencies)}: ${String(error.stderr || error).trim().split('\n')[0]}`)
    return undefined
  }
  return folder
}

module.exports = { installTool }

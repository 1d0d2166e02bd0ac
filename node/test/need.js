'use strict'
// What a test needs that may not be there.

const fs = require('node:fs')
const path = require('node:path')

/** lacks skips a test, aloud, for want of something, and fails it where SCTEST_STRICT asks for everything. It returns true. */
function lacks (t, what) {
  if (process.env.SCTEST_STRICT) throw new Error(what + ', and SCTEST_STRICT asks for everything')
  t.skip('SKIPPED: ' + what)
  return true
}

/** lacksProgram looks for a program in the PATH. */
function lacksProgram (t, name) {
  const found = process.env.PATH.split(path.delimiter).some((dir) => fs.existsSync(path.join(dir, name)))
  return !found && lacks(t, name + ' is not installed')
}

module.exports = { lacks, lacksProgram }

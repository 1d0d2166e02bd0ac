'use strict'
// Processes by their numbers.

const fs = require('node:fs')

/** alive tells whether a process runs. One that has ended stays in the table where nobody asks for its end, as in a container whose first process is the app. */
function alive (pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  return !isZombie(pid)
}

function isZombie (pid) {
  try {
    const stat = fs.readFileSync('/proc/' + pid + '/stat', 'latin1')
    return stat[stat.lastIndexOf(')') + 2] === 'Z'
  } catch {
    return false
  }
}

/**
 * isEngine tells whether an engine has this number here. An engine tells the number that it has where it runs, and one whose socket is in a folder that
 * containers share may run in another of them: there the number is somebody else's.
 */
function isEngine (pid) {
  if (!(pid > 1)) return false
  if (process.platform !== 'linux') return true
  try {
    return fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\0')[1] === 'serve'
  } catch {
    return false
  }
}

/** endEngine has an engine say goodbye and end. */
function endEngine (pid) {
  if (!isEngine(pid)) return
  try { process.kill(pid, 'SIGTERM') } catch {}
}

module.exports = { alive, isEngine, endEngine }

'use strict'
// A lock file keeps the processes of an app from starting an engine each. It is a courtesy only: of two engines with one name the
// second ends by itself.

const fs = require('node:fs')

const startOfProcess = Date.now() - process.uptime() * 1000
const slack = 1000 // ms by which clocks of files are behind, or the process's uptime is counted from later

/** lock takes the lock, also from a process that is gone or has held it for longer than ms; false where another has it. */
function lock (file, ms) {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 })
      return true
    } catch (error) {
      if (error.code !== 'EEXIST') return without(file)
    }
    if (!removeStale(file, ms)) return false
  }
  return false
}

/** without goes on where no lock can be written, as on a full disk: an engine does not need one. What was begun is not left for others to wait for. */
function without (file) {
  try { fs.unlinkSync(file) } catch {}
  return true
}

/** removeStale removes the lock of who is gone, and nobody else's: what was moved away is looked at again before it is removed. */
function removeStale (file, ms) {
  try {
    const held = holder(file)
    if (!stale(held, ms)) return false
    const aside = file + '.' + process.pid
    fs.renameSync(file, aside)
    const moved = holder(aside)
    if (moved.pid !== held.pid || moved.since !== held.since) {
      fs.renameSync(aside, file)
      return false
    }
    fs.unlinkSync(aside)
    return true
  } catch (error) {
    if (error.code === 'ENOENT') return true
    throw error
  }
}

const holder = (file) => ({ pid: Number(fs.readFileSync(file, 'utf8')), since: fs.statSync(file).mtimeMs })

function stale ({ pid, since }, ms) {
  if (Math.abs(Date.now() - since) > ms) return true
  if (!(pid > 0)) return false // it is just being written
  if (pid === process.pid && since < startOfProcess - slack) return true // in a container that starts again every app has the same
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code !== 'EPERM'
  }
}

function unlock (file) {
  try {
    if (holder(file).pid === process.pid) fs.unlinkSync(file)
  } catch {}
}

module.exports = { lock, unlock }

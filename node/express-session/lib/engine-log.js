'use strict'
// What an engine prints goes to a file beside its socket, since it outlives the process that started it. Who started it hands the
// lines on to the app's logger.

const fs = require('node:fs')

const limits = {
  file: 4 << 20, // bytes; then it is emptied
  read: 64 << 10, // in one look
  every: 1000 // ms
}

/** open opens the file for an engine to be started, and gives its descriptor and where the engine's lines will begin. */
function open (file) {
  const fd = fs.openSync(file, 'a', 0o600)
  if (fs.fstatSync(fd).size > limits.file) fs.ftruncateSync(fd)
  return { fd, at: fs.fstatSync(fd).size }
}

/** complaints are the lines in which a program says why it ended. */
function complaints (file, at) {
  const text = read(file, at).toString('utf8')
  const own = text.split('\n').filter((line) => line.startsWith('sessioncast: ')).map((line) => line.slice('sessioncast: '.length))
  return own.join('; ') || text.trim().split('\n').pop()
}

function read (file, at) {
  let fd
  try {
    fd = fs.openSync(file, 'r')
    const buffer = Buffer.alloc(Math.min(Math.max(fs.fstatSync(fd).size - at, 0), limits.read))
    return buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, at))
  } catch {
    return Buffer.alloc(0)
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** Follower hands the lines of a running engine to a logger. It holds no process. */
class Follower {
  constructor (file, at, log) {
    this.file = file
    this.at = at
    this.log = log
    this.timer = setInterval(() => this.look(), limits.every)
    this.timer.unref()
  }

  look () {
    const content = read(this.file, this.at)
    const end = content.lastIndexOf(10) + 1
    this.at += end
    for (const line of content.toString('utf8', 0, end).split('\n')) this.tell(line)
    if (this.at > limits.file) {
      try {
        fs.truncateSync(this.file)
        this.at = 0
      } catch {}
    }
  }

  /** tell logs what has a time and a level; the page that is printed at the start is for people at a terminal. */
  tell (line) {
    const [, level, text] = /^\d{4}-\S+Z\S* (DEBUG|INFO|WARN|ERROR)\s+(.*)$/.exec(line) || []
    if (!level) return
    const at = { DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' }[level]
    this.log[at]('engine: ' + text)
  }

  stop () { clearInterval(this.timer) }
}

module.exports = { open, complaints, Follower }

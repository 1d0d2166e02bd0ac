'use strict'
// Leaving on SIGINT and SIGTERM. The app decides when its process ends, not the store: only where nobody else listens, so that
// Node would have ended the process, it is ended by the same signal after the goodbye.

const signals = ['SIGINT', 'SIGTERM']
const limit = 4000 // ms that a goodbye may take

const stores = new Set()
const pending = new Set() // signals that are being answered
let installed = false

function add (store) {
  stores.add(store)
  if (installed) return
  installed = true
  for (const signal of signals) process.on(signal, onSignal)
}

function remove (store) {
  stores.delete(store)
  if (stores.size > 0 || !installed) return
  installed = false
  for (const signal of signals) process.removeListener(signal, onSignal)
  process.removeListener('beforeExit', onBeforeExit)
  process.removeListener('exit', onExit)
}

function onSignal (signal) {
  if (!wouldEnd(signal)) return prepare()
  if (pending.has(signal)) return raise(signal) // the second time it is meant
  pending.add(signal)
  goodbye().then(() => raise(signal))
}

/** wouldEnd tells whether a signal ends this process where the store does not listen. The first process of a container none does that it does not listen to. */
function wouldEnd (signal) {
  return process.pid !== 1 && process.listeners(signal).every((listener) => listener === onSignal)
}

function raise (signal) {
  process.removeListener(signal, onSignal)
  process.kill(process.pid, signal)
}

/** goodbye lets every store leave, and waits no longer than the limit. */
function goodbye () {
  const all = Promise.allSettled([...stores].map((store) => store.leave()))
  return Promise.race([all, new Promise((resolve) => { setTimeout(resolve, limit) })])
}

/**
 * prepare is for an app that ends by itself: it may go on to answer requests for a while, and needs its sessions for that. The
 * goodbye follows when nothing is left to do, or at the last moment.
 */
function prepare () {
  process.removeListener('beforeExit', onBeforeExit)
  process.removeListener('exit', onExit)
  process.once('beforeExit', onBeforeExit)
  process.once('exit', onExit)
  for (const store of stores) store.prepareToLeave()
}

function onBeforeExit () {
  process.removeListener('exit', onExit)
  goodbye()
}

function onExit () {
  for (const store of stores) store.leaveAtOnce()
}

module.exports = { add, remove, limit }

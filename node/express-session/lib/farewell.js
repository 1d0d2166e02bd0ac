'use strict'
// Who leaves last takes the engine along, where that loses nothing: other servers hold every session. Where there are none, the
// engine stays a while for the app's next start.

const { askInfo } = require('./client.js')
const { endEngine, isEngine } = require('./processes.js')

const times = {
  calls: 1000, // for calls under way to end, ms
  look: 250, // between two looks at who else is there
  gone: 3000 // for an engine to say goodbye to its cluster
}

class Farewell {
  constructor (store) {
    this.store = store
    this.pid = 0 // of the engine, when it may be ended
    this.timer = null
  }

  /** look sees whether the engine may be ended. */
  async look () {
    const { client, engine } = this.store.inside
    this.pid = 0
    if (!client.link || !engine.started) return
    const info = await askInfo(client.link, 'server', 'clients', 'sessioncast')
    const last = Number(info.connected_clients) <= connections(this.store.inside)
    if (last && info.members_synced > 1 && isEngine(Number(info.process_id))) this.pid = Number(info.process_id)
  }

  /** prepare keeps looking, for a process that will have no time to ask. */
  prepare () {
    if (this.timer) return
    const again = () => {
      this.look().catch(() => {})
      this.timer = setTimeout(again, times.look)
      this.timer.unref()
    }
    again()
  }

  /** atOnce ends the engine as it was seen last. */
  atOnce () {
    if (this.pid > 0) endEngine(this.pid)
  }

  async leave () {
    const { client, slow } = this.store.inside
    await until(() => client.idle && (!slow || slow.idle), times.calls)
    try {
      await this.look()
    } catch {
      return
    }
    if (this.pid === 0 || !client.link) return
    const gone = new Promise((resolve) => client.link.once('close', resolve))
    client.closed = true // no other engine is to be started for a process that ends
    endEngine(this.pid)
    await Promise.race([gone, pause(times.gone)])
  }

  stop () { clearTimeout(this.timer) }
}

/** connections of this process: of the store itself, for what takes long, and of its watcher. */
const connections = ({ client, slow, watcher }) => [client, slow, watcher.client].filter((c) => c && c.link).length

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms) })

async function until (holds, ms) {
  const end = Date.now() + ms
  while (!holds() && Date.now() < end) await pause(20)
}

module.exports = { Farewell }

'use strict'
// Daemons that run on this host already: each has a socket in a known folder at which it tells what it is.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { isEngineTarget, runtimeDirs, windows } = require('./paths.js')

const limits = { sockets: 64, answer: 4 << 20, ms: 500 }

/** findDaemon gives the place for clients of a daemon of the cluster that the options name, or null. */
async function findDaemon (options, env) {
  if (windows || options.keyFile !== undefined || options.variables !== undefined) return null // which key a daemon has is not told, nor what its variables are
  const sockets = runtimeDirs(env).flatMap(listSockets).slice(0, limits.sockets)
  const answers = await Promise.all(sockets.map(status))
  const fitting = answers.filter((s) => s && fits(s, options)).flatMap((s) => s.clients)
  return place(fitting.find((c) => c.startsWith('unix://')) || fitting[0])
}

function listSockets (dir) {
  try {
    return fs.readdirSync(dir).filter((name) => name.endsWith('.sock')).sort().map((name) => path.join(dir, name))
  } catch {
    return []
  }
}

/** status asks a daemon; null where there is none, or none that this user may ask. */
function status (socketPath) {
  return new Promise((resolve) => {
    try {
      const owner = fs.lstatSync(socketPath).uid
      if (owner !== 0 && owner !== process.getuid()) return resolve(null)
    } catch {
      return resolve(null)
    }
    const request = http.get({ socketPath, path: '/v1/status', timeout: limits.ms, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        body += chunk
        if (body.length > limits.answer) request.destroy()
      })
      response.on('end', () => resolve(parse(body)))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(null))
    request.on('close', () => resolve(null))
  })
}

function parse (body) {
  try {
    const s = JSON.parse(body)
    return String(s.schema).startsWith('sessioncast.status/v1') && Array.isArray(s.clients) ? s : null
  } catch {
    return null
  }
}

/**
 * fits tells whether a daemon is of the cluster that is meant, as far as the options say which. Engines that stores have started are none: whose
 * options are the same knows where its engine is, and for others it depended on who came first which cluster they are in.
 */
function fits (s, o) {
  if (s.cluster !== (o.cluster || '') || s.clients.some(isEngineTarget)) return false
  const [, group, port] = /^\[?(.*?)\]?:(\d+)$/.exec(s.group) || []
  if (o.port !== undefined && port !== undefined && Number(port) !== o.port) return false
  if (o.group !== undefined && group !== undefined && !sameAddress(group, o.group)) return false
  if (o.mode !== undefined && s.mode !== o.mode) return false
  if (o.interface !== undefined && s.interface !== o.interface) return false
  if (o.address !== undefined && !sameAddress(hostOf(s.address), o.address)) return false
  return (o.use === 'v6') === /^\[/.test(s.address)
}

const hostOf = (address) => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')

/** sameAddress compares addresses that may be written differently, as ffbe::043 and ffbe::43. */
function sameAddress (a, b) {
  const canon = (text) => {
    try { return new URL('http://' + (text.includes(':') ? '[' + text + ']' : text)).hostname } catch { return text }
  }
  return canon(a) === canon(b)
}

function place (client) {
  if (!client) return null
  if (client.startsWith('unix://')) return { path: client.slice('unix://'.length) }
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(client) || []
  return host ? { host, port: Number(port) } : null
}

module.exports = { findDaemon, fits, place }

// Measures the same Express app on express-session's MemoryStore, on connect-redis with a Redis of this host, and on the packed store with its engine: requests per
// second, latency, processor time and memory. All three stand at the same time and take turns, round after round, so that a machine that is slow for a while is slow for all; quote the ratios.
//
// node node/bench/run.mjs; ROUNDS (5), SECONDS (4, of one store in one round), CONNECTIONS (32, each with a session of its own), CASES (read, mixed or write, and the
// session's bytes, as "read:200 write:4096"), APP (a folder where all is
// installed). Run by scripts/bench-express, in a network namespace of its own. It needs redis-server.
import { execFileSync, fork, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const number = (name, usual) => Number(process.env[name] || usual)
const rounds = number('ROUNDS', 5)
const seconds = number('SECONDS', 4)
const connections = number('CONNECTIONS', 32)
const kinds = ['memory', 'redis', 'sessioncast']
const cases = (process.env.CASES || 'read:200 mixed:200 write:200 read:4096 mixed:4096 write:4096').split(' ').map((text) => {
  const [what, size] = text.split(':')
  return { what, size: Number(size) }
})

const app = process.env.APP
const work = mkdtempSync(join(tmpdir(), 'scb'))
const children = []
const require = createRequire(join(app, 'package.json'))
const autocannon = require('autocannon')

try {
  cpSync(join(here, 'app.js'), join(app, 'app.js'))
  const redis = start('redis-server', ['--port', '0', '--unixsocket', join(work, 'redis'), '--save', '', '--appendonly', 'no'])
  const engine = start(program(), ['serve', '--interface', 'lo', '--insecure', '--name', 'bench', '--admin', 'off', '--resp', 'unix://' + join(work, 'engine')])
  for (const socket of ['redis', 'engine']) while (!existsSync(join(work, socket))) await pause(20)
  const servers = {
    memory: await serve(null, 'memory'),
    redis: await serve(redis, 'redis', join(work, 'redis')),
    sessioncast: await serve(engine, 'sessioncast', join(work, 'engine'))
  }
  console.log(`${connections} connections, each with a session; ${rounds} rounds of ${seconds} s; Node ${process.version}, ${versions()}; load ${loadavg()[0].toFixed(1)} at the start\n`)
  console.log('| a request | session | store | requests/s | of MemoryStore | of connect-redis | p50, p99 ms | processor µs: app, its server |')
  console.log('|---|---|---|---|---|---|---|---|')
  for (const { what, size } of cases) await measure(servers, what, size)
  console.log(`\nResident: app ${await Promise.all(kinds.map(async (kind) => `${kind} ${mib(await servers[kind].memory())}`)).then((list) => list.join(', '))}; Redis ${mib(resident(redis))}, engine ${mib(resident(engine))}. Load ${loadavg()[0].toFixed(1)} at the end.`)
} finally {
  cleanUp()
}

function start (name, args) {
  const log = openSync(join(work, 'log'), 'a')
  return own(spawn(name, args, { stdio: ['ignore', log, log], env: { ...process.env, XDG_RUNTIME_DIR: work } }), name)
}

/** own ends everything where one of the processes ends by itself. */
function own (child, name) {
  children.push(child)
  child.on('exit', (code, signal) => {
    if (signal === 'SIGKILL') return
    console.error(`${name} ended (${code ?? signal})`)
    console.error(readFileSync(join(work, 'log'), 'utf8'))
    cleanUp()
    process.exit(1)
  })
  return child
}

function cleanUp () {
  for (const child of children) child.kill('SIGKILL')
  rmSync(work, { recursive: true, force: true })
}

/** program is the engine that was installed. */
function program () {
  const { packageOf, fileOf } = require(join(app, 'node_modules/@sessioncast/express-session/lib/binary.js'))
  const platform = `${process.platform}-${process.arch}`
  return join(app, 'node_modules', packageOf(platform), fileOf(platform))
}

/** serve starts the app on a store, behind which a process may be. */
async function serve (behind, ...args) {
  const child = own(fork(join(app, 'app.js'), args, { cwd: app, env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' } }), 'the app on ' + args[0])
  const answer = () => new Promise((resolve) => child.once('message', resolve))
  const { port } = await answer()
  return {
    url: `http://127.0.0.1:${port}`,
    processor: () => [child, behind].map((process) => process ? used(process) : 0),
    async memory () {
      child.send('memory')
      return (await answer()).memory
    }
  }
}

/** measure lets the stores take turns, and prints their medians and the medians of the rounds' ratios. */
async function measure (servers, what, size) {
  const rows = Object.fromEntries(kinds.map((kind) => [kind, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < kinds.length; i++) {
      const kind = kinds[(round + i) % kinds.length]
      rows[kind].push(await load(servers[kind], what, size))
    }
  }
  const ratio = (kind, to) => {
    const list = rows[kind].map((row, i) => row.rate / rows[to][i].rate).sort((a, b) => a - b)
    return kind === to ? '' : `${median(list).toFixed(2)} (${list[0].toFixed(2)} to ${list.at(-1).toFixed(2)})`
  }
  for (const kind of kinds) {
    const of = (name) => median(rows[kind].map((row) => row[name]))
    console.log(`| ${what} | ${size} B | ${kind} | ${Math.round(of('rate'))} | ${ratio(kind, 'memory')} | ${ratio(kind, 'redis')} | ${of('p50').toFixed(1)}, ${of('p99').toFixed(1)} | ${Math.round(of('app'))}, ${Math.round(of('behind'))} |`)
  }
}

/** load logs as many users in as there are connections, and sends requests of one kind for so long. */
async function load ({ url, processor }, what, size) {
  const cookies = await Promise.all(Array.from({ length: connections }, async (_, id) => {
    const res = await fetch(`${url}/login?id=${id}&size=${size}`, { method: 'POST' })
    if (!res.ok) throw new Error('login: ' + res.status)
    return res.headers.get('set-cookie').split(';', 1)[0]
  }))
  let next = 0
  const run = (duration) => autocannon({
    url: `${url}/${what}`, connections, duration, setupClient: (client) => client.setHeaders({ cookie: cookies[next++ % connections] })
  })
  await run(1)
  const before = processor()
  const result = await run(seconds)
  const [app, behind] = processor().map((ms, i) => (ms - before[i]) * 1000 / result.requests.total)
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${what}: ${result.non2xx} refused, ${result.errors} errors`)
  return { rate: result.requests.total / result.duration, p50: result.latency.p50, p99: result.latency.p99, app, behind }
}

function median (list) {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}

function versions () {
  const of = (name) => `${name} ${JSON.parse(readFileSync(join(app, 'node_modules', name, 'package.json'), 'utf8')).version}`
  const redis = execFileSync('redis-server', ['--version'], { encoding: 'utf8' }).match(/v=(\S+)/)[1]
  return [...['express', 'express-session', 'connect-redis', 'redis'].map(of), 'Redis ' + redis].join(', ')
}

function resident (child) {
  return Number(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1]) * 1024
}

/** used is the processor time of a process so far, in milliseconds, kernel included. */
function used (child) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10 // a hundred ticks a second, as Linux tells all programs
}

function mib (bytes) { return Math.round(bytes / 1024 / 1024) + ' MiB' }

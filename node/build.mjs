// Builds the npm packages into node/dist: the engine for each platform, and the store with the table of their hashes; all packed.
// Run by "make npm". With PLATFORMS, as PLATFORMS=linux-x64, only some engines are built, for tests: the store then knows no others.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const { known, packageOf, fileOf } = createRequire(import.meta.url)('./express-session/lib/binary.js')
const source = join(here, 'express-session')
const dist = process.env.DIST || join(here, 'dist')
const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
const platforms = process.env.PLATFORMS ? process.env.PLATFORMS.split(',') : known
const go = process.env.GO || 'go'
const goNames = { win32: 'windows', x64: 'amd64' }

const write = (file, value) => writeFileSync(file, JSON.stringify(value, null, 2) + '\n')
const pack = (folder) => execFileSync('npm', ['pack', '--silent', '--pack-destination', dist], { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' }).trim()

function buildEngine (platform) {
  const [os, cpu] = platform.split('-')
  const folder = join(dist, 'engine-' + platform)
  const program = join(folder, fileOf(platform))
  mkdirSync(dirname(program), { recursive: true })
  execFileSync(go, ['build', '-trimpath', '-buildvcs=false', '-ldflags', `-s -w -buildid= -X github.com/sessioncast/sessioncast/internal/daemon.stamped=v${manifest.version}`, '-o', program, './cmd/sessioncast'], {
    cwd: dirname(here),
    stdio: 'inherit',
    env: { ...process.env, CGO_ENABLED: '0', GOOS: goNames[os] || os, GOARCH: goNames[cpu] || cpu }
  })
  chmodSync(program, 0o755)
  const name = packageOf(platform)
  write(join(folder, 'package.json'), {
    name,
    version: manifest.version,
    description: `The ${os} ${cpu} program of @sessioncast/express-session`,
    license: manifest.license,
    repository: { ...manifest.repository, directory: 'node' },
    engines: manifest.engines,
    os: [os],
    cpu: [cpu],
    preferUnplugged: true,
    files: ['bin']
  })
  writeFileSync(join(folder, 'README.md'), `# ${name}\n\nThe program of [@sessioncast/express-session](https://www.npmjs.com/package/@sessioncast/express-session) for ${os} ${cpu}. Install that.\n`)
  cpSync(join(dirname(here), 'LICENSE'), join(folder, 'LICENSE'))
  console.log(pack(folder))
  return createHash('sha256').update(readFileSync(program)).digest('hex')
}

function buildStore (sha256) {
  const folder = join(dist, 'express-session')
  cpSync(source, folder, { recursive: true })
  cpSync(join(dirname(here), 'LICENSE'), join(folder, 'LICENSE'))
  write(join(folder, 'lib', 'engines.json'), { version: manifest.version, sha256 })
  const optionalDependencies = Object.fromEntries(platforms.map((platform) => [packageOf(platform), manifest.version]))
  write(join(folder, 'package.json'), { ...manifest, optionalDependencies })
  console.log(pack(folder))
}

for (const platform of platforms) {
  if (!known.includes(platform)) throw new Error(`no such platform: ${platform}; there are ${known.join(', ')}`)
}
rmSync(dist, { recursive: true, force: true })
mkdirSync(dist, { recursive: true })
buildStore(Object.fromEntries(platforms.map((platform) => [platform, buildEngine(platform)])))

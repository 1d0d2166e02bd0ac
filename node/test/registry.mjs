// A registry on loopback with the packed packages in it and nothing else, so that npm installs them as it would from its own.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'

/** serveRegistry resolves to { url, close } for the tarballs and unpacked folders that build.mjs left in dist. */
export async function serveRegistry (dist) {
  const packages = new Map()
  for (const entry of readdirSync(dist, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const manifest = JSON.parse(readFileSync(join(dist, entry.name, 'package.json'), 'utf8'))
    const tarball = `${manifest.name.slice(1).replace('/', '-')}-${manifest.version}.tgz`
    packages.set(manifest.name, { manifest, tarball, content: readFileSync(join(dist, tarball)) })
  }
  const server = http.createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://registry').pathname).slice(1)
    const byFile = [...packages.values()].find((p) => path === '-/' + p.tarball)
    if (byFile) return response.end(byFile.content)
    const found = packages.get(path)
    if (!found) {
      response.statusCode = 404
      return response.end('{}')
    }
    const { manifest, tarball, content } = found
    const dist = { tarball: `${url}-/${tarball}`, integrity: 'sha512-' + createHash('sha512').update(content).digest('base64') }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({
      name: manifest.name, 'dist-tags': { latest: manifest.version }, versions: { [manifest.version]: { ...manifest, dist } }
    }))
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const url = `http://127.0.0.1:${server.address().port}/`
  return { url, close: () => server.close() }
}

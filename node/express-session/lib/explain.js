'use strict'
// What the engine says of its flags, in the words of an app that gave options and has no program in its PATH.

const program = 'npx @sessioncast/express-session'

const flags = { 'key-file': 'keyFile', peers: 'peers', interface: 'interface', group: 'multicast', port: 'multicastPort', cluster: 'cluster', mode: 'mode', linger: 'linger' }

/** explain names the option that a complaint is about, where that can be told, and commands that can be run. */
function explain (text, options) {
  const said = text
    .replace(/\bsessioncast (key new|bridge|status|wait|config)\b/g, program + ' $1')
    .replace(/\bas --port (\d+)/, 'as multicastPort: $1')
    .replace(/(^|\bwith )--([a-z-]+)\b/g, (whole, before, flag) => flags[flag] ? before + 'option ' + flags[flag] : whole)
  if (/^(making the folder of the|writing a) key file\b/.test(said)) return said + '; name another place with option keyFile, and make one there with: ' + program + ' key new --out FILE'
  const name = said.startsWith('option ') ? undefined : about(said, options)
  return name ? 'option ' + name + ': ' + said : said
}

/** about is the option whose value stands in a complaint. */
function about (text, { keyFile, address, interface: nic, use }) {
  if (keyFile !== undefined && text.includes(keyFile) && text.includes('key file')) return 'keyFile'
  if (address !== undefined && text.includes('address ' + address)) return use === 'v6' ? 'ipv6' : 'ipv4'
  if (nic !== undefined && text.includes('interface ' + JSON.stringify(nic))) return 'interface'
  return undefined
}

module.exports = { explain }

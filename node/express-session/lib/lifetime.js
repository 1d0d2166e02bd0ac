'use strict'
// How long a session lives on from now.

const day = 24 * 3600 * 1000
const longest = 3650 * day // what an engine takes
const drift = 50 // ms by which an end may differ from what stands in the cookie, since a call takes time, without having been moved

/** lifetime is the milliseconds until the session ends, 0 or less where it has ended. */
function lifetime (session, options, now = Date.now()) {
  if (options.useSessionTTL) return options.sessionTTL * 1000
  const end = expiry(session && session.cookie)
  return end === null ? day : Math.min(Math.ceil(end - now), longest)
}

/** expiry is the time at which a cookie ends, null where that is when the browser is closed. */
function expiry (cookie) {
  const expires = cookie ? cookie.expires : null
  if (expires === null || expires === undefined || expires === false || expires === true) return null
  const time = expires instanceof Date ? expires.getTime() : typeof expires === 'number' ? expires : Date.parse(expires)
  return Number.isNaN(time) ? null : time
}

/**
 * renew writes into a cookie that was read when the session ends: a touch moves that, and leaves what is stored. Where the
 * lifetime is not the cookie's it says nothing about the cookie.
 */
function renew (cookie, pttl, options, now = Date.now()) {
  const end = expiry(cookie)
  if (end === null || options.useSessionTTL || pttl < 0) return
  if (Math.abs(end - now - pttl) > drift) cookie.expires = new Date(now + pttl).toISOString()
}

/** sameButExpiry tells whether two cookies, as JSON, differ in nothing but their end. */
function sameButExpiry (a, b) {
  if (a === undefined || b === undefined) return false
  const [first, second] = [JSON.parse(a), JSON.parse(b)]
  if (!isObject(first) || !isObject(second)) return false
  if ((expiry(first) === null) !== (expiry(second) === null)) return false
  const names = new Set([...Object.keys(first), ...Object.keys(second)])
  names.delete('expires')
  return [...names].every((name) => name === 'originalMaxAge' ? near(first[name], second[name]) : JSON.stringify(first[name]) === JSON.stringify(second[name]))
}

/** near: express-session measures originalMaxAge anew at each touch, and may lose a millisecond. */
const near = (a, b) => a === b || (typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) < drift)

const isObject = (value) => typeof value === 'object' && value !== null

module.exports = { lifetime, renew, sameButExpiry, day, longest }

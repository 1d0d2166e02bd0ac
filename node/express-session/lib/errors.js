'use strict'

/**
 * What goes wrong in the store. `code` says what kind it is and stays the same between versions; it is never ENOENT, which
 * express-session would take for "no such session" and log the user out.
 */
class SessioncastError extends Error {
  constructor (code, message, cause) {
    super('sessioncast: ' + message, cause === undefined ? undefined : { cause })
    this.name = 'SessioncastError'
    this.code = code
  }
}

const codes = {
  OPTION: 'SESSIONCAST_OPTION', // an option is wrong; the message names it
  UNAVAILABLE: 'SESSIONCAST_UNAVAILABLE', // no engine answers
  TIMEOUT: 'SESSIONCAST_TIMEOUT', // an engine is there and did not answer in time
  BUSY: 'SESSIONCAST_BUSY', // too much waits already
  TOO_LARGE: 'SESSIONCAST_TOO_LARGE', // the session is larger than an engine takes
  FULL: 'SESSIONCAST_FULL', // the engine's memory is full
  REPLY: 'SESSIONCAST_REPLY', // the engine answered with an error, or with what is no answer
  DATA: 'SESSIONCAST_DATA', // the session cannot be written as JSON
  BINARY: 'SESSIONCAST_BINARY', // the engine's program is missing or not the one that belongs to this package
  CLOSED: 'SESSIONCAST_CLOSED' // the store was closed
}

/** final marks an error that waiting does not mend: calls need not wait for the next attempt. */
const final = (error) => Object.assign(error, { final: true })

const fail = (code, message, cause) => new SessioncastError(codes[code], message, cause)

/** The error for the application that an engine's error reply stands for. */
function fromReply (reply) {
  const text = reply.message
  switch (reply.prefix) {
    case 'OOM': return fail('FULL', text, reply)
    case 'LOADING': return fail('UNAVAILABLE', text, reply)
  }
  if (/max-session|longer than/.test(text)) return fail('TOO_LARGE', text, reply)
  return fail('REPLY', text, reply)
}

module.exports = { SessioncastError, codes, fail, final, fromReply }

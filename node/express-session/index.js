'use strict'
// require("@sessioncast/express-session")(session) gives the class of the store, as stores for express-session do.

const { makeStore } = require('./lib/store.js')
const { SessioncastError } = require('./lib/errors.js')

module.exports = function sessioncast (connect) {
  const Base = connect && (connect.Store || (connect.session && connect.session.Store))
  if (typeof Base !== 'function') {
    throw new TypeError('@sessioncast/express-session: call it with express-session: require("@sessioncast/express-session")(require("express-session"))')
  }
  return makeStore(Base)
}
module.exports.SessioncastError = SessioncastError

'use strict'
// A connection to an engine's socket, as a socket only: what is said over it is for others.

const net = require('node:net')
const { fail } = require('./errors.js')
const { targetText } = require('./paths.js')

const patience = 1000 // ms for a connection to be made

/** connect makes one connection. It does not hold the process. */
function connect (target) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(target)
    socket.unref()
    const failed = (error) => {
      clearTimeout(timer)
      socket.destroy()
      reject(fail('UNAVAILABLE', 'nobody answers at ' + targetText(target), error))
    }
    const timer = setTimeout(() => failed(new Error('no connection in ' + patience + ' ms')), patience)
    timer.unref()
    socket.once('error', failed)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeListener('error', failed)
      resolve(socket)
    })
  })
}

module.exports = { connect }

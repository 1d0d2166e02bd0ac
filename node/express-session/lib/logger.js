'use strict'
// Loggers differ in the levels that they have: console, bunyan, pino and winston take one text at each of these.

const { fail } = require('./errors.js')

const instead = { debug: ['debug', 'verbose'], info: ['info', 'log'], warn: ['warn', 'warning', 'info', 'log'], error: ['error', 'warn', 'info', 'log'] }

/** loggerFor gives debug, info, warn and error of whatever logger the app has; null logs nothing. */
function loggerFor (logger) {
  const log = {}
  for (const [level, names] of Object.entries(instead)) {
    const name = logger ? names.find((name) => typeof logger[name] === 'function') : undefined
    log[level] = name ? (text) => { logger[name]('sessioncast: ' + text) } : () => {}
  }
  return log
}

/** checkLogger says what is wrong with a value given as the logger. */
function checkLogger (logger) {
  const fits = logger !== null && (typeof logger === 'object' || typeof logger === 'function') && ['info', 'log'].some((name) => typeof logger[name] === 'function')
  if (!fits) throw fail('OPTION', 'option logger: give console, a logger of bunyan, winston or pino, or false for none')
  return logger
}

/** quietConsole is what is used where no logger is given: the console, without what is of interest to developers only. */
const quietConsole = { info: (text) => console.info(text), warn: (text) => console.warn(text), error: (text) => console.error(text) }

module.exports = { loggerFor, checkLogger, quietConsole }

import sessioncast from './index.js'

export default sessioncast
export const SessioncastError = sessioncast.SessioncastError

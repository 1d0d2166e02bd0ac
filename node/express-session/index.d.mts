import sessioncast from './index.js'

export default sessioncast
export type Counts = sessioncast.Counts
export type Logger = sessioncast.Logger
export type LogoutReport = sessioncast.LogoutReport
export type Options = sessioncast.Options
export type SessionEvent = sessioncast.SessionEvent
export type SessioncastStore = sessioncast.SessioncastStore
export type StoreConstructor = sessioncast.StoreConstructor
export type Watch = sessioncast.Watch
export import SessioncastError = sessioncast.SessioncastError

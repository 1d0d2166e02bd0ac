/// <reference types="node" />
import { EventEmitter } from 'events'

declare function sessioncast (session: { Store: any } | { session: { Store: any } }): sessioncast.StoreConstructor

declare namespace sessioncast {
  interface Logger {
    debug?: (...args: any[]) => any
    info?: (...args: any[]) => any
    log?: (...args: any[]) => any
    warn?: (...args: any[]) => any
    error?: (...args: any[]) => any
  }

  interface Options {
    /** Address family. Default: "v4". */
    use?: 'v4' | 'v6'
    /** Multicast group. Default: 228.0.0.5 (v4), ffbe::43 (v6), or by the cluster's name. */
    multicast?: string
    /** Port of the group, UDP. Default: 4000. */
    multicastPort?: number | string
    /** Routers a multicast datagram may pass, plus one. Default: 2. */
    multicastTTL?: number
    /** This host's own IPv4 address. Default: that of the interface. */
    ipv4?: string
    /** This host's own IPv6 address. Default: that of the interface. */
    ipv6?: string
    /** Give every session the lifetime sessionTTL, whatever its cookie says. Default: false. */
    useSessionTTL?: boolean
    /** Seconds. Used only with useSessionTTL. Default: 5000. */
    sessionTTL?: number
    /** console, or a logger of bunyan, winston or pino; false: none. Default: the console. */
    logger?: Logger | false | null
    /** Leave the cluster on SIGINT and SIGTERM. Default: true. */
    gracefulShutdown?: boolean
    /** The original's spelling of gracefulShutdown. */
    gracefullShutdown?: boolean
    /** File with the cluster key, the same on every server. Default: sessioncast/key in the user's configuration folder. */
    keyFile?: string
    /** Cluster's name; clusters with other names on the same network are not heard. */
    cluster?: string
    /** Where other servers may be, without multicast: addresses and DNS names. */
    peers?: string[] | string
    /** How servers reach each other. Default: "auto". */
    mode?: 'auto' | 'unicast' | 'multicast'
    /** Servers that confirm a write before it returns. Default: the engine's, 1. */
    ack?: number | 'all'
    /** A daemon that runs already: the path of its socket, or host:port. No engine is started then. */
    socket?: string
    /** Interface for all traffic between servers. Default: eth0, em0, en0, else the default route's. */
    interface?: string
    /** What stands before the session's id in the engine. Default: "sess:". */
    prefix?: string
    /** Path of the user in the session, as "passport.user". */
    user?: string
    /** Seconds that the engine stays after the last process has gone. Default: 60. */
    linger?: number
  }

  interface SessionEvent {
    /** destroyed: also what ended, perhaps by itself, while the engine was away. */
    type: 'created' | 'changed' | 'touched' | 'destroyed' | 'expired'
    sid: string
  }

  interface Watch extends EventEmitter {
    readonly sid: string | undefined
    on (event: 'event' | SessionEvent['type'], listener: (event: SessionEvent) => void): this
    on (event: 'missed', listener: () => void): this
    once (event: 'event' | SessionEvent['type'], listener: (event: SessionEvent) => void): this
    once (event: 'missed', listener: () => void): this
    close (): void
  }

  interface Counts {
    /** Writes of sessions that were destroyed meanwhile. */
    refused: number
    /** Writes of a key that another request had changed as well. */
    conflicts: number
    /** Sessions read that were no JSON object. */
    undecodable: number
    errors: number
  }

  interface LogoutReport {
    /** How many sessions were ended. */
    ended: number
    /** How many other servers have not confirmed it: sessions that began there just before may live on. */
    unanswered: number
  }

  interface SessioncastStore extends EventEmitter {
    regenerate (req: any, callback: (error?: any) => any): void
    load (sid: string, callback: (error: any, session?: any) => any): void
    createSession (req: any, session: any): any

    get (sid: string, callback: (error: any, session?: any) => void): void
    get (sid: string): Promise<any>
    set (sid: string, session: any, callback?: (error?: any) => void): any
    touch (sid: string, session: any, callback?: (error?: any) => void): any
    destroy (sid: string, callback?: (error?: any) => void): any
    all (callback: (error: any, sessions?: any) => void): void
    all (): Promise<any[]>
    ids (callback: (error: any, ids?: string[]) => void): void
    ids (): Promise<string[]>
    length (callback: (error: any, length?: number) => void): void
    length (): Promise<number>
    clear (callback?: (error?: any) => void): any

    watch (listener?: (event: SessionEvent) => void): Watch
    watch (sid: string, listener?: (event: SessionEvent) => void): Watch
    byUser (id: string | number, callback: (error: any, ids?: string[]) => void): void
    byUser (id: string | number): Promise<string[]>
    destroyUser (id: string | number, options: { except?: string | string[], report: true }, callback: (error: any, result?: LogoutReport) => void): void
    destroyUser (id: string | number, options: { except?: string | string[], report?: false }, callback: (error: any, count?: number) => void): void
    destroyUser (id: string | number, callback: (error: any, count?: number) => void): void
    destroyUser (id: string | number, options: { except?: string | string[], report: true }): Promise<LogoutReport>
    destroyUser (id: string | number, options?: { except?: string | string[], report?: false }): Promise<number>
    readonly counts: Counts
    close (): void

    on (event: 'connect' | 'disconnect', listener: () => void): this
    on (event: 'refused', listener: (what: { operation: 'set' | 'touch', sid: string }) => void): this
    on (event: 'conflict', listener: (what: { sid: string, keys: string[] }) => void): this
    on (event: string | symbol, listener: (...args: any[]) => void): this
  }

  interface StoreConstructor {
    new (options?: Options): SessioncastStore
  }

  class SessioncastError extends Error {
    readonly code: 'SESSIONCAST_OPTION' | 'SESSIONCAST_UNAVAILABLE' | 'SESSIONCAST_TIMEOUT' | 'SESSIONCAST_BUSY' |
      'SESSIONCAST_TOO_LARGE' | 'SESSIONCAST_FULL' | 'SESSIONCAST_REPLY' | 'SESSIONCAST_DATA' | 'SESSIONCAST_BINARY' | 'SESSIONCAST_CLOSED'
  }
}

export = sessioncast

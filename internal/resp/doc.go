// Package resp speaks the Redis protocol, so that the session clients of every language work unchanged.
//
// A Server owns its listeners, its connections and everything about them. Commands of all connections run one
// after another, whoever moves the bytes: on Linux one epoll loop on one thread, elsewhere two goroutines for each
// connection. Server.mu is held while they run and guards every client. The methods of Server may be called from any goroutine; the
// table is shared with the rest of the process and guards itself.
package resp

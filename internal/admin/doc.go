// Package admin answers questions about a running node: health, metrics and status, over HTTP on loopback and on a Unix
// socket, and asks them for the command line.
//
// A Server owns its listeners and the socket that guards the node's name on this host. On a port it changes nothing: it only reads,
// through the function it was given, which may be called from several goroutines at once, and no answer holds a session's
// id or content. On the socket, which is its user's alone, it tells of single sessions, with their ids where asked, and ends those of a user.
package admin

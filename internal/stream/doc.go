// Package stream carries frames between two nodes over TLS 1.3, each side proving that it holds a key of the cluster.
//
// A Server owns its connections; a Conn belongs to its user, who may send from one goroutine while receiving in another.
// What the frames mean is defined by their users; frame type 0 is this package's own. See docs/PROTOCOL.md.
package stream

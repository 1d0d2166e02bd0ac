// Package link carries datagrams: it chooses the interface, opens the multicast and the unicast socket of a node and
// the TCP listener of the same number, and moves batches between them and its caller.
//
// A Link owns its sockets and all their buffers. Receive runs its own goroutines and calls back from two of them; Send
// is for one goroutine at a time; everything else is safe from anywhere. See docs/PROTOCOL.md for what travels.
package link

// Package cluster tests whole nodes: every body runs twice, on an in-memory network under a virtual clock and on real
// sockets in network namespaces, over IPv4 and IPv6.
//
// A body says what users rely on and knows nothing of the network below it. A testbed belongs to one test and is used
// from its goroutine.
package cluster

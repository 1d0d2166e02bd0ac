// Package reliability measures what docs/reliability.md publishes: real nodes in network namespaces, with datagrams lost
// and cables cut. It holds only tests, which measure when asked to: make figures.
//
// All nodes of a measurement live in this process, their sockets each in a host of its own, so that one clock sees them.
package reliability

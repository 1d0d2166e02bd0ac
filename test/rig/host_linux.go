package rig

import (
	"context"
	"net"
	"net/netip"

	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/nstest"
)

// Host lets nodes of this process live in a host of a Net: their sockets are there. It is what a node asks of its host
// while it runs, on goroutines that are outside of it.
type Host struct {
	Net *nstest.Net
	I   int
}

// Open is node.Open there.
func (h Host) Open(cfg node.Config) (n *node.Node, err error) {
	cfg.Network.System, cfg.Dialer = h, h
	h.Net.Do(h.I, func() { n, err = node.Open(cfg) })
	return n, err
}

// Interfaces implements link.System.
func (h Host) Interfaces() (list []link.Interface, err error) {
	h.Net.Do(h.I, func() { list, err = link.ThisHost().Interfaces() })
	return list, err
}

// Interface implements link.System.
func (h Host) Interface(name string) (i link.Interface, found bool) {
	h.Net.Do(h.I, func() { i, found = link.ThisHost().Interface(name) })
	return i, found
}

// RouteSource implements link.System.
func (h Host) RouteSource(v6 bool) (a netip.Addr) {
	h.Net.Do(h.I, func() { a = link.ThisHost().RouteSource(v6) })
	return a
}

// DialContext implements stream.Dialer.
func (h Host) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	h.Net.Do(h.I, func() { c, err = new(net.Dialer).DialContext(ctx, network, address) })
	return c, err
}

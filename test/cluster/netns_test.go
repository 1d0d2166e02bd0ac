//go:build linux

package cluster

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/nstest"
)

// TestInNamespaces is TestInMemory on the kernel's own multicast.
func TestInNamespaces(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		for _, b := range bodies {
			if b.once && use != "v4" {
				continue
			}
			t.Run(use+"/"+b.name, func(t *testing.T) {
				t.Parallel() // they mostly wait
				nstest.Run(t, maxHosts, func(t *testing.T, n *nstest.Net) { runOn(t, bridge{n, use}, b.run) })
			})
		}
	}
}

// bridge is a network of namespaces. Its nodes live in this process, their sockets each in its host.
type bridge struct {
	net *nstest.Net
	use string
}

func (b bridge) lose(t *testing.T, percent float64) {
	t.Helper()
	for i := range maxHosts {
		b.net.Loss(i, percent)
	}
}

func (b bridge) cut(t *testing.T, hosts ...int) {
	t.Helper()
	b.mend(t)
	b.net.Partition(hosts...)
}

func (b bridge) mend(t *testing.T) {
	t.Helper()
	for i := range maxHosts {
		b.net.Unblock(i)
	}
}

func (b bridge) open(_ *testing.T, i int, cfg node.Config) (n *node.Node, err error) {
	inside := host{b.net, i}
	cfg.Network.Use, cfg.Network.System, cfg.Dialer = b.use, inside, inside
	b.net.Do(i, func() { n, err = node.Open(cfg) })
	return n, err
}

// host is what a node asks of its host while it runs, on goroutines that are outside of it.
type host struct {
	net *nstest.Net
	i   int
}

func (h host) Interfaces() (list []link.Interface, err error) {
	h.net.Do(h.i, func() { list, err = link.ThisHost().Interfaces() })
	return list, err
}

func (h host) Interface(name string) (i link.Interface, found bool) {
	h.net.Do(h.i, func() { i, found = link.ThisHost().Interface(name) })
	return i, found
}

func (h host) RouteSource(v6 bool) (a netip.Addr) {
	h.net.Do(h.i, func() { a = link.ThisHost().RouteSource(v6) })
	return a
}

// DialContext implements stream.Dialer.
func (h host) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	h.net.Do(h.i, func() { c, err = new(net.Dialer).DialContext(ctx, network, address) })
	return c, err
}

//go:build linux

package cluster

import (
	"testing"

	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// TestInNamespaces is TestInMemory on the kernel's own multicast.
func TestInNamespaces(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		for _, b := range bodies {
			if b.long || b.once && use != "v4" {
				continue
			}
			t.Run(use+"/"+b.name, func(t *testing.T) {
				if b.once || b.much {
					notRaced(t)
				}
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

func (b bridge) open(_ *testing.T, i int, cfg node.Config) (*node.Node, error) {
	cfg.Network.Use = b.use
	return rig.Host{Net: b.net, I: i}.Open(cfg)
}

package daemon

import (
	"log/slog"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/resp"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// cluster is what the server of the Redis protocol knows of the node.
type cluster struct {
	node *node.Node
	name NodeName
}

// Await implements resp.Cluster.
func (c cluster) Await(seq uint64, k int, timeout time.Duration, done func(int)) (bool, int) {
	return c.node.Await(seq, k, timeout, done)
}

// Ready implements resp.Cluster: a node that leaves still answers reads, and refuses writes by itself.
func (c cluster) Ready() bool {
	s := c.node.State()
	return s == wire.Synced || s == wire.Leaving
}

// Info implements resp.Cluster.
func (c cluster) Info() resp.NodeInfo {
	info := resp.NodeInfo{Name: string(c.name), ID: admin.ShortID(c.node.Self().Node), Degraded: c.node.Counters().AckTimeouts}
	for _, m := range c.node.Members() {
		if m.State == wire.Joining || m.State == wire.Synced {
			info.Members++
		}
		if m.State == wire.Synced {
			info.Synced++
		}
	}
	return info
}

// quietly is the logger for parts whose beginning the daemon tells itself.
func quietly(log *slog.Logger) *slog.Logger { return slog.New(atLeastWarn{log.Handler()}) }

package daemon

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/resp"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// cluster is what the server of the Redis protocol knows of the node.
type cluster struct {
	node       *node.Node
	name       NodeName
	key        FoundKey
	ackTimeout time.Duration
}

func (d *daemon) cluster(n *node.Node) cluster {
	return cluster{n, d.options.Name, d.key, time.Duration(d.options.AckTimeout)}
}

// Await implements resp.Cluster.
func (c cluster) Await(seq uint64, writes, k int, timeout time.Duration, done func(int)) (bool, int) {
	return c.node.Await(seq, writes, k, timeout, done)
}

// AwaitTold implements resp.Cluster.
func (c cluster) AwaitTold(seq uint64, writes int, stamp resp.Stamp, done func(int)) (bool, int) {
	return c.node.AwaitTold(seq, writes, stamp, done)
}

// Holding implements resp.Cluster: a node that leaves still answers reads, and refuses writes by itself.
func (c cluster) Holding() resp.Holding {
	switch s := c.node.State(); {
	case c.node.Lacks():
		return resp.HoldsPart
	case s == wire.Synced || s == wire.Leaving:
		return resp.HoldsAll
	}
	return resp.HoldsNotYet
}

// Shortage implements resp.Cluster. The word LOADING has many clients try again, as they should where others have the session.
func (c cluster) Shortage() string {
	limit, most := uint64(c.node.Table().Stats().Limit), uint64(0)
	for _, m := range c.node.Members() {
		if !m.Self && m.State != wire.Dead {
			most = max(most, m.Bytes)
		}
	}
	if most > limit {
		return fmt.Sprintf("LOADING this node's --max-memory (%s) is smaller than what the cluster holds (%s), and this session may be elsewhere: raise it",
			admin.Bytes(limit), admin.Bytes(most))
	}
	return fmt.Sprintf("LOADING this node has no room for all sessions within its --max-memory (%s), and this one may be elsewhere: raise it", admin.Bytes(limit))
}

// Info implements resp.Cluster.
func (c cluster) Info() resp.NodeInfo {
	info := resp.NodeInfo{Name: string(c.name), ID: admin.ShortID(c.node.Self().Node), Degraded: c.node.Counters().AckTimeouts,
		AckTimeout: c.ackTimeout, KeyFile: c.key.Path, KeyHash: c.key.Digest}
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

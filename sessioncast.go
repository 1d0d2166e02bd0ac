// Package sessioncast shares the sessions of a web cluster without a session server.
//
// Every node keeps every session in its own memory; each change reaches all of them in one UDP multicast datagram,
// which is repaired where it got lost, encrypted, and merged without conflict. Reads are local. Any node can die; none
// asks another before it answers.
//
//	node, err := sessioncast.Open(ctx, sessioncast.Config{})
//	…
//	_, err = node.Set(ctx, id, data, 30*time.Minute)
//	session, err := node.Get(ctx, id)
//
// It is for clusters of 2 to 32 servers whose sessions fit into memory and whose network carries multicast. The first
// node on a network makes a key file; copy it to the others.
//
// # Promises
//
// A read after a write on one node sees it. When changes stop and the nodes can talk, all hold the same. A destroyed
// session never comes back. A write whose Receipt counts one peer or more survives the death of the node that took
// it. A session that its user keeps alive never ends early. docs/ARCHITECTURE.md states them in full, with what is
// not promised: a total order of writes, locks, durability when all nodes stop.
//
// A Node's methods are safe for concurrent use.
package sessioncast

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// Node is this process's member of the cluster.
type Node struct {
	node   *node.Node
	table  *table.Table
	cfg    Config
	closed atomic.Bool

	watchers struct {
		sync.Mutex
		closed bool
		open   map[*table.Watcher]struct{}
	}
}

// Session is one session as this node knows it.
type Session struct {
	ID string
	// Data is shared with the node and all other readers: it must not be written to.
	Data []byte
	// Owner is its owner label, where WithOwner gave it one.
	Owner string
	// Expires is when it ends unless it is touched; the zero Time: never.
	Expires time.Time
	// Version tells a Patch which state of the session its writer has read.
	Version Version
}

// Receipt tells what became of a write.
type Receipt struct {
	// Peers is how many live peers are known to hold the write, and everything this node wrote before it.
	Peers int
	// Degraded says that fewer peers answered in time than Config.Ack asks for, of those there are. The write took
	// place and spreads still.
	Degraded bool
}

// Open starts a node and waits until it holds the cluster's sessions: a second if it is alone, else for as long as the
// transfer takes. When ctx ends before, Open stops the node and returns an error; so it does, with ErrNoRoom, where Config.MaxMemory
// leaves no room for what the others hold.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	resolved, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	resolved.OnEvent = logEvents(resolved.Log)
	inner, err := node.Open(resolved)
	if err != nil {
		return nil, fmt.Errorf("sessioncast: %w", err)
	}
	n := newNode(inner, cfg)
	if err := inner.WaitComplete(ctx); err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("sessioncast: %w", err)
	}
	return n, nil
}

func newNode(inner *node.Node, cfg Config) *Node {
	cfg.SessionTTL = orDefault(cfg.SessionTTL, defaultTTL)
	n := &Node{node: inner, table: inner.Table(), cfg: cfg}
	n.watchers.open = make(map[*table.Watcher]struct{})
	return n
}

// Close leaves the cluster: writes are refused from then on, the last ones get two seconds to reach the peers, and these
// hear a goodbye. A node that joins, and that nobody else has the sessions for, is given eight; the error is ErrLeftEarly where that
// was not long enough. It is safe to call more than once.
func (n *Node) Close() error {
	err := n.node.Close(context.Background())
	n.closed.Store(true)
	n.closeWatchers()
	if err != nil {
		return wrap(err)
	}
	return nil
}

func key(id string) record.Key { return record.Key{Name: id} }

func (n *Node) nowMillis() int64 { return n.node.Now().UnixMilli() }

// Get returns a session. It is local, takes no lock that another session's reader or writer could hold for long, and
// allocates nothing. The error is ErrNotFound, or ErrIncomplete on a node that has no room for all sessions, or that of a context
// that had ended before.
func (n *Node) Get(ctx context.Context, id string) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	if n.closed.Load() {
		return Session{}, wrap(ErrClosed)
	}
	v, ok := n.table.Get(n.node.CoarseNow(), key(id))
	if ok && v.Due != 0 && v.Due < n.node.CoarseNow()+clockDoubt {
		v, ok = n.table.Get(n.nowMillis(), key(id)) // it ends about now: look at the clock
	}
	if !ok {
		return Session{}, n.missing(id)
	}
	return session(id, v), nil
}

// missing is the error for a session that is not here.
func (n *Node) missing(id string) error {
	if n.table.Knows(n.nowMillis(), key(id)) {
		return ErrNotFound
	}
	return ErrIncomplete
}

// clockDoubt is by how many milliseconds the coarse clock may be late before a session that has ended is seen as there:
// several times what separates its ticks.
const clockDoubt = 2000

func session(id string, v table.View) Session {
	v.Render()
	s := Session{ID: id, Data: v.Value, Owner: v.Owner, Version: Version{v.Version}}
	if v.Due != 0 {
		s.Expires = time.UnixMilli(v.Due)
	}
	return s
}

// All iterates over the sessions that are there from its start to its end; of those that come or go meanwhile some may
// be seen. The order is no order.
func (n *Node) All(ctx context.Context) iter.Seq[Session] {
	return func(yield func(Session) bool) {
		var batch []Session
		for cursor, more := uint64(0), true; more && ctx.Err() == nil; more = cursor != 0 {
			batch = batch[:0]
			cursor = n.table.Scan(n.nowMillis(), 0, cursor, allBatch, func(name string, v table.View) {
				batch = append(batch, session(name, v))
			})
			for _, s := range batch {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// allBatch is how many sessions All takes at a time.
const allBatch = 256

// Len is the number of sessions.
func (n *Node) Len() int { return int(n.table.Len(0)) }

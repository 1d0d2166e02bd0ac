// Package node is one running node: it joins the pure core to sockets, streams, time and goroutines.
//
// A Node's methods are safe for concurrent use. Reads and writes of sessions go to its Table, which waits for nothing
// here: a write wakes the driver, a goroutine that lets the Machine send. The Machine is guarded by one mutex, taken by
// the socket's readers and the driver, never while anything is sent or received.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/keeper"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/peers"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/stream"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Sockets is what a Node needs of a network; *link.Link is one.
type Sockets interface {
	Receive(ctx context.Context, deliver func([]link.Packet)) error
	Send(batch []link.Datagram) error
	Close() error
}

// Node is a member of a cluster.
type Node struct {
	cfg     Config
	self    atomic.Pointer[record.Origin] // changes where this node finds itself cloned
	started time.Time
	origins *record.Origins
	clock   *hlc.Clock
	ring    *seal.Keyring
	table   *table.Table
	sockets Sockets
	link    *link.Link     // nil when opened over other sockets
	addr    netip.AddrPort // where link is nil
	server  *stream.Server
	finder  *peers.Finder // nil: no peers are configured

	core struct {
		sync.Mutex
		machine *engine.Machine
		keeper  *keeper.Keeper
		armed   time.Time // when the driver will look next
	}
	tx struct {
		sync.Mutex
		batch []link.Datagram
	}
	outputs   sync.Pool
	wake      chan struct{}
	unhurried atomic.Bool  // a write need not wake the driver
	peers     atomic.Int32 // live synced ones
	lacks     atomic.Bool  // sessions of others, for want of room
	takers    atomic.Int32 // who needed this node still when it had to leave
	state     atomic.Uint32
	coarse    atomic.Int64  // wall time of the last sweep, Unix milliseconds
	synced    chan struct{} // closed when first synced
	short     chan struct{} // closed when something first found no room
	left      chan struct{} // closed when the drain is over
	once      struct{ synced, short, left, closed sync.Once }

	awaits    awaits
	fetches   fetches
	transfers transfers
	watches   watches

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open starts a node: it opens its sockets and joins. It returns as soon as the node runs; WaitSynced waits until it has
// the others' sessions.
func Open(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg}
	n.cfg.Network.OnChange = n.linkChanged
	n.prepare()
	l, err := n.openLink()
	if err != nil {
		n.cancel()
		return nil, err
	}
	n.link, n.sockets = l, l
	if err := errors.Join(n.makeFinder(), n.makeCore()); err != nil {
		n.cancel()
		_ = l.Close()
		return nil, err
	}
	n.core.machine.Step(n.Now(), engine.PayloadLimit{Bytes: l.MTUPayload()})
	n.core.machine.Step(n.Now(), engine.OwnAddress{Addr: l.Addr()})
	n.server = stream.Listen(l.Listener(), n.identity, n.serve)
	if cfg.BeforeJoin != nil {
		if err := cfg.BeforeJoin(n); err != nil {
			n.Kill()
			return nil, err
		}
	}
	n.run()
	return n, nil
}

// OpenOver is Open over sockets and a listener of streams that the caller made, all at addr, in place of Config.Network's.
// The node closes them.
func OpenOver(cfg Config, sockets Sockets, listener net.Listener, addr netip.AddrPort) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, sockets: sockets, addr: addr}
	n.prepare()
	if err := errors.Join(n.makeFinder(), n.makeCore()); err != nil {
		n.cancel()
		return nil, err
	}
	n.core.machine.Step(n.Now(), engine.OwnAddress{Addr: addr})
	n.server = stream.Listen(listener, n.identity, n.serve)
	n.run()
	return n, nil
}

func (n *Node) prepare() {
	n.started = n.Now()
	n.coarse.Store(n.started.UnixMilli())
	n.self.Store(n.cfg.firstOrigin(n.started))
	n.origins, n.clock = new(record.Origins), new(hlc.Clock)
	n.wake = make(chan struct{}, 1)
	n.synced, n.short, n.left = make(chan struct{}), make(chan struct{}), make(chan struct{})
	n.outputs.New = func() any { return new(engine.Output) }
	n.awaits.done = make(map[uint64]func(int))
	n.ctx, n.cancel = context.WithCancel(context.Background())
}

func (n *Node) makeCore() (err error) {
	if n.ring, err = seal.NewKeyring(n.cfg.Cluster, n.cfg.Keys...); err != nil {
		return fmt.Errorf("cluster key: %w", err)
	}
	n.table = table.New(table.Config{
		Self: n.Self(), Origins: n.origins, Clock: n.clock, Secret: [16]byte(n.ring.Derive("table order", 16)),
		MaxBytes: n.cfg.MaxMemory, MaxValue: n.cfg.MaxSession, MaxSkew: maxSkew,
		Lifetime: n.cfg.Lifetime, Keep: n.cfg.Keep, Hold: n.cfg.Hold, OnWrite: n.wrote,
	})
	n.core.keeper = keeper.New(n.table, maxSkew, n.started.UnixMilli())
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	n.core.machine, err = engine.New(engine.Config{
		Self: n.Self(), Name: n.cfg.Name, Origins: n.origins, Clock: n.clock, Table: n.table, Keyring: n.ring,
		Seed: seed, Ack: n.cfg.Ack, MaxSkew: maxSkew, ConfigHash: n.cfg.hash(), Mode: n.cfg.Mode,
	})
	return err
}

// run starts the goroutines.
func (n *Node) run() {
	n.findPeers()
	n.wg.Go(func() {
		if err := n.sockets.Receive(n.ctx, n.received); err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Error("receiving stopped", "error", err)
		}
	})
	n.wg.Go(n.driver)
	n.wg.Go(n.housekeeper)
}

// ErrLeftEarly says that a node has left, as it had to, while others could get the rest of the sessions from it only.
var ErrLeftEarly = errors.New("this node left before a joining one had all sessions, which no other node has: what it lacks may be lost")

// Close leaves the cluster: writes are refused from now on, the last ones are given two seconds to reach the peers, and who fetches
// sessions that only this node has is given eight; then it says goodbye and closes the sockets. A context that ends earlier cuts the wait
// short. The error is ErrLeftEarly or nil.
func (n *Node) Close(ctx context.Context) error {
	n.once.closed.Do(func() {
		n.table.StopWrites()
		n.step(engine.Leave{})
		select {
		case <-n.left:
		case <-ctx.Done():
		}
		n.stop()
	})
	if n.takers.Load() > 0 {
		return ErrLeftEarly
	}
	return nil
}

// Kill stops without a word, as a crash would; for tests.
func (n *Node) Kill() { n.once.closed.Do(n.stop) }

func (n *Node) stop() {
	n.cancel()
	n.fetches.cancel()
	n.watches.cancel()
	if n.server != nil {
		n.server.Close()
	}
	_ = n.sockets.Close()
	n.wg.Wait()
	n.awaits.abandon()
}

// Table is where the sessions are.
func (n *Node) Table() *table.Table { return n.table }

// CoarseNow is the wall time, in Unix milliseconds, as of at most a keeper.Interval ago (more when the process did not
// run): reading a clock costs as much as reading a session, and most sessions end much later than now.
func (n *Node) CoarseNow() int64 { return n.coarse.Load() }

// Now is what this node's clock says.
func (n *Node) Now() time.Time {
	if n.cfg.Now != nil {
		return n.cfg.Now()
	}
	return time.Now()
}

// Self is this run of the node.
func (n *Node) Self() record.Origin { return *n.self.Load() }

// Peers is how many live synced peers there are.
func (n *Node) Peers() int { return int(n.peers.Load()) }

// Addr is this node's own address, of its unicast socket and its stream listener.
func (n *Node) Addr() netip.AddrPort {
	if n.link == nil {
		return n.addr
	}
	return n.link.Addr()
}

// Link is the sockets.
func (n *Node) Link() *link.Link { return n.link }

// StreamStats counts the connections that other nodes opened.
func (n *Node) StreamStats() stream.Stats { return n.server.Stats() }

// Keyring is the cluster's keys.
func (n *Node) Keyring() *seal.Keyring { return n.ring }

// Started is when the node was opened.
func (n *Node) Started() time.Time { return n.started }

// State is this node's own.
func (n *Node) State() wire.MemberState { return wire.MemberState(n.state.Load()) }

// Ready reports whether the node has the others' sessions and takes writes.
func (n *Node) Ready() bool { return n.State() == wire.Synced }

// Lacks reports whether this node lacks sessions of others for want of room.
func (n *Node) Lacks() bool { return n.lacks.Load() }

// WaitSynced waits until the node is synced for the first time.
func (n *Node) WaitSynced(ctx context.Context) error {
	select {
	case <-n.synced:
		return nil
	default:
	}
	select {
	case <-n.synced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the others' sessions: %w", ctx.Err())
	case <-n.ctx.Done():
		return table.ErrClosed
	}
}

// ErrNoRoom says that the others hold more than this node has room for.
var ErrNoRoom = errors.New("the cluster holds more sessions than this node's memory limit has room for: raise it")

// WaitComplete is WaitSynced, but for a node that may never be synced for want of room: then the error is ErrNoRoom.
func (n *Node) WaitComplete(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-n.short:
			cancel(ErrNoRoom)
		case <-ctx.Done():
		}
	}()
	err := n.WaitSynced(ctx)
	if err != nil && context.Cause(ctx) == ErrNoRoom {
		return ErrNoRoom
	}
	return err
}

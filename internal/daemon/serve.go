package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/peers"
	"github.com/sessioncast/sessioncast/internal/resp"
)

// daemon is a running node with all that serves it. What is not marked otherwise is set before the tasks start.
type daemon struct {
	options *Options
	origins map[string]Origin
	host    Host
	log     *slog.Logger
	key     FoundKey

	resolved link.Resolved
	admin    *admin.Server
	node     atomic.Pointer[node.Node] // nil until it is open
	clients  *resp.Server              // nil when off
	bridge   *bridgeTask               // nil where no originals are to be met

	events     chan engine.Event
	eventsLost atomic.Uint64
	roster     roster
	joining    time.Time // when this node began to join last; for who reports events alone

	past struct {
		sync.Mutex
		admin.History
	}
}

// maxEvents bounds the events that wait to be logged.
const maxEvents = 1024

// newDaemon makes a daemon that has taken nothing yet.
func newDaemon(cli *CLI, host Host) *daemon {
	o := cli.options()
	return &daemon{
		options: o, origins: cli.Origins, host: host,
		log: newLogger(host.Stderr, o), events: make(chan engine.Event, maxEvents),
	}
}

// serve runs a node until ctx ends, then drains.
func serve(ctx context.Context, cli *CLI, host Host) error { return newDaemon(cli, host).serve(ctx) }

func (d *daemon) serve(ctx context.Context) error {
	room := collect(d.options.MaxMemory)
	defer runtime.KeepAlive(room)
	if err := d.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while starting
		}
		return err
	}
	if d.host.AtOnce != nil {
		d.host.AtOnce(d.lastWord)
	}
	return d.run(ctx)
}

// open takes what the daemon needs, in an order in which a failure disturbs nobody: first what only this host sees.
func (d *daemon) open(ctx context.Context) (err error) {
	if d.key, err = FindOrCreateKey(d.options, d.host); err != nil {
		return err
	}
	if d.admin, err = d.openAdmin(); err != nil {
		return err
	}
	if err = d.openNode(ctx); err != nil {
		d.admin.Close()
	}
	return err
}

func (d *daemon) openAdmin() (*admin.Server, error) {
	socket := d.host.AdminSockets(d.options.Name)[0]
	s, err := admin.Open(admin.Config{Socket: socket, Listen: d.options.Admin.String(), Read: d.reading, Store: d.store, Log: d.log})
	if errors.Is(err, admin.ErrRunning) {
		return nil, fmt.Errorf("a daemon named %s runs on this host already (%s): give this one another name and port for clients, as --name %s-2 --resp 127.0.0.1:6380",
			d.options.Name, socket, d.options.Name)
	}
	return s, err
}

func (d *daemon) openNode(ctx context.Context) error {
	network := d.network()
	resolved, err := network.Resolve()
	if errors.Is(err, link.ErrNoMulticast) {
		return fmt.Errorf("%w; without multicast name the other nodes with --peers", err)
	}
	if err != nil {
		return err
	}
	d.resolved = resolved
	if err := d.spareOriginals(ctx); err != nil {
		return err
	}
	n, err := node.Open(node.Config{
		Name: string(d.options.Name), Cluster: string(d.options.Cluster), Keys: d.key.Keys, Network: network,
		Mode: modes[d.options.Mode], Peers: peerConfig(d.options),
		Ack: d.ack(), AckTimeout: time.Duration(d.options.AckTimeout),
		MaxMemory: int64(d.options.MaxMemory), MaxSession: int(d.options.MaxSession), Hold: time.Duration(d.options.LogoutHold),
		BeforeJoin: d.beforeJoin, OnEvent: d.tell, Log: d.log,
	})
	if err != nil && d.clients != nil {
		_ = d.clients.Close()
	}
	if err == nil {
		d.node.Store(n)
	}
	return err
}

// beforeJoin opens what clients connect to, and says where everything is, before the peers say anything.
func (d *daemon) beforeJoin(n *node.Node) (err error) {
	if d.clients, err = d.openClients(n); err != nil {
		return err
	}
	d.announce(n)
	return nil
}

func (d *daemon) openClients(n *node.Node) (*resp.Server, error) {
	var where []string
	for _, r := range d.options.RESP {
		if r.Network != "off" {
			where = append(where, r.String())
		}
	}
	if len(where) == 0 {
		return nil, nil
	}
	return resp.Listen(resp.Config{
		Listeners: where, MaxValue: int(d.options.MaxSession), MaxMemory: int64(d.options.MaxMemory),
		SessionTTL: time.Duration(d.options.SessionTTL), Version: release(), Table: n.Table(),
		Cluster: d.cluster(n), Logger: quietly(d.log),
	})
}

// network is the part of the options that the sockets are made of.
func (d *daemon) network() link.Config {
	o, avoid := d.options, 0
	if d.bridge != nil {
		avoid = int(d.bridge.sockets.Group().Port())
	}
	return link.Config{
		Avoid: avoid,
		Use:   string(o.Use), Group: o.Group.Addr, Port: int(o.Port), Address: o.Address.Addr,
		Interface: o.Interface, HopLimit: hopLimit(o.MulticastTTL), Cluster: string(o.Cluster),
		Multicast: node.Multicast(modes[o.Mode], len(o.Peers) > 0 || o.PeersFile != ""),
	}
}

var modes = map[Mode]engine.Mode{"auto": engine.ModeAuto, "unicast": engine.ModeUnicast, "multicast": engine.ModeMulticast}

// peerConfig is the part of the options that says where other nodes are.
func peerConfig(o *Options) peers.Config {
	c := peers.Config{File: o.PeersFile, V6: o.Use == "v6"}
	for _, p := range o.Peers {
		c.List = append(c.List, string(p))
	}
	return c
}

func (d *daemon) ack() int {
	if d.options.Ack == AckAll {
		return node.AckAll
	}
	return int(d.options.Ack)
}

// freePort is far enough from the default port that nodes there do not take it either.
const freePort = link.DefaultPort + 100

// spareOriginals refuses to start where an original express-session-multicast node listens: it would die of our first
// datagram.
func (d *daemon) spareOriginals(ctx context.Context) error {
	if d.resolved.Unicast || !d.resolved.IsOriginal() {
		return nil
	}
	found, from, err := link.ProbeOriginal(ctx, d.resolved, d.log)
	if err != nil {
		d.log.Warn("could not ask for express-session-multicast nodes, which would die of our datagrams; none is assumed", "error", err)
	}
	if found {
		return fmt.Errorf("an express-session-multicast node at %s uses %s, and would die of what sessioncast sends there: give all sessioncast nodes another port, as --port %d;"+
			" and to share sessions with it while servers move, run on one of them, where no such node runs: sessioncast bridge%s",
			from, d.resolved.Group, freePort, d.bridgeArgs())
	}
	return nil
}

// run runs the tasks. When ctx ends the node leaves its cluster; clients and the admin API stay until it has.
func (d *daemon) run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	last, lastDone := context.WithCancel(context.WithoutCancel(ctx))
	defer lastDone()
	member := &nodeTask{d: d, ready: make(chan struct{}), done: lastDone}
	parts := []Task{member, &adminTask{d, last}}
	if d.bridge != nil {
		parts = append(parts, d.bridge)
	}
	return runTasks(ctx, append(parts, &reportTask{d, last}, &watchTask{d}, &lingerTask{d, end}, &notifyTask{d, parts}))
}

// hopLimit is h as the link takes it, whose zero is its default.
func hopLimit(h HopLimit) int {
	if h == 0 {
		return -1
	}
	return int(h)
}

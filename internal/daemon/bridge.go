package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/bridge"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/table"
)

// bridgeTask is the daemon's place in a group of express-session-multicast nodes. Its Run owns the core; what is read from elsewhere
// is atomic.
type bridgeTask struct {
	d        *daemon
	prefix   string
	userPath []string
	sockets  *link.Originals
	counters atomic.Pointer[bridge.Counters]
	core     *bridge.Core
	node     *node.Node
	watcher  *table.Watcher
	lost     uint64 // of the watcher's events, as last seen
	failed   uint64 // sends
	rival    bool   // another bridge has been told of
	told     bool   // that a session could not be given
	heard    chan heard
}

// heard is a datagram of an original.
type heard struct {
	from netip.AddrPort
	text []byte
}

const (
	bridgeEvents = 8192 // of the cluster that may wait for the bridge
	bridgeHeard  = 256  // datagrams that may; more wait in the sockets
	// rejoinInterval is how often the group is joined again, should the interface have been made anew.
	rejoinInterval = 10 * time.Second
)

// bridgeOriginals runs a node that is in the originals' group, too.
func bridgeOriginals(ctx context.Context, cli *CLI, host Host) error {
	d := newDaemon(cli, host)
	d.bridge = &bridgeTask{d: d, prefix: string(cli.Bridge.Prefix), userPath: cli.Bridge.UserPath.names(), heard: make(chan heard, bridgeHeard)}
	if err := d.bridge.open(&cli.Bridge); err != nil {
		return err
	}
	defer d.bridge.sockets.Close()
	if cli.Origins["port"] == "" {
		cli.Origins["port"] = "sessioncast bridge" // so that the line for a second host names it
	}
	return d.serve(ctx)
}

func (t *bridgeTask) open(b *BridgeCmd) error {
	c := link.Config{
		Use: string(b.Use), Group: b.OriginalsGroup.Addr, Port: int(b.OriginalsPort), Address: b.Address.Addr,
		Interface: b.Interface, HopLimit: hopLimit(b.OriginalsTTL),
	}
	r, err := c.Resolve()
	if err != nil {
		return err
	}
	t.sockets, err = link.OpenOriginals(r)
	return err
}

func (t *bridgeTask) String() string         { return "bridge" }
func (t *bridgeTask) Ready() <-chan struct{} { return always }

// Run joins the originals once this node has the cluster's sessions, and stays until ctx ends.
func (t *bridgeTask) Run(ctx context.Context) error {
	t.node = t.d.node.Load()
	if t.node.WaitSynced(ctx) != nil {
		return nil
	}
	self := t.sockets.Self()
	t.core = bridge.New(bridge.Config{Self: self, MaxSID: maxKey - len(t.prefix), UserPath: t.userPath}, bridgeStore{t.node, t.prefix})
	t.watcher = t.node.Table().Watch(bridgeEvents)
	defer t.watcher.Close()
	t.d.log.Warn(inTheClear, "group", t.sockets.Group(), "prefix", t.prefix)
	t.d.log.Info("joined the express-session-multicast nodes", "address", self, "prefix", t.prefix)
	t.d.log.Warn(cannotDo)
	received := make(chan error, 1)
	go func() { received <- t.sockets.Receive(t.take(ctx)) }()
	err := t.loop(ctx, received)
	for _, d := range t.core.Finish() {
		t.send(d)
	}
	_ = t.sockets.Close()
	t.d.log.Info("left the express-session-multicast nodes", t.attrs()...)
	return err
}

// take hands datagrams to the loop. It waits for it: the rest waits in the kernel, which drops what is too much.
func (t *bridgeTask) take(ctx context.Context) func(netip.AddrPort, []byte) {
	return func(from netip.AddrPort, text []byte) {
		select {
		case t.heard <- heard{from, text}:
		case <-ctx.Done():
		}
	}
}

func (t *bridgeTask) loop(ctx context.Context, received <-chan error) error {
	began := t.node.Now()
	t.core.Begin(began)
	timer, rejoin := time.NewTimer(0), time.NewTicker(rejoinInterval)
	defer timer.Stop()
	defer rejoin.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-received:
			return fmt.Errorf("receiving from originals: %w", errors.Join(err, errStopped))
		case h := <-t.heard:
			t.core.Receive(t.node.Now(), h.from, h.text)
		case e := <-t.watcher.C():
			t.happened(e)
		case <-rejoin.C:
			t.sockets.Rejoin()
		case <-timer.C:
		}
		if err := t.checkRival(began); err != nil {
			return err
		}
		t.poll(timer)
	}
}

var errStopped = errors.New("it stopped")

func (t *bridgeTask) poll(timer *time.Timer) {
	now := t.node.Now()
	out, next := t.core.Poll(now)
	for _, d := range out {
		t.send(d)
	}
	c := t.core.Counters()
	c.SendErrors, c.EventsLost = t.failed, t.lost
	t.counters.Store(&c)
	if !t.told && c.TooLarge+c.Unfit > 0 {
		t.told = true
		t.d.log.Warn("a session was not given to the originals, since it is larger than 64 KiB, or none that they could hold, as with a dot in a name; such are only counted from now on",
			"too_large", c.TooLarge, "unfit", c.Unfit)
	}
	if !next.IsZero() {
		timer.Reset(max(next.Sub(now), 0))
	}
}

func (t *bridgeTask) send(d bridge.Datagram) {
	if err := t.sockets.Send(d.To, d.Data); err != nil {
		t.failed++
		t.d.log.Debug("a datagram to originals was not sent", "error", err)
	}
}

// checkRival ends a bridge that starts beside another: two would tell originals everything twice, who then hold it twice.
func (t *bridgeTask) checkRival(began time.Time) error {
	at := t.core.Rival()
	if !at.IsValid() || t.rival {
		return nil
	}
	t.rival = true
	if t.node.Now().Sub(began) < bridge.Starting {
		return fmt.Errorf("another bridge is in the originals' group, at %s: one is enough, and two would tell them everything twice", at.Addr())
	}
	t.d.log.Error("another bridge is in the originals' group: stop one of the two, which tell originals everything twice", "address", at.Addr())
	return nil
}

// happened tells of what others did: what this node does is done by the originals.
func (t *bridgeTask) happened(e table.Event) {
	if lost := t.watcher.Lost(); lost != t.lost {
		t.lost = lost
		t.core.Lost(t.node.Now())
	}
	sid, mine := strings.CutPrefix(e.Key.Name, t.prefix)
	if e.Key.DB != 0 || !mine || !e.Remote && e.Kind != table.Expired {
		return
	}
	switch e.Kind {
	case table.Created:
		t.core.Happened(bridge.Created, sid)
	case table.Changed:
		t.core.Happened(bridge.Changed, sid)
	case table.Destroyed:
		t.core.Happened(bridge.Destroyed, sid)
	case table.Expired:
		t.core.Happened(bridge.Expired, sid)
	}
}

// attrs are the counters that are not zero, for the log.
func (t *bridgeTask) attrs() (list []any) {
	v := reflect.ValueOf(t.stats()).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			list = append(list, slog.Any(snakeCase(v.Type().Field(i).Name), f.Interface()))
		}
	}
	return list
}

// stats are the counters up to now; it may be called from anywhere.
func (t *bridgeTask) stats() *bridge.Counters {
	if c := t.counters.Load(); c != nil {
		return c
	}
	return new(bridge.Counters)
}

func snakeCase(name string) string { return strings.ReplaceAll(kebab(name), "-", "_") }

package bridge

import (
	"errors"
	"net/netip"
	"time"
)

// ErrDestroyed is what a [Store] answers where a session was logged out before.
var ErrDestroyed = errors.New("the session was destroyed")

// Stored is a session of the cluster.
type Stored struct {
	SID   string
	Value []byte // JSON; shared, not to be written to
	Due   int64  // Unix milliseconds; 0: it does not end by itself
}

// Write is what an original makes of a session.
type Write struct {
	Value []byte // JSON, all of it
	Due   int64  // Unix milliseconds; 0: it does not end by itself
	// Owner is whose session it is, "" while nobody is logged in, where OwnerSet.
	Owner    string
	OwnerSet bool
	// Patch says that of a session that is there nothing but these fields is written.
	Patch  bool
	Set    []Field
	Remove []string
}

// Store is the cluster's sessions, those under the bridge's prefix.
type Store interface {
	// Get reads a session. Where there is none, ended tells whether it was destroyed, as far as that is remembered.
	Get(now time.Time, sid string) (s Stored, there, ended bool)
	// Put writes a session that comes from an original: an update where it is there, else a creation that no logout forbids.
	Put(now time.Time, sid string, w *Write) error
	// Destroy ends one.
	Destroy(now time.Time, sid string) error
	// Scan emits some sessions from cursor on, 0 being the start, and returns where to go on; 0 again: that was all.
	Scan(now time.Time, cursor uint64, emit func(Stored)) (next uint64)
}

// Config says where a bridge is in the originals' group.
type Config struct {
	Self   netip.AddrPort // of the socket by which it sends and takes what is sent to it
	MaxSID int            // what fits into a key beside the prefix
	// UserPath is the names under which a session has its user's id; nil: users are not looked for.
	UserPath []string
}

// Datagram is one to be sent; the zero To is the group.
type Datagram struct {
	To   netip.AddrPort
	Data []byte
}

// Core is a node of the originals' group.
type Core struct {
	cfg      Config
	store    Store
	counters Counters

	hosts    map[netip.Addr]*host
	lastHost uint32
	bases    bases
	sessions bucket // messages about sessions taken
	greets   bucket
	tells    bucket // datagrams about single sessions sent

	soon     []Datagram // what is said to nodes
	queue    []tale     // what is to be told of sessions, the oldest first
	givings  []*giving
	backfill *backfill // nil: none is under way or waits

	begun      time.Time
	hellosLeft int
	nextHello  time.Time
	greeted    bool           // some original has answered
	rival      netip.AddrPort // another bridge that was heard
}

// host is a node of the group.
type host struct {
	asked  bool      // for its sessions
	given  time.Time // when it was last given all of ours
	heard  time.Time
	number uint32 // of this run of it, as far as it is known
}

// tale is something to be told about a session.
type tale struct {
	sid  string
	ends int // how often it is to be destroyed; 0: it was created
}

// New makes a bridge that has said nothing yet.
func New(cfg Config, store Store) *Core {
	cfg.MaxSID = min(max(cfg.MaxSID, 1), MaxSID)
	return &Core{
		cfg: cfg, store: store, hosts: map[netip.Addr]*host{},
		sessions: bucket{perSecond: SessionsPerSecond, burst: SessionsBurst},
		greets:   bucket{perSecond: GreetingsPerSecond, burst: GreetingsPerSecond},
		tells:    bucket{perSecond: tellPerSecond, burst: tellBurst},
	}
}

// Counters are the counts so far.
func (c *Core) Counters() Counters {
	n := c.counters
	n.Hosts, n.Queued = int64(len(c.hosts)), int64(len(c.queue))
	return n
}

// Rival is another bridge that was heard in the group; invalid where there is none.
func (c *Core) Rival() netip.AddrPort { return c.rival }

// Begin says hello. Originals greet whom they do not know yet; a goodbye before lets them forget an earlier run.
func (c *Core) Begin(now time.Time) {
	c.soon = append(c.soon, Datagram{Data: goodbye()})
	c.begun, c.hellosLeft, c.nextHello = now, hellos, now
	c.backfill = &backfill{next: now.Add(backfillAfter)}
}

// Finish is what is to be said at the end.
func (c *Core) Finish() []Datagram { return []Datagram{{Data: goodbye()}} }

// Receive takes a datagram.
func (c *Core) Receive(now time.Time, from netip.AddrPort, text []byte) {
	if from == c.cfg.Self {
		return // our own, by the group
	}
	c.counters.DatagramsIn++
	m, err := Parse(text)
	switch {
	case err == ErrDepth:
		c.counters.DropDepth++
	case err != nil:
		c.counters.DropMalformed++
	case m.Bridge:
		c.receiveBridge(now, from, &m)
	default:
		c.dispatch(now, from, &m)
	}
}

func (c *Core) dispatch(now time.Time, from netip.AddrPort, m *Message) {
	switch m.Kind {
	case Hello:
		c.receiveHello(now, from, m)
	case Greeting:
		c.receiveGreeting(now, from)
	case Goodbye:
		delete(c.hosts, from.Addr())
	case Question:
		c.give(now, from)
	case Answer:
		c.receiveAnswer(now, from, m)
	case Session:
		c.receiveSession(now, from, m)
	case Ended:
		c.receiveEnded(now, m)
	default:
		c.counters.DropUnknown++
	}
}

// receiveBridge knows another bridge by its words. Two in one group would tell originals everything twice.
func (c *Core) receiveBridge(now time.Time, from netip.AddrPort, m *Message) {
	c.counters.DropBridge++
	switch m.Kind {
	case Hello:
		starting := now.Sub(c.begun) < Starting
		if starting && from.Addr().Less(c.cfg.Self.Addr()) {
			return // of two that start together one hears nothing, and stays
		}
		if c.greets.take(now, 1) {
			c.soon = append(c.soon, Datagram{To: from, Data: greeting(c.cfg.Self)})
		}
	case Greeting:
		c.rival = from
	}
}

// receiveHello greets a newcomer, as originals do, and gives it what there is unless it asks for that itself.
func (c *Core) receiveHello(now time.Time, from netip.AddrPort, m *Message) {
	h := c.host(now, from.Addr())
	if h == nil || !oneHost(m.At) || !c.greets.take(now, 1) {
		c.counters.DropHosts++
		return
	}
	c.lastHost++
	h.number = c.lastHost // it starts with nothing
	c.counters.Greeted++
	c.soon = append(c.soon, Datagram{To: m.At, Data: greeting(c.cfg.Self)})
	if m.At.Addr() == from.Addr() { // else it may be somebody else whom that would flood
		c.giveLater(now, m.At, h)
	}
}

// oneHost tells an address of another host from those of many, of none and of this one.
func oneHost(a netip.AddrPort) bool {
	everybody := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return a.IsValid() && !a.Addr().IsMulticast() && !a.Addr().IsUnspecified() && !a.Addr().IsLoopback() && a.Addr() != everybody
}

// receiveGreeting asks who greets for its sessions, once.
func (c *Core) receiveGreeting(now time.Time, from netip.AddrPort) {
	c.greeted = true
	h := c.host(now, from.Addr())
	if h == nil || h.asked {
		return
	}
	h.asked = true
	c.counters.Asked++
	c.soon = append(c.soon, Datagram{To: from, Data: question()})
}

// host finds or makes what is known of a node; nil where too many are known that spoke lately.
func (c *Core) host(now time.Time, a netip.Addr) *host {
	h := c.hosts[a]
	if h == nil {
		if len(c.hosts) >= MaxHosts && !c.forgetOldest(now) {
			return nil
		}
		c.lastHost++
		h = &host{number: c.lastHost}
		c.hosts[a] = h
	}
	h.heard = now
	return h
}

// hostQuiet is how long a node must have been silent to be forgotten for another.
const hostQuiet = time.Minute

func (c *Core) forgetOldest(now time.Time) bool {
	var oldest netip.Addr
	for a, h := range c.hosts {
		if o := c.hosts[oldest]; o == nil || h.heard.Before(o.heard) || h.heard.Equal(o.heard) && a.Less(oldest) {
			oldest = a
		}
	}
	if now.Sub(c.hosts[oldest].heard) < hostQuiet {
		return false
	}
	delete(c.hosts, oldest)
	return true
}

// bucket is a budget that refills; the zero time starts it full.
type bucket struct {
	perSecond, burst float64
	level            float64
	at               time.Time
}

func (b *bucket) fill(now time.Time) {
	if b.at.IsZero() {
		b.level = b.burst
	} else if d := now.Sub(b.at); d > 0 {
		b.level = min(b.burst, b.level+d.Seconds()*b.perSecond)
	}
	b.at = now
}

func (b *bucket) take(now time.Time, n float64) bool {
	b.fill(now)
	if b.level < n {
		return false
	}
	b.level -= n
	return true
}

// wait is how long it takes until one can be taken.
func (b *bucket) wait() time.Duration {
	if b.level >= 1 {
		return 0
	}
	return time.Duration((1-b.level)/b.perSecond*float64(time.Second)) + time.Microsecond
}

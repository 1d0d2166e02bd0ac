package resp

import (
	"bytes"
	"time"
	"unsafe"
)

// client is one connection's side of the conversation: what it said that is not carried out yet, what it is to be told, and what it
// chose (database, name, transaction). Server.mu guards it; the transport moves its bytes.
type client struct {
	s  *Server
	id uint64
	tr transport

	addr, laddr string
	since       time.Time
	active      time.Time

	parser parser
	in     []byte // bytes received and not used yet; they start with a command
	replies

	db      int
	authed  bool
	name    string
	libName string
	libVer  string
	current *command // being carried out, or the last one
	spelled []byte   // how the client wrote the last command without subcommands,
	spells  *command // which is this

	fold   int64 // a deadline for the SET being carried out, from the command after it
	folded bool  // it was used

	multi        transaction
	watched      []watched
	watchedNames int // bytes
	missing      missing
	track        tracking
	sessions     sessionWatch

	// Acknowledgement. Between await and its end the client is held: nothing is executed for it and nothing sent to it.
	ack     int    // how many peers its writes wait for; byPolicy: as configured
	seq     uint64 // the latest local dot of this client's writes
	settled uint64 // and the latest that was waited for
	writes  int    // of which nobody has waited for a peer's confirmation
	flushed uint64 // latest dot of this client's that emptied a database
	held    bool
	waiting bool    // the held command is a WAIT
	logout  *logout // or a SESSION DESTROYOWNED that will look again
	acked   func(int)

	enough   int  // pending output at which run stops
	weight   int  // bytes in the server's count of input
	overflow bool // a limit was exceeded, and counted: close at once
	closing  bool // close once everything is sent; nothing more is executed
	dead     bool // closed
	queued   bool // in the transport's list of clients that have something to do
}

// transport moves one client's bytes. Its methods are called with Server.mu held.
type transport interface {
	// resume says that the client is no longer held, or has something to be sent.
	resume(c *client)
}

func newClient(s *Server, tr transport, addr, laddr string) *client {
	s.lastID++
	now := s.cfg.now()
	c := &client{s: s, id: s.lastID, tr: tr, addr: addr, laddr: laddr, since: now, active: now, ack: byPolicy}
	c.parser.maxBulk = s.cfg.MaxValue
	c.parser.usual = s.cfg.MaxValue + maxCommandOverhead
	c.parser.total = s.commandLimit
	c.authed = s.cfg.Password == ""
	c.parser.noAuth = !c.authed
	c.acked = func(n int) { s.post(event{client: c, acked: n}) }
	s.clients[c.id] = c
	s.count.clients.Add(1)
	s.count.accepted.Add(1)
	return c
}

// gone forgets a client whose connection is closed.
func (c *client) gone() {
	if c.dead {
		return
	}
	c.dead = true
	if c.held {
		c.s.count.blocked.Add(-1)
	}
	c.untrack()
	c.unwatchSessions()
	c.in, c.out, c.multi = nil, nil, transaction{}
	c.unwatch()
	c.weigh()
	delete(c.s.clients, c.id)
	c.s.count.clients.Add(-1)
}

// stuck reports whether nothing more is executed for the client now.
func (c *client) stuck() bool { return c.held || c.closing || c.dead }

// run executes the whole commands at the start of b and returns how many bytes it used. It stops early when the client
// gets stuck or has much to be sent; more reports whether to come back for that reason.
func (c *client) run(b []byte) (used int, more bool) {
	c.s.wallMS = c.s.cfg.now().UnixMilli()
	c.s.nowMS = c.s.cfg.Table.Time(c.s.wallMS)
	for !c.stuck() && used < len(b) {
		if c.pending() >= c.enough {
			return used, true
		}
		n, ok, err := c.parser.next(b[used:])
		if err != nil {
			c.refuse(err)
			return len(b), false
		}
		if !ok {
			return used + n, false
		}
		if c.postpone() {
			c.parser.begun = false
			break
		}
		used += n
		c.command()
	}
	return used, false
}

// command executes what the parser found.
func (c *client) command() {
	if c.parser.tooBig > 0 {
		c.s.count.tooBig.Add(1)
		c.reject(c.s.tooBigError(c.parser.tooBig))
		return
	}
	if len(c.parser.argv) > 0 {
		c.execute(c.parser.argv)
	}
}

// refuse answers a protocol error and closes.
func (c *client) refuse(err error) {
	c.s.count.closedProtocol.Add(1)
	c.fail("ERR " + err.Error())
	c.closing = true
}

// postpone reports whether the command found must wait until the acknowledgement of earlier writes is settled: a WAIT asks for
// its own number, but the replies before it are due by the configured policy.
func (c *client) postpone() bool {
	if c.seq <= c.settled || len(c.parser.argv) == 0 || c.multi.open || !bytes.EqualFold(c.parser.argv[0], []byte("wait")) {
		return false
	}
	c.settle()
	return c.held
}

// settle ends a batch: where it wrote, the client is held until the writes are acknowledged.
func (c *client) settle() {
	c.weigh()
	if c.held || c.dead || c.seq <= c.settled {
		return
	}
	want := c.ack
	if want != 0 && c.flushed > c.settled {
		want = byAll
	}
	c.settled = c.seq
	if want == 0 { // a WAIT may follow
		return
	}
	if pending, _ := c.s.cfg.Cluster.Await(c.seq, c.counted(), want, 0, c.acked); pending {
		c.hold()
	}
}

// weigh counts what the client has the server keep of unfinished and queued commands, and of watched keys. Each client has its limits, but thousands of
// clients together have to have one too; who exceeds it is closed.
func (c *client) weigh() {
	before := c.weight
	c.weight = cap(c.in) + cap(c.multi.data) + int(unsafe.Sizeof(span{}))*cap(c.multi.args) + int(unsafe.Sizeof(queued{}))*cap(c.multi.queue) +
		int(unsafe.Sizeof(watched{}))*cap(c.watched) + c.watchedNames
	total := c.s.count.input.Add(int64(c.weight - before))
	if c.weight > before && total > c.s.buffers {
		c.s.count.closedInput.Add(1)
		c.overflow = true
	}
}

func (c *client) hold() {
	c.held = true
	c.s.count.held.Add(1)
	c.s.count.blocked.Add(1)
}

// released ends a hold.
func (c *client) released(acked int) {
	if c.dead || !c.held {
		return
	}
	c.held = false
	c.s.count.blocked.Add(-1)
	if c.waiting {
		c.waiting = false
		c.int(int64(acked))
	}
	if c.logout != nil {
		c.logout.acked = acked
		c.lookAgain()
	}
	c.tr.resume(c)
}

// feed runs b, which follows what is in c.in, and keeps what is left. b may be reused afterwards.
func (c *client) feed(b []byte) (more bool) {
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		return c.runBuffered()
	}
	used, more := c.run(b)
	if used < len(b) {
		c.in = append(c.s.buffer(len(b)-used), b[used:]...)
	}
	return more
}

// runBuffered executes what is in c.in.
func (c *client) runBuffered() (more bool) {
	used, more := c.run(c.in)
	if used == len(c.in) {
		c.s.recycle(c.in)
		c.in = nil
	} else if used > 0 {
		c.in = c.in[:copy(c.in, c.in[used:])]
	}
	return more
}

// room makes space in c.in for the rest of the command that stands there, as far as it is known, but never more than thrice what
// was received: a length announced is not memory earned.
func (c *client) room() []byte {
	if free := cap(c.in) - len(c.in); free >= readSize/4 {
		return c.in[len(c.in):cap(c.in)]
	}
	size := max(2*len(c.in), len(c.in)+readSize)
	if want := c.parser.want(); want > 0 {
		size = min(max(want, len(c.in)+readSize/4), 3*len(c.in)+readSize)
	}
	grown := append(c.s.buffer(size), c.in...)
	c.s.recycle(c.in)
	c.in = grown
	return c.in[len(c.in):cap(c.in)]
}

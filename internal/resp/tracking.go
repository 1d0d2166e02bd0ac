package resp

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// tracking is what a client chose with CLIENT TRACKING: the server tells it when what it has read changes, whoever changes it
// on whichever node.
type tracking struct {
	on, bcast, optin, optout, noloop bool
	prefixes                         [][]byte
	caching                          bool // CLIENT CACHING was given for the next command
}

// trackTable knows which clients have read which keys. As in Redis the databases share it. Server.mu guards it.
type trackTable struct {
	clients map[uint64]*client
	readers map[string]map[uint64]struct{} // by key: ids of clients
	pairs   int
	limit   int            // of pairs
	full    bool           // it was reached by the command being carried out: once that is answered, all forget all
	watcher *table.Watcher // while anyone tracks
}

// redirection is what CLIENT LIST calls redir: 0 where invalidations come to the client itself.
func (t *tracking) redirection() int {
	if t.on {
		return 0
	}
	return -1
}

// ended forgets CLIENT CACHING after the command, or transaction, that it was for.
func (t *tracking) ended(cmd *command, inMulti bool) {
	if t.caching && !inMulti && !strings.HasPrefix(cmd.name, "client|") {
		t.caching = false
	}
}

// follow remembers that the client reads k, before it does: so no change after the read can be missed.
func (c *client) follow(k record.Key) {
	t := &c.track
	if t.bcast || t.optin && !t.caching || t.optout && t.caching {
		return
	}
	c.s.track.add(c, k.Name)
}

func (t *trackTable) add(c *client, key string) {
	ids := t.readers[key]
	if _, known := ids[c.id]; known {
		return
	}
	if t.pairs >= t.limit {
		t.full = true
		return
	}
	if ids == nil {
		ids = make(map[uint64]struct{}, 1)
		t.readers[strings.Clone(key)] = ids
	}
	ids[c.id] = struct{}{}
	t.pairs++
}

// relieve makes clients forget all they have cached when there was no room to remember what one of them read. It comes
// after the reply of the command, or transaction, that read it: within a reply a push message would be taken for a part of it.
func (s *Server) relieve() {
	if s.track.full {
		s.track.full = false
		s.invalidate(nil, true)
	}
}

// join begins to track for a client, and to listen to the table for the first one.
func (t *trackTable) join(c *client) {
	if t.clients == nil {
		t.clients = make(map[uint64]*client)
		t.readers = make(map[string]map[uint64]struct{})
	}
	if _, known := t.clients[c.id]; !known {
		t.clients[c.id] = c
		c.s.count.tracking.Add(1)
	}
	if t.watcher == nil {
		t.watcher = c.s.cfg.Table.Watch(maxInvalidations)
		go c.s.relay(t.watcher)
	}
}

// untrack ends tracking for a client. What it has read is forgotten with the next change of it.
func (c *client) untrack() {
	c.track = tracking{}
	c.leaveTracking()
}

// leaveTracking ends what tracking and SESSION WATCH have in common, once the client does neither.
func (c *client) leaveTracking() {
	t := &c.s.track
	if _, known := t.clients[c.id]; !known || c.track.on || c.sessions.on {
		return
	}
	delete(t.clients, c.id)
	c.s.count.tracking.Add(-1)
	if len(t.clients) == 0 {
		clear(t.readers)
		t.pairs = 0
		t.unwatch()
	}
}

// unwatch stops listening to the table. Closing waits for whoever sends under a bucket's lock, and nobody there waits for us.
func (t *trackTable) unwatch() {
	if t.watcher != nil {
		t.watcher.Close()
		t.watcher = nil
	}
}

// relay carries the table's events to the inbox until the watcher is closed.
func (s *Server) relay(w *table.Watcher) {
	lost := uint64(0)
	for ev := range w.C() {
		now := w.Lost()
		s.changed(change{kind: ev.Kind, db: ev.Key.DB, key: ev.Key.Name}, now != lost)
		lost = now
	}
}

func (s *Server) changed(ch change, lost bool) {
	b := &s.inbox
	b.Lock()
	first := b.empty()
	b.lost = b.lost || lost || len(b.changed) >= maxInvalidations
	if b.lost {
		b.changed = nil
	} else {
		b.changed = append(b.changed, ch)
	}
	b.Unlock()
	if first {
		s.moved.wake()
	}
}

// invalidate tells clients that keys changed, or, when too much happened, to forget all they have cached.
func (s *Server) invalidate(changes []change, lost bool) {
	t := &s.track
	if lost {
		s.count.trackingLost.Add(1)
		clear(t.readers)
		t.pairs = 0
		for _, c := range t.clients {
			if c.track.on {
				c.pushInvalidation(nil)
			}
			if c.sessions.on {
				c.pushSession(nil)
			}
		}
		return
	}
	for i := range changes {
		ch := &changes[i]
		key := ch.key
		for id := range t.readers[key] {
			t.pairs--
			if c := t.clients[id]; c != nil && !c.track.bcast {
				c.pushInvalidation([]byte(key))
			}
		}
		delete(t.readers, key)
		for _, c := range t.clients {
			if c.track.bcast && c.track.covers([]byte(key)) {
				c.pushInvalidation([]byte(key))
			}
			if c.sessions.covers(ch) {
				c.pushSession(ch)
			}
		}
	}
}

func (t *tracking) covers(key []byte) bool {
	return len(t.prefixes) == 0 || slices.ContainsFunc(t.prefixes, func(p []byte) bool { return bytes.HasPrefix(key, p) })
}

// pushInvalidation sends one key, or nil for all.
func (c *client) pushInvalidation(key []byte) {
	if c.dead || c.closing {
		return
	}
	c.s.count.invalidations.Add(1)
	c.raw(">2\r\n$10\r\ninvalidate\r\n")
	if key == nil {
		c.null()
	} else {
		c.array(1)
		c.bulk(key)
	}
	c.tr.resume(c)
}

// clientTrackingCommand: NOLOOP is accepted, but a client is told of its own writes too, which costs it a read and no correctness.
func clientTrackingCommand(c *client, argv [][]byte) {
	t, err := parseTracking(argv[3:])
	switch {
	case err != "":
		c.fail(err)
	case is(argv[2], "off"):
		c.untrack()
		c.ok()
	case !is(argv[2], "on"):
		c.fail(errSyntax)
	case !c.resp3:
		c.fail("ERR tracking needs RESP3 (HELLO 3), because redirection is not supported")
	default:
		if err := c.track.change(t); err != "" {
			c.fail(err)
			return
		}
		c.s.track.join(c)
		c.ok()
	}
}

func parseTracking(args [][]byte) (t tracking, err string) {
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case is(arg, "redirect") && i+1 < len(args):
			return t, "ERR redirection of tracking messages is not supported; use RESP3 (HELLO 3)"
		case is(arg, "bcast"):
			t.bcast = true
		case is(arg, "optin"):
			t.optin = true
		case is(arg, "optout"):
			t.optout = true
		case is(arg, "noloop"):
			t.noloop = true
		case is(arg, "prefix") && i+1 < len(args):
			i++
			t.prefixes = append(t.prefixes, bytes.Clone(args[i]))
		default:
			return t, errSyntax
		}
	}
	return t, t.contradiction()
}

func (t *tracking) contradiction() string {
	switch {
	case len(t.prefixes) > 0 && !t.bcast:
		return "ERR PREFIX option requires BCAST mode to be enabled"
	case len(t.prefixes) > maxPrefixes:
		return "ERR too many prefixes"
	case t.bcast && (t.optin || t.optout):
		return "ERR OPTIN and OPTOUT are not compatible with BCAST"
	case t.optin && t.optout:
		return "ERR You can't specify both OPTIN mode and OPTOUT mode"
	}
	return ""
}

// change takes new choices; the kind of tracking cannot change while it is on.
func (t *tracking) change(to tracking) (err string) {
	const hint = " mode before disabling tracking for this client, and then re-enabling it with a different mode."
	switch {
	case t.on && t.bcast != to.bcast:
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	case t.on && (t.optin != to.optin || t.optout != to.optout):
		return "ERR You can't switch OPTIN/OPTOUT" + hint
	case len(t.prefixes)+len(to.prefixes) > maxPrefixes:
		return "ERR too many prefixes"
	}
	to.on = true
	to.prefixes = append(t.prefixes, to.prefixes...)
	*t = to
	return ""
}

func clientCachingCommand(c *client, argv [][]byte) {
	t := &c.track
	yes, no := is(argv[2], "yes"), is(argv[2], "no")
	switch {
	case !t.on || !t.optin && !t.optout:
		c.fail("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	case yes && !t.optin:
		c.fail("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
	case no && !t.optout:
		c.fail("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
	case !yes && !no:
		c.fail(errSyntax)
	default:
		t.caching = true
		c.ok()
	}
}

func clientTrackinginfoCommand(c *client, _ [][]byte) {
	t := &c.track
	words := []string{"off"}
	if t.on {
		words = []string{"on"}
	}
	for _, f := range []struct {
		on   bool
		word string
	}{
		{t.bcast, "bcast"}, {t.optin, "optin"}, {t.optin && t.caching, "caching-yes"},
		{t.optout, "optout"}, {t.optout && t.caching, "caching-no"}, {t.noloop, "noloop"},
	} {
		if f.on {
			words = append(words, f.word)
		}
	}
	c.mapOf(3)
	c.bulkString("flags")
	c.setOf(len(words))
	for _, w := range words {
		c.bulkString(w)
	}
	c.bulkString("redirect")
	c.int(int64(t.redirection()))
	c.bulkString("prefixes")
	c.array(len(t.prefixes))
	for _, p := range t.prefixes {
		c.bulk(p)
	}
}

func clientGetredirCommand(c *client, _ [][]byte) { c.int(int64(c.track.redirection())) }

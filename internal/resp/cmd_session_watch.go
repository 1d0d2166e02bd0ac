package resp

import (
	"bytes"
	"strings"

	"github.com/sessioncast/sessioncast/internal/table"
)

// sessionWatch is what a client chose with SESSION WATCH: the server tells it what happens to sessions, on whichever node.
type sessionWatch struct {
	on     bool
	db     int
	prefix string
}

// change is an event of the table, for the goroutine that moves bytes.
type change struct {
	kind table.EventKind
	db   uint8
	key  string
}

func (w *sessionWatch) covers(ch *change) bool {
	return w.on && int(ch.db) == w.db && strings.HasPrefix(ch.key, w.prefix)
}

func sessionWatchCommand(c *client, argv [][]byte) {
	switch {
	case len(argv) > 3:
		c.fail(errSyntax)
		return
	case !c.resp3:
		c.fail("ERR SESSION WATCH needs RESP3 (HELLO 3), which has messages to tell by")
		return
	}
	w := sessionWatch{on: true, db: c.db}
	if len(argv) == 3 {
		w.prefix = string(bytes.Clone(argv[2]))
	}
	c.sessions = w
	c.s.track.join(c)
	c.ok()
}

func sessionUnwatchCommand(c *client, _ [][]byte) {
	c.unwatchSessions()
	c.ok()
}

func (c *client) unwatchSessions() {
	c.sessions = sessionWatch{}
	c.leaveTracking()
}

// pushSession tells what happened to one session; nil: that something is not told, since too much happened.
func (c *client) pushSession(ch *change) {
	if c.dead || c.closing {
		return
	}
	c.s.count.sessionEvents.Add(1)
	if ch == nil {
		c.raw(">2\r\n$7\r\nsession\r\n$4\r\nlost\r\n")
	} else {
		c.raw(">3\r\n$7\r\nsession\r\n")
		c.bulkString(kindName(ch.kind))
		c.bulkString(ch.key)
	}
	c.tr.resume(c)
}

func kindName(k table.EventKind) string {
	switch k {
	case table.Created:
		return "created"
	case table.Changed:
		return "changed"
	case table.Touched:
		return "touched"
	case table.Destroyed:
		return "destroyed"
	}
	return "expired"
}

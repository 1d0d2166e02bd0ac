package resp

import (
	"strconv"

	"github.com/sessioncast/sessioncast/internal/table"
)

// Limits of one command about an owner's sessions; no other client is served meanwhile.
const (
	maxOwned  = 65_536 // sessions listed without a cursor, and sessions destroyed
	ownedPage = 1024   // of them, looked up at a time
)

const (
	errManyOwned = "ERR this owner has more than 65536 sessions: read them in pieces, by CURSOR"
	errManyEnded = "ERR this owner had more than 65536 sessions, of which so many were looked at: send the command again"
)

// ownerCommands are the subcommands of SESSION that find sessions by their owner label.
func ownerCommands() []*command {
	const g = "session"
	return []*command{
		noKey(g, "7.2.0", "session|owned", -3, reads|keyed, sessionOwned, "Lists the keys of an owner's sessions (sessioncast only)"),
		noKey(g, "7.2.0", "session|destroyowned", -3, writes|keyed|ends, sessionDestroyOwned, "Destroys an owner's sessions, but for the keys after EXCEPT (sessioncast only)"),
	}
}

// sessionOwned is SESSION OWNED label, which answers all keys, and SESSION OWNED label CURSOR cursor [COUNT count], which answers as SCAN does.
func sessionOwned(c *client, argv [][]byte) {
	label, rest := string(argv[2]), argv[3:]
	if len(rest) == 0 {
		c.allOwned(label)
		return
	}
	if len(rest) < 2 || !is(rest[0], "cursor") {
		c.fail(errSyntax)
		return
	}
	cursor, ok := parseCursor(rest[1])
	if !ok {
		c.fail("ERR invalid cursor")
		return
	}
	count := int64(ownedPage)
	switch {
	case len(rest) == 2:
	case len(rest) != 4 || !is(rest[2], "count"):
		c.fail(errSyntax)
		return
	default:
		if count, ok = parseInt(rest[3]); !ok || count < 1 {
			c.fail(errNotInteger)
			return
		}
	}
	names, next := c.owned(nil, label, cursor, int(min(count, maxScanCount)))
	c.array(2)
	c.bulkString(strconv.FormatUint(next, 10))
	c.answerNames(names)
}

func (c *client) allOwned(label string) {
	names, next := c.owned(nil, label, 0, ownedPage)
	for next != 0 && len(names) < maxOwned {
		names, next = c.owned(names, label, next, ownedPage)
	}
	if next != 0 {
		c.fail(errManyOwned)
		return
	}
	c.answerNames(names)
}

// owned appends the names of some of an owner's sessions.
func (c *client) owned(names []string, label string, cursor uint64, count int) (_ []string, next uint64) {
	next = c.s.cfg.Table.Owned(c.s.wallMS, c.db, label, cursor, count, func(name string, _ table.View) {
		names = append(names, name)
	})
	return names, next
}

// sessionDestroyOwned is SESSION DESTROYOWNED label [EXCEPT key ...]. As FLUSHDB it waits for all peers, where writes wait for any.
func sessionDestroyOwned(c *client, argv [][]byte) {
	l := table.Logout{Owner: string(argv[2])}
	if rest := argv[3:]; len(rest) > 0 {
		if len(rest) < 2 || !is(rest[0], "except") {
			c.fail(errSyntax)
			return
		}
		stay := make(map[string]bool, len(rest)-1)
		for _, key := range rest[1:] {
			stay[string(key)] = true
		}
		l.Except = func(name string) bool { return stay[name] }
	}
	destroyed, next, first := 0, uint64(0), true
	for looked := 0; (first || next != 0) && looked < maxOwned; looked += ownedPage {
		res, err := c.s.cfg.Table.DestroyOwned(c.s.wallMS, c.db, &l, next, ownedPage)
		destroyed += res.Destroyed
		c.wrote(res.Seq)
		c.flushed = max(c.flushed, res.Seq)
		if err != nil {
			c.failed(err)
			return
		}
		next, first = res.Next, false
	}
	switch {
	case next != 0:
		c.fail(errManyEnded)
	case c.s.cfg.Cluster.Holding() != HoldsAll: // what is not here yet lives on
		c.fail(c.notHere())
	default:
		c.int(int64(destroyed))
	}
}

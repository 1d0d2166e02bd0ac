package resp

import (
	"strconv"

	"github.com/sessioncast/sessioncast/internal/hlc"
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
		noKey(g, "7.2.0", "session|destroyowned", -3, writes|keyed|ends, sessionDestroyOwned, "Destroys an owner's sessions, but for the keys after EXCEPT; with REPORT it tells how many peers did not confirm it (sessioncast only)"),
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

// logout is a SESSION DESTROYOWNED under way.
type logout struct {
	table.Logout
	db        int
	destroyed int
	again     hlc.Stamp // what was created up to then is looked for once more when the peers have told of it; 0: that was done
	report    bool      // the reply is to tell how many peers have not confirmed it, too
	acked     int       // peers that have
}

// sessionDestroyOwned is SESSION DESTROYOWNED label [REPORT] [EXCEPT key ...]. With REPORT the reply is how many were destroyed and how many live peers have not confirmed it: they may have
// sessions that nobody else has heard of. As FLUSHDB it waits for all peers, where writes wait for any. A login that was on its way here
// is not known yet; so it looks again when the peers have told of all that they had made before the command came. In a transaction, and on a connection whose writes
// wait for nobody, it looks once.
func sessionDestroyOwned(c *client, argv [][]byte) {
	l := &logout{Logout: table.Logout{Owner: string(argv[2])}, db: c.db}
	rest := argv[3:]
	if l.report = len(rest) > 0 && is(rest[0], "report"); l.report {
		rest = rest[1:]
	}
	if len(rest) > 0 {
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
	l.again = c.s.cfg.Table.Present(c.s.wallMS)
	ok := c.logOut(l)
	switch {
	case !ok:
	case c.looksAgain(l):
		c.logout = l
		c.hold()
	default:
		c.loggedOut(l)
	}
}

// looksAgain begins to wait for the peers, if there are any to wait for: also for what the pipeline wrote before.
func (c *client) looksAgain(l *logout) bool {
	if c.multi.running || c.ack == 0 || l.Owner == "" {
		return false
	}
	seq := uint64(0)
	if c.seq > c.settled {
		seq = c.seq
	}
	c.settled = c.seq
	pending, _ := c.s.cfg.Cluster.AwaitTold(seq, c.counted(), l.again, c.acked)
	return pending
}

// lookAgain is the second look, after which the command is answered.
func (c *client) lookAgain() {
	l := c.logout
	c.logout = nil
	l.Born, l.again = l.again, 0
	c.s.wallMS = c.s.cfg.now().UnixMilli()
	if c.logOut(l) {
		c.loggedOut(l)
	}
	c.settle()
}

// logOut destroys what is known here; where it does not succeed that was answered.
func (c *client) logOut(l *logout) (ok bool) {
	next, first := uint64(0), true
	for looked := 0; (first || next != 0) && looked < maxOwned; looked += ownedPage {
		res, err := c.s.cfg.Table.DestroyOwned(c.s.wallMS, l.db, &l.Logout, next, ownedPage)
		l.destroyed += res.Destroyed
		c.wrote(res.Seq)
		c.flushed = max(c.flushed, res.Seq)
		if err != nil {
			c.failed(err)
			return false
		}
		next, first = res.Next, false
	}
	if next != 0 {
		c.fail(errManyEnded)
		return false
	}
	return true
}

func (c *client) loggedOut(l *logout) {
	if c.s.cfg.Cluster.Holding() != HoldsAll { // what is not here yet lives on
		c.fail(c.notHere())
		return
	}
	if !l.report {
		c.int(int64(l.destroyed))
		return
	}
	c.array(2)
	c.int(int64(l.destroyed))
	c.int(int64(max(0, c.s.cfg.Cluster.Info().Members-1-l.acked)))
}

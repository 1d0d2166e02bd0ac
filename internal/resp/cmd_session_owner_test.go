package resp

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// own writes sessions of an owner past the server.
func own(t *testing.T, tab *table.Table, db uint8, owner string, keys ...string) {
	t.Helper()
	now := time.Now().UnixMilli()
	for _, k := range keys {
		w := table.Write{Value: []byte("{}"), Due: now + 3_600_000, Owner: owner, OwnerSet: true}
		if _, err := tab.Put(now, record.Key{DB: db, Name: k}, &w); err != nil {
			t.Fatal(err)
		}
	}
}

// keysIn are the bulk strings of a flat array, sorted.
func keysIn(reply string) (keys []string) {
	for i, line := range strings.Split(reply, "\r\n") {
		if i > 0 && i%2 == 0 {
			keys = append(keys, line)
		}
	}
	slices.Sort(keys)
	return keys
}

func TestSessionsOfAnOwner(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		tab := newTable(func(c *table.Config) { c.Hold = time.Minute })
		s := serve(t, mover, func(cfg *Config) { cfg.Table = tab })
		own(t, tab, 0, "alice", "phone", "laptop", "tablet")
		own(t, tab, 0, "bob", "his")
		own(t, tab, 3, "alice", "elsewhere")
		k := dial(t, s.Addrs()[0])
		if got := keysIn(k.do("SESSION", "OWNED", "alice")); !slices.Equal(got, []string{"laptop", "phone", "tablet"}) {
			t.Errorf("alice has %q", got)
		}
		k.want("*0\r\n", "SESSION", "OWNED", "nobody")
		k.want("*0\r\n", "SESSION", "OWNED", "")
		k.want(":0\r\n", "session", "destroyowned", "")
		k.want(":2\r\n", "session", "destroyowned", "alice", "except", "laptop", "not there")
		k.want("*1\r\n$6\r\nlaptop\r\n", "SESSION", "OWNED", "alice")
		k.want("$2\r\n{}\r\n", "GET", "his")
		refused(t, k, "SET", "phone", "late", "EX", "100")
		k.want(":1\r\n", "SESSION", "DESTROYOWNED", "alice")
		k.want(":0\r\n", "SESSION", "DESTROYOWNED", "alice")
		k.want("+OK\r\n", "SELECT", "3")
		k.want("*1\r\n$9\r\nelsewhere\r\n", "SESSION", "OWNED", "alice")
		for _, bad := range [][]string{
			{"OWNED", "a", "b"}, {"OWNED", "a", "CURSOR"}, {"OWNED", "a", "CURSOR", "0", "COUNT"}, {"OWNED", "a", "CURSOR", "0", "X", "1"},
			{"DESTROYOWNED", "a", "EXCEPT"}, {"DESTROYOWNED", "a", "b"}, {"DESTROYOWNED", "a", "b", "c"},
		} {
			k.want("-ERR syntax error\r\n", append([]string{"SESSION"}, bad...)...)
		}
		k.want("-ERR invalid cursor\r\n", "SESSION", "OWNED", "a", "CURSOR", "x")
		k.want("-ERR value is not an integer or out of range\r\n", "SESSION", "OWNED", "a", "CURSOR", "0", "COUNT", "0")
	})
}

// limits: sessions of one owner
func TestManySessionsOfOneOwnerAreReadInPieces(t *testing.T) {
	tab := newTable()
	s := serve(t, func(cfg *Config) { cfg.Table = tab })
	var keys []string
	for i := range maxOwned + 10 {
		keys = append(keys, fmt.Sprint("s", i))
	}
	own(t, tab, 0, "guest", keys...)
	k := dial(t, s.Addrs()[0])
	k.want("-"+errManyOwned+"\r\n", "SESSION", "OWNED", "guest")
	seen := map[string]bool{}
	for cursor, more := "0", true; more; more = cursor != "0" {
		reply := k.do("SESSION", "OWNED", "guest", "CURSOR", cursor, "COUNT", "9000")
		parts := strings.SplitN(reply, "\r\n", 4)
		cursor = parts[2]
		for _, key := range keysIn(parts[3]) {
			seen[key] = true
		}
	}
	if len(seen) != len(keys) {
		t.Errorf("%d keys of %d came", len(seen), len(keys))
	}
	k.want("-"+errManyEnded+"\r\n", "SESSION", "DESTROYOWNED", "guest", "EXCEPT", "s7")
	k.send(encode("SESSION", "DESTROYOWNED", "guest", "EXCEPT", "s7"))
	if got := k.reply(); !strings.HasPrefix(got, ":") || tab.Len(0) != 1 {
		t.Errorf("answered %q, %d sessions are left", got, tab.Len(0))
	}
}

// Who is told that a user is logged out everywhere has to be able to rely on it.
func TestALogoutEverywhereWaitsForAllPeers(t *testing.T) {
	p := newPeers()
	tab := newTable()
	s := serve(t, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
	own(t, tab, 0, "alice", "s")
	k := dial(t, s.Addrs()[0])
	k.send(encode("SESSION", "DESTROYOWNED", "alice"))
	w := p.next(t)
	if w.k != byAll {
		t.Errorf("it awaits %d", w.k)
	}
	w.done(2)
	if got := k.reply(); got != ":1\r\n" {
		t.Errorf("got %q", got)
	}
}

// What stands before it in a pipeline waits as it would without it, also where nobody is logged out.
func TestALogoutEverywhereWaitsForTheWritesBeforeIt(t *testing.T) {
	p := newPeers()
	tab := newTable()
	s := serve(t, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
	k := dial(t, s.Addrs()[0])
	k.send(encode("SET", "a", "1") + encode("SESSION", "DESTROYOWNED", "nobody"))
	w := p.next(t)
	if w.seq != tab.OwnHigh() || w.writes != 1 {
		t.Errorf("awaits dot %d for %d writes, want dot %d for 1", w.seq, w.writes, tab.OwnHigh())
	}
	w.done(2)
	if got := k.reply() + k.reply(); got != "+OK\r\n:0\r\n" {
		t.Errorf("got %q", got)
	}
	k.send(encode("SESSION", "DESTROYOWNED", "nobody"))
	if w := p.next(t); w.seq != 0 || w.writes != 0 {
		t.Errorf("awaits dot %d again, for %d writes", w.seq, w.writes)
	} else {
		w.done(2)
	}
	k.reply()
}

// Who has to be sure is told how many peers may have sessions that nobody has heard of. The fake cluster has two.
func TestALogoutEverywhereReportsWhoDidNotConfirmIt(t *testing.T) {
	for acked, want := range []string{"*2\r\n:1\r\n:2\r\n", "*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n"} {
		p := newPeers()
		tab := newTable()
		s := serve(t, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
		own(t, tab, 0, "alice", "s", "here")
		k := dial(t, s.Addrs()[0])
		k.want("-ERR syntax error\r\n", "SESSION", "DESTROYOWNED", "alice", "REPORT", "here")
		k.send(encode("SESSION", "DESTROYOWNED", "alice", "REPORT", "EXCEPT", "here"))
		p.next(t).done(acked)
		if got := k.reply(); got != want {
			t.Errorf("%d peers have confirmed it: %q", acked, got)
		}
	}
}

// A node that lacks sessions destroys what it has, and says that there may be more.
func TestALogoutEverywhereOnANodeThatLacksSessions(t *testing.T) {
	for _, h := range []Holding{HoldsPart, HoldsNotYet} {
		p := newPeers()
		tab := newTable()
		s := serve(t, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
		p.holds(h)
		own(t, tab, 0, "alice", "s")
		k := dial(t, s.Addrs()[0])
		if got := k.do("SESSION", "OWNED", "alice"); got[0] != '-' {
			t.Errorf("a list that may lack some: %q", got)
		}
		k.send(encode("SESSION", "DESTROYOWNED", "alice"))
		p.next(t).done(1)
		if got := k.reply(); got[0] != '-' || tab.Len(0) != 0 {
			t.Errorf("answered %q, %d sessions are left", got, tab.Len(0))
		}
	}
}

// A login on another node that was on its way here is ended, and one that was made later is not.
func TestALogoutEverywhereLooksAgain(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		p := newPeers()
		origins := new(record.Origins)
		tab := newTable(func(c *table.Config) { c.Origins = origins })
		other := newTable(func(c *table.Config) {
			c.Origins, c.Self = origins, record.Origin{Node: record.NodeID{2}, Incarnation: record.Incarnation{1}}
		})
		come := func(name string) {
			var s record.State
			if !other.Load(record.Key{Name: name}, &s) {
				t.Fatal("not there")
			}
			s = s.Clone()
			tab.Merge(time.Now().UnixMilli(), record.Key{Name: name}, &s)
		}
		s := serve(t, mover, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
		own(t, other, 0, "alice", "before")
		k := dial(t, s.Addrs()[0])
		k.send(encode("SESSION", "DESTROYOWNED", "alice") + encode("PING"))
		w := p.next(t)
		come("before")
		end := tab.Present(time.Now().UnixMilli())
		for tab.Present(time.Now().UnixMilli()) <= end { // later than when it began
			runtime.Gosched()
		}
		own(t, other, 0, "alice", "later")
		come("later")
		w.done(2)
		p.next(t).done(2) // what the second look destroyed is to be on all, too
		if got := k.reply() + k.reply(); got != ":1\r\n+PONG\r\n" {
			t.Errorf("answered %q", got)
		}
		k.want("*1\r\n$5\r\nlater\r\n", "SESSION", "OWNED", "alice")
	})
}

func TestALogoutEverywhereInATransactionLooksOnce(t *testing.T) {
	p := newPeers()
	tab := newTable()
	s := serve(t, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
	own(t, tab, 0, "alice", "s")
	k := dial(t, s.Addrs()[0])
	k.want("+OK\r\n", "MULTI")
	k.want("+QUEUED\r\n", "SESSION", "DESTROYOWNED", "alice")
	k.send(encode("EXEC"))
	p.next(t).done(2)
	if got := k.reply(); got != "*1\r\n:1\r\n" {
		t.Errorf("answered %q", got)
	}
}

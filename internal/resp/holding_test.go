package resp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

const short = "-LOADING raise it\r\n"

// partial is a server whose node holds a part of the sessions: one named here.
func partial(t *testing.T) (k *talk, p *peers, tab *table.Table) {
	p = newPeers()
	tab = newTable(func(tc *table.Config) { tc.Hold = time.Minute })
	s := serve(t, func(cfg *Config) { cfg.Cluster, cfg.Table = p, tab })
	k = dial(t, s.Addrs()[0])
	p.mu.Lock()
	p.instant = true
	p.mu.Unlock()
	k.want("+OK\r\n", "SET", "here", "v", "EX", "100")
	p.holds(HoldsPart)
	tab.SetPartial(true)
	return k, p, tab
}

// "reads, touches and destroys always work on a full node", and it never calls missing what it may lack.
func TestANodeWithAPartOfTheSessionsServesThatPart(t *testing.T) {
	k, _, _ := partial(t)
	k.want("$1\r\nv\r\n", "GET", "here")
	k.want(":1\r\n", "EXISTS", "here")
	k.want(":1\r\n", "EXPIRE", "here", "200")
	k.want("+OK\r\n", "SET", "here", "w", "XX", "EX", "100")
	k.want("*1\r\n$1\r\nw\r\n", "MGET", "here")
	for _, args := range []string{
		"GET there", "MGET here there", "EXISTS here there", "EXPIRE there 100", "TTL there", "GETEX there EX 100", "GETDEL there", "STRLEN there", "TYPE there",
		"SET there v NX EX 100", "SET there v XX", "SET there v GET", "SETNX there v", "GETSET there v", "PERSIST there", "KEYS *", "SCAN 0", "WATCH there",
	} {
		k.want(short, strings.Fields(args)...)
	}
	k.want("+OK\r\n", "SET", "new", "v", "EX", "100")
	k.want("+OK\r\n", "SETEX", "new", "100", "w")
	k.want("+OK\r\n", "MSET", "new", "x")
	k.want(":2\r\n", "DBSIZE")
	k.want("$1\r\nw\r\n", "GETDEL", "here")
	if info := k.do("INFO"); !strings.Contains(info, "loading:0\r\n") {
		t.Errorf("INFO says %q", info)
	}
}

// A logout works on a node that does not know the session, and the session's requests that are under way do not bring it back.
func TestALogoutWorksWhereTheSessionIsNotHeld(t *testing.T) {
	for _, h := range []Holding{HoldsPart, HoldsNotYet} {
		k, p, tab := partial(t)
		p.holds(h)
		k.want(":0\r\n", "DEL", "there")
		k.want(":1\r\n", "UNLINK", "here")
		p.holds(HoldsAll)
		tab.SetPartial(false)
		k.want("-"+errDestroyed+"\r\n", "SET", "there", "v", "EX", "100")
		k.want("$-1\r\n", "GET", "there")
		k.want("+OK\r\n", "SET", "there", "v", "EX", "100") // who has seen it gone means it
	}
	k, _, _ := partial(t)
	k.want(":0\r\n", "DEL", "there")
	k.want("$-1\r\n", "GET", "there") // it is known that it was destroyed
	k.want("+OK\r\n", "FLUSHALL")
}

// Tombstones of unknown keys are limited; a logout beyond that is no success.
func TestALogoutThatCannotBeRememberedIsAnError(t *testing.T) {
	k, _, _ := partial(t)
	args := []string{"DEL"} // at one moment
	for i := range 2 * table.UnknownTombsBurst {
		args = append(args, fmt.Sprint("s", i))
	}
	k.want(short, args...)
}

func TestACommandOfATransactionIsWithheld(t *testing.T) {
	k, _, _ := partial(t)
	k.want("+OK\r\n", "MULTI")
	k.want("+QUEUED\r\n", "GET", "here")
	k.want(short, "GET", "there")
	k.want("-"+errExecAbort+"\r\n", "EXEC")
}

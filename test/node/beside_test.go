//go:build linux

package node

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// Servers of the scenarios; C comes later.
const (
	a = iota
	b
	c
)

// scenario is a row of the table in docs/migration.md: something is done on three servers, and something is counted.
type scenario struct {
	what     string
	counted  string
	run      func(w *web) int
	original span
	ours     int
}

// span is what may be counted, where it is by chance; else both are the same.
type span struct{ least, most int }

func exactly(n int) span { return span{n, n} }

const (
	lossy     = 500 // sessions created while datagrams are lost
	loggedOut = 200
	parallel  = 30
	ownReads  = 40
	fewJoined = 50
	fewer     = 20
	joined    = 2000
	restarted = 40
)

var scenarios = []scenario{
	{"50 sessions of 1 KiB on A and B, then C starts", "sessions on C, of 50", (*web).joinsFew, span{fewJoined / 2, fewJoined}, fewJoined}, // a busy one may have lost some before
	{"C is killed and started again, with 40 more", "sessions on C, of 40", (*web).restarts, exactly(0), restarted},
	{"a session is created on A", "servers that have it, of B and C", (*web).created, exactly(2), 2},
	{"a request on A changes it", "servers that see the change, of B and C", (*web).changed, exactly(0), 2},
	{"the next request on A reads what A has changed, 40 times", "reads that see it, of 40", (*web).readsItsOwn, span{1, ownReads - 1}, ownReads},
	{"30 requests at once on A, B and C, each sets a key of its own", "keys that all servers have then, of 30", (*web).atOnce, exactly(0), parallel},
	{"logout on B while a request on A is under way, which then saves", "servers on which the user is logged in again", (*web).revived, span{1, 3}, 0},
	{"page views on A and B, then logout on A", "servers on which the user is logged in still", (*web).survives, span{1, 3}, 0},
	{"a session of 66,000 bytes is created on A", "servers that have it, of B and C", large(66_000), exactly(0), 2},
	{"a session of 1,000,000 bytes is created on A", "servers that have it, of B and C", large(1_000_000), exactly(0), 2},
	{"500 sessions are created on A while each server loses 1 % of the datagrams", "sessions that B or C lacks", createsWith(1), span{1, lossy}, 0},
	{"the same with 5 %", "sessions that B or C lacks", createsWith(5), span{10, lossy}, 0},
	{"the same with 20 %", "sessions that B or C lacks", createsWith(20), span{80, lossy}, 0},
	{"200 logouts on A with 20 %", "users who are logged in somewhere still", (*web).logsOutWith20, span{20, loggedOut}, 0},
	{"a session ends by its cookie's time", "servers that hold it still", (*web).expires, exactly(3), 0},
	{"2000 sessions of 1 KiB on A, then C starts", "sessions on C, of 2000", (*web).joinsMany, exactly(0), joined},
	{"one datagram `x` from anywhere", "servers that live, of 3", (*web).garbage, exactly(0), servers},
}

// overIPv6 are some of them again. An original takes itself for another node there, as it compares its IPv4 address.
var overIPv6 = []scenario{
	{"over IPv6: 20 sessions on A and B, then C starts", "sessions on C, of 20", (*web).joinsFewer, span{0, fewer}, fewer}, // it may ask itself first
	{"over IPv6: a session is created on A", "servers that have it, of B and C", (*web).created, exactly(2), 2},
}

// TestThePackedStoreBesideTheOriginal does the same with both packages on three servers, as they are installed by users.
func TestThePackedStoreBesideTheOriginal(t *testing.T) { beside(t, "v4", scenarios) }

func TestThePackedStoreBesideTheOriginalOverIPv6(t *testing.T) { beside(t, "v6", overIPv6) }

func beside(t *testing.T, use string, list []scenario) {
	app := packed(t)
	rig.Namespaces(t, servers, func(t *testing.T, n *nstest.Net) {
		for i := range servers {
			n.Output(i, "ip", "route", "add", "default", "dev", "eth0")
		}
		original := newWeb(t, n, app, kind{"express-session-multicast", map[string]any{"use": use}})
		was := original.all(list)
		options := map[string]any{"use": use, "keyFile": rig.NewSite(t).KeyFile(), "ack": "all"}
		ours := newWeb(t, n, app, kind{"@sessioncast/express-session", options})
		is := ours.all(list)
		docs, err := os.ReadFile("../../docs/migration.md")
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range list {
			t.Logf("| %s | %s | %d | %d |", s.what, s.counted, was[i], is[i])
			if was[i] < s.original.least || was[i] > s.original.most {
				t.Errorf("of the original: %s: %s: %d, want %+v", s.what, s.counted, was[i], s.original)
			}
			if is[i] != s.ours {
				t.Errorf("of ours: %s: %s: %d, want %d", s.what, s.counted, is[i], s.ours)
			}
			if row := s.row(); !strings.Contains(string(docs), row) {
				t.Errorf("docs/migration.md has no row %q", row)
			}
		}
	})
}

// row is how the row of the documentation begins; what is by chance stands there as it was counted once.
func (s *scenario) row() string {
	head := fmt.Sprintf("| %s | %s | ", s.what, s.counted)
	if s.original.least != s.original.most {
		return head
	}
	return fmt.Sprintf("%s%d | %d |", head, s.original.least, s.ours)
}

// all goes through the scenarios, and ends the servers.
func (w *web) all(list []scenario) (counts []int) {
	w.Helper()
	w.start(a)
	w.start(b)
	for i, s := range list {
		began := time.Now()
		counts = append(counts, s.run(w))
		w.Logf("%s: %s: %d, in %v", w.kind.name, s.what, counts[i], time.Since(began).Round(time.Millisecond))
	}
	for i := range servers {
		w.kill(i)
	}
	return counts
}

func names(prefix string, n int) (sids []string) {
	for i := range n {
		sids = append(sids, fmt.Sprint(prefix, i))
	}
	return sids
}

// has counts the sessions that are there.
func (w *web) has(i int, sids []string) (n int) {
	w.Helper()
	for _, f := range w.read(i, sids...) {
		if f != nil {
			n++
		}
	}
	return n
}

// see counts servers on which a session is as it is to be.
func (w *web) see(sid string, on []int, holds func(fields) bool) (n int) {
	w.Helper()
	for _, i := range on {
		if f := w.read(i, sid)[0]; f != nil && holds(f) {
			n++
		}
	}
	return n
}

func anything(fields) bool { return true }

func (w *web) many(i int, prefix string, n, size, everyMS int) []string {
	w.Helper()
	w.do(i, "many", map[string]any{"sid": prefix, "count": n, "size": size, "every": everyMS})
	return names(prefix, n)
}

func (w *web) joinsFew() int   { return w.joins("few", fewJoined, 1024) }
func (w *web) joinsFewer() int { return w.joins("fewer", fewer, 10) }

func (w *web) joins(prefix string, n, size int) int {
	sids := w.many(a, prefix, n, size, 5)
	w.start(c)
	w.fence(a, "joined "+prefix)
	return w.has(c, sids)
}

func (w *web) restarts() int {
	w.kill(c)
	sids := w.many(a, "meanwhile", restarted, 10, 5)
	w.start(c)
	w.fence(a, "restarted")
	return w.has(c, sids)
}

func (w *web) created() int {
	w.create(a, "one", fields{"n": 1})
	w.fence(a, "created")
	return w.see("one", []int{b, c}, anything)
}

func (w *web) changed() int {
	w.change(a, fields{"n": 2}, "one")
	w.fence(a, "changed")
	return w.see("one", []int{b, c}, func(f fields) bool { return f["n"] == 2.0 })
}

func (w *web) change(i int, f fields, sids ...string) {
	w.Helper()
	w.do(i, "change", map[string]any{"sids": sids, "fields": f})
}

func (w *web) readsItsOwn() (fresh int) {
	for _, sid := range names("own", ownReads) {
		w.create(a, sid, fields{"n": 1})
		w.change(a, fields{"n": 2}, sid)
		fresh += w.see(sid, []int{a}, func(f fields) bool { return f["n"] == 2.0 })
	}
	return fresh
}

// atOnce begins all requests before the first of them ends.
func (w *web) atOnce() int {
	w.create(a, "shared", fields{"user": "ann"})
	w.fence(a, "shared is everywhere")
	saves := make([][]map[string]any, servers)
	for k := range parallel {
		w.do(k%servers, "open", map[string]any{"sid": "shared", "number": k})
		saves[k%servers] = append(saves[k%servers], map[string]any{"number": k, "fields": fields{fmt.Sprint("key", k): k}})
	}
	var ends []func()
	for i := range servers {
		end := w.begin(i, "save", map[string]any{"saves": saves[i]})
		ends = append(ends, func() { end() })
	}
	for _, end := range ends {
		end()
	}
	for i := range servers {
		w.fence(i, fmt.Sprint("saved on ", i))
	}
	kept := 0
	for k := range parallel {
		if w.see("shared", []int{a, b, c}, func(f fields) bool { return f[fmt.Sprint("key", k)] != nil }) == servers {
			kept++
		}
	}
	return kept
}

func (w *web) logout(i int, everyMS int, sids ...string) {
	w.Helper()
	w.do(i, "destroy", map[string]any{"sids": sids, "every": everyMS})
}

func (w *web) revived() int {
	w.create(a, "slow", fields{"user": "ann"})
	w.fence(a, "slow is everywhere")
	w.do(a, "open", map[string]any{"sid": "slow", "number": -1})
	w.logout(b, 0, "slow")
	w.fence(b, "logged out")
	w.do(a, "save", map[string]any{"saves": []map[string]any{{"number": -1, "fields": fields{"views": 1}}}})
	w.fence(a, "the slow request has ended")
	return w.see("slow", []int{a, b, c}, anything)
}

func (w *web) survives() int {
	w.create(a, "viewed", fields{"user": "ann"})
	w.fence(a, "viewed is everywhere")
	w.change(a, fields{"views": 1}, "viewed")
	w.change(b, fields{"views": 2}, "viewed")
	w.fence(b, "views")
	w.logout(a, 0, "viewed")
	w.fence(a, "logged out after views")
	return w.see("viewed", []int{a, b, c}, anything)
}

func large(bytes int) func(*web) int {
	return func(w *web) int {
		sid := fmt.Sprint("large", bytes)
		w.create(a, sid, fields{"pad": strings.Repeat("x", bytes)})
		w.fence(a, "after "+sid)
		return w.see(sid, []int{b, c}, func(f fields) bool { return f["pad"] == float64(bytes) })
	}
}

// lose makes all servers lose a part of what they are sent.
func (w *web) lose(percent float64) {
	for i := range servers {
		w.net.Loss(i, percent)
	}
}

func createsWith(percent float64) func(*web) int {
	return func(w *web) (lacking int) {
		w.lose(percent)
		sids := w.many(a, fmt.Sprint("lossy", percent, "-"), lossy, 100, 5)
		w.lose(0)
		w.fence(a, fmt.Sprint("no loss after ", percent))
		onB, onC := w.read(b, sids...), w.read(c, sids...)
		for k := range sids {
			if onB[k] == nil || onC[k] == nil {
				lacking++
			}
		}
		return lacking
	}
}

func (w *web) logsOutWith20() (left int) {
	sids := w.many(a, "out", loggedOut, 10, 5)
	w.fence(a, "logged in")
	w.lose(20)
	w.logout(a, 5, sids...)
	w.lose(0)
	w.fence(a, "all logged out")
	on := [][]fields{w.read(a, sids...), w.read(b, sids...), w.read(c, sids...)}
	for k := range sids {
		if slices.ContainsFunc(on, func(list []fields) bool { return list[k] != nil }) {
			left++
		}
	}
	return left
}

// expires waits for what has to go where it goes, and until its time has passed where it does not.
func (w *web) expires() int {
	const life = 1500 * time.Millisecond
	w.do(a, "create", map[string]any{"sid": "short", "fields": fields{"n": 1}, "maxAge": life.Milliseconds()})
	w.fence(a, "short is everywhere")
	end := time.Now().Add(2 * life)
	rig.Eventually(w, "its time has passed", func() bool { return time.Now().After(end) })
	return w.see("short", []int{a, b, c}, anything)
}

func (w *web) joinsMany() int {
	w.on[c].Stop(w, syscall.SIGINT) // with a goodbye, so that the others greet it again
	w.killEngine(c)
	sids := w.many(a, "many", joined, 1024, 0)
	w.start(c)
	w.fence(a, "joined many")
	return w.has(c, sids)
}

func (w *web) garbage() (live int) {
	w.datagram(b, "x")
	if w.kind.options["keyFile"] == nil {
		rig.Eventually(w, "one datagram ends all", func() bool { return !w.on[a].Running() && !w.on[b].Running() && !w.on[c].Running() })
		return 0
	}
	w.fence(a, "after one datagram")
	for i := range servers {
		if w.on[i].Running() {
			live++
		}
	}
	return live
}

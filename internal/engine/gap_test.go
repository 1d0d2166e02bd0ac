package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// A firewall that shuts unicast datagrams from one node to another, while the group and streams pass, hides no logout.
func TestWhatNoRepairBringsIsPulled(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	const sessions = 200
	for i := range sessions {
		b.put(0, sessionName(i), "logged in")
	}
	b.run(time.Second)
	n := 0
	b.drop = func(from, to int, typ wire.Type, f Frame) bool {
		if n++; from != 0 || to != 1 {
			return false
		}
		return f.To.IsValid() || typ == wire.TypeData && n%20 == 0
	}
	for i := range sessions {
		if _, err := b.nodes[0].table.Destroy(b.now.UnixMilli(), key(sessionName(i)), true); err != nil {
			t.Fatal(err)
		}
		b.run(2 * time.Millisecond)
	}
	if b.nodes[1].m.lookup(b.nodes[1].m.members.list[0].ref).missing() == 0 {
		t.Fatal("nothing was lost")
	}
	for range 20 { // the newest changes keep coming, which is no progress with the old ones
		b.put(0, "another", "value")
		b.run(200 * time.Millisecond)
	}
	for i := range sessions {
		if got := b.get(1, sessionName(i)); got != "" {
			t.Errorf("%s is logged out and still shows %q elsewhere", sessionName(i), got)
		}
	}
	if b.nodes[1].m.Counters().GapsPulled == 0 {
		t.Error("nothing was pulled")
	}
}

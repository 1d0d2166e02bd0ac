package node

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
)

// alarms counts what a node told.
type alarms struct {
	sync.Mutex
	kinds map[engine.EventKind]int
}

func (a *alarms) note(e engine.Event) {
	a.Lock()
	defer a.Unlock()
	if a.kinds == nil {
		a.kinds = make(map[engine.EventKind]int)
	}
	a.kinds[e.Kind]++
}

func (a *alarms) told(k engine.EventKind) int {
	a.Lock()
	defer a.Unlock()
	return a.kinds[k]
}

// openAs starts a node on loopback as the given run, where one is given.
func openAs(t *testing.T, name string, port int, self *record.Origin) (*Node, *alarms) {
	t.Helper()
	told := new(alarms)
	n, err := Open(Config{
		Name: name, Keys: []seal.Key{{1, 2, 3}}, Ack: 1, OnEvent: told.note, cloneOf: self,
		Network: link.Config{
			Address: netip.MustParseAddr("127.0.0.1"), Group: netip.MustParseAddr("239.255.77.1"), Port: port,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n, told
}

// Two processes that run under one incarnation, as after the cloning of a virtual machine: soon no two do (within two seconds, by the clock of
// internal/engine's tests), and what each of them has written is everywhere.
func TestTwoProcessesUnderOneIncarnationPart(t *testing.T) {
	const port = 24160
	self := newOrigin("twin", time.Now())
	a, toldA := openAs(t, "twin", port, &self)
	c, toldC := openAs(t, "other", port, nil)
	eventually(t, "the first two meet", func() bool { return a.Peers() == 1 && c.Peers() == 1 })
	for i := range 200 {
		put(t, a, fmt.Sprint("a", i), "1")
	}
	b, toldB := openAs(t, "twin", port, &self)
	for i := range 200 {
		put(t, b, fmt.Sprint("b", i), "2")
		put(t, a, fmt.Sprint("late", i), "3")
	}
	eventually(t, "one of them is another run", func() bool { return a.Self() != b.Self() })
	if a.Self().Node != self.Node || b.Self().Node != self.Node {
		t.Error("a new incarnation is another node")
	}
	for _, n := range []*Node{a, b, c} {
		eventually(t, "all hold everything", func() bool { return n.Table().Len(0) == 600 && n.Peers() == 2 })
	}
	if toldA.told(engine.EventCloned)+toldB.told(engine.EventCloned) == 0 || toldC.told(engine.EventCloned) != 0 {
		t.Errorf("told %d, %d and %d times of a clone", toldA.told(engine.EventCloned), toldB.told(engine.EventCloned), toldC.told(engine.EventCloned))
	}
	eventually(t, "all tell of two nodes with one name", func() bool {
		return toldA.told(engine.EventDuplicate) > 0 && toldB.told(engine.EventDuplicate) > 0 && toldC.told(engine.EventDuplicate) > 0
	})
	put(t, b, "after", "4")
	eventually(t, "a change after it arrives", func() bool { return get(a, "after") == "4" && get(c, "after") == "4" })
}

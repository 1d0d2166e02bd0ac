package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOpenRefusesWhatCannotBe(t *testing.T) {
	for name, c := range map[string]Config{
		"no name":           {},
		"a long name":       {Name: string(make([]byte, 65))},
		"a large session":   {Name: "a", MaxSession: record.MaxValue + 1},
		"a negative hold":   {Name: "a", Hold: -1},
		"no key":            {Name: "a"},
		"two keys the same": {Name: "a", Keys: []seal.Key{{1}, {1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := Open(c); err == nil {
				n.Kill()
				t.Error("it opens")
			}
		})
	}
}

func TestNobodyWaitsWhereNobodyIs(t *testing.T) {
	n := openLoopback(t, "alone", 24110)
	called := func(int) { t.Error("called back") }
	if pending, peers := n.Await(put(t, n, "s", "1"), 1, 1, time.Hour, called); pending || peers != 0 {
		t.Errorf("pending %v with %d peers", pending, peers)
	}
}

func TestWaitersHearThatTheirNodeIsGone(t *testing.T) {
	const port = 24120
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "a sees b", func() bool { return a.Peers() == 1 })
	b.Kill() // silently: a believes in it for some seconds
	told := make(chan int, 1)
	if pending, _ := a.Await(put(t, a, "s", "1"), 1, 1, time.Hour, func(peers int) { told <- peers }); !pending {
		t.Fatal("nothing to wait for")
	}
	a.Kill()
	if peers := <-told; peers != 0 {
		t.Errorf("%d peers hold what only a dead one could", peers)
	}
	if pending, peers := a.Await(put(t, a, "s", "2"), 1, 1, time.Hour, func(int) {}); pending || peers != 0 {
		t.Errorf("who wrote just before the end waits for ever, or is told of %d peers", peers)
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	const port = 24130
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "a sees b", func() bool { return a.Peers() == 1 })
	b.Kill()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if peers := a.AwaitSync(ctx, put(t, a, "s", "1"), 1, time.Hour); peers != 0 {
		t.Errorf("%d peers", peers)
	}
}

func TestAClosedNodeTakesNoWrites(t *testing.T) {
	n := openLoopback(t, "closing", 24140)
	for range 2 {
		if err := n.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Table().Put(time.Now().UnixMilli(), record.Key{Name: "s"}, &table.Write{}); !errors.Is(err, table.ErrClosed) {
		t.Errorf("a write is answered with %v", err)
	}
}

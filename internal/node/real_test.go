package node

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
)

// openLoopback starts a node on loopback, on a group and port of the test's own.
func openLoopback(t testing.TB, name string, port int) *Node {
	t.Helper()
	return openWithClock(t, name, port, nil)
}

func openWithClock(t testing.TB, name string, port int, now func() time.Time) *Node {
	t.Helper()
	n, err := Open(Config{
		Name: name, Keys: []seal.Key{{1, 2, 3}}, Ack: 1, Hold: time.Minute, Now: now,
		Network: link.Config{
			Address: netip.MustParseAddr("127.0.0.1"), Group: netip.MustParseAddr("239.255.77.1"), Port: port,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

// patience is how long what has to happen may take on a machine with other things to do.
const patience = time.Minute

// eventually polls a condition on real sockets, which no virtual clock can drive.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	tick := time.NewTicker(time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

func put(t testing.TB, n *Node, name, value string) uint64 {
	t.Helper()
	res, err := n.Table().Put(time.Now().UnixMilli(), record.Key{Name: name},
		&table.Write{Value: []byte(value), Due: time.Now().Add(time.Hour).UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	return res.Seq
}

func get(n *Node, name string) string {
	v, _ := n.Table().Get(time.Now().UnixMilli(), record.Key{Name: name})
	return string(v.Value)
}

func TestNodesOnOneHostShareSessions(t *testing.T) {
	const port = 24100
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "a and b see each other synced", func() bool { return a.peers.Load() == 1 && b.peers.Load() == 1 })
	seq := put(t, a, "s", "1")
	ctx := context.Background()
	if got := a.AwaitSync(ctx, seq, 1, patience); got != 1 {
		t.Fatalf("%d peers hold an acknowledged write, want 1", got)
	}
	if got := get(b, "s"); got != "1" {
		t.Fatalf("b has %q after its acknowledgement", got)
	}
	for i := range 2000 {
		put(t, b, fmt.Sprint("k", i), "v")
	}
	c := openLoopback(t, "c", port)
	eventually(t, "c holds all", func() bool { return c.Table().Len(0) == 2001 })
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b is gone", func() bool { return a.peers.Load() == 1 })
}

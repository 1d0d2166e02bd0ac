package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// What a cluster costs the network while nothing happens, for docs/reliability.md. A node sends one full heartbeat a
// second, which names all members: so a node's bytes grow with the members, up to what one frame holds.
func TestIdleTraffic(t *testing.T) {
	sizes := []int{3, 10, 32, 100}
	if testing.Short() || !testing.Verbose() { // a hundred take seconds, and are for who reads the figures
		sizes = sizes[:2]
	}
	for _, nodes := range sizes {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			w := quiet(nodes)
			w.run(12*time.Second, nil)
			datagrams, bytes := w.stats.Datagrams, w.stats.Bytes
			const measured = 16 // twice the turn in which a node asks two others whether unicast passes
			w.run(w.now+measured*time.Second, nil)
			if w.err != nil {
				t.Fatal(w.err)
			}
			per := func(n int) float64 { return float64(n) / measured / float64(nodes) }
			datagrams, bytes = w.stats.Datagrams-datagrams, w.stats.Bytes-bytes
			t.Logf("%d nodes, idle: each sends %.2f datagrams and %.0f bytes a second, all together %.0f and %.0f",
				nodes, per(datagrams), per(bytes), float64(datagrams)/measured, float64(bytes)/measured)
			if per(datagrams) > 1.6 || per(bytes) > 1.5*1400 {
				t.Errorf("that is more than a heartbeat a second, and four small datagrams in ten")
			}
		})
	}
}

// A hundred nodes that start at the same instant find each other, share what is written on any, and lose nothing when
// ten of them die.
func TestAHundredNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const nodes = 100
	w := quiet(nodes)
	w.run(4*time.Second, nil)
	var keys []record.Key
	for i, n := range w.nodes {
		k := record.Key{Name: fmt.Sprint("of ", i)}
		n.put(k, table.Write{})
		keys = append(keys, k)
	}
	w.run(w.now+200*time.Millisecond, nil)
	for _, n := range w.nodes[:10] {
		n.crash()
	}
	w.run(w.now+6*time.Second, nil)
	for _, n := range w.nodes[10:] {
		if got := n.machine.Peers(); got != nodes-11 {
			t.Errorf("%s has %d peers, want %d", nodeName(n.id), got, nodes-11)
		}
		for _, k := range keys {
			if _, ok := n.table.Get(n.wall(), k); !ok {
				t.Errorf("%s lacks %s", nodeName(n.id), k.Name)
			}
		}
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
}

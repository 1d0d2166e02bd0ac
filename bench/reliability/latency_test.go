//go:build linux

package reliability

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	latencyHosts  = 10
	latencyBytes  = 512
	steadyUpdates = 3000
	steadyGap     = 5 * time.Millisecond // 200 updates a second, all by one node
	loneUpdates   = 1500
	loneGap       = 25 * time.Millisecond // by ten nodes in turn: each writes four times a second
)

// latency measures how long it takes until all ten nodes have an update.
func latency(f *figures) {
	nodes := f.cluster(latencyHosts)
	rows := [][]string{{"loss at each receiver", "updates", "p50 ms", "p99 ms", "max ms", "datagrams per update", "bytes per update",
		"the writer's timer late, p99 ms"}}
	run := 0
	for _, loss := range []float64{0, 1, 5, 20} {
		for i := range nodes {
			f.net.Loss(i, loss)
		}
		for _, load := range []struct {
			name    string
			updates int
			gap     time.Duration
			writers int
		}{{"200/s of one node", steadyUpdates, steadyGap, 1}, {"lone, of all in turn", loneUpdates, loneGap, len(nodes)}} {
			f.progress("%v %% loss, %s", loss, load.name)
			run++
			before := sent(nodes)
			took, late := f.spread(nodes, fmt.Sprint("run ", run, " "), load.updates, load.gap, load.writers)
			cost := sent(nodes).since(before)
			slices.Sort(took)
			slices.Sort(late)
			rows = append(rows, []string{fmt.Sprint(loss, " %"), load.name, ms(quantile(took, 0.5)), ms(quantile(took, 0.99)),
				ms(took[len(took)-1]), fmt.Sprintf("%.1f", float64(cost.frames)/float64(load.updates)),
				fmt.Sprint(cost.bytes / uint64(load.updates)), ms(quantile(late, 0.99))})
		}
	}
	f.table(fmt.Sprintf("Until all of %d nodes have an update of %d bytes", latencyHosts, latencyBytes), rows...)
}

// traffic is what the nodes sent.
type traffic struct{ frames, bytes uint64 }

func sent(nodes []*node.Node) (t traffic) {
	for _, m := range nodes {
		c := m.Counters()
		t.frames += c.FramesOut
		t.bytes += c.BytesOut
	}
	return t
}

func (t traffic) since(before traffic) traffic {
	return traffic{t.frames - before.frames, t.bytes - before.bytes}
}

// arrivals is when each update came to the last node.
type arrivals struct {
	prefix string
	left   []atomic.Int32
	last   []time.Time // written by who takes left to 0, read after done
	done   sync.WaitGroup
}

// spread writes updates at a steady pace and tells for each how long it took to reach all, and how late the timer was that
// began it: what a busy machine adds to every timer of every node.
func (f *figures) spread(nodes []*node.Node, prefix string, updates int, gap time.Duration, writers int) (took, late []time.Duration) {
	f.Helper()
	a := &arrivals{prefix: prefix, left: make([]atomic.Int32, updates), last: make([]time.Time, updates)}
	a.done.Add(updates)
	for i := range a.left {
		a.left[i].Store(int32(len(nodes)))
	}
	for _, m := range nodes {
		w := m.Table().Watch(updates * 2)
		defer w.Close()
		go func() {
			for e := range w.C() {
				a.note(e.Key)
			}
		}()
	}
	written := make([]time.Time, updates)
	value := make([]byte, latencyBytes)
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for i := range updates {
		due := <-tick.C
		written[i] = time.Now()
		late = append(late, written[i].Sub(due))
		f.put(nodes[i%writers], key(prefix, i), value)
	}
	all := make(chan struct{})
	go func() { a.done.Wait(); close(all) }()
	f.within("the last update is everywhere", func() bool {
		select {
		case <-all:
			return true
		default:
			return false
		}
	})
	took = make([]time.Duration, updates)
	for i := range took {
		took[i] = a.last[i].Sub(written[i])
	}
	return took, late
}

func (a *arrivals) note(k record.Key) {
	now := time.Now()
	if len(k.Name) <= len(a.prefix) || k.Name[:len(a.prefix)] != a.prefix {
		return
	}
	i, err := strconv.Atoi(k.Name[len(a.prefix):])
	if err != nil || a.left[i].Add(-1) != 0 {
		return
	}
	a.last[i] = now
	a.done.Done()
}

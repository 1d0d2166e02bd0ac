//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

// config says how a run is made. The seed draws what is not given.
type config struct {
	Seed    uint64
	For     time.Duration
	Nodes   int // 0: drawn
	Workers int // of each node
	Rate    int // things done in a second, by all workers
	Bulk    int // sessions that lie there untouched
	Hands   int // faults at a time
	Round   [2]time.Duration
	Longest time.Duration // of a fault
	Bound   time.Duration // until all agree after healing
	First   bool          // end with the round in which something was found
	Mode    string        // of the daemons
	Serve   []string      // more arguments of the daemons
	Say     func(format string, args ...any)
}

// soak is one run.
type soak struct {
	config
	t       testing.TB
	dice    *rand.Rand
	history *history
	judge   *judge
	ledger  *ledger
	top     *topology
	nemesis *nemesis
	tally   tally
	gate    gate
	watch   *watch
	flusher *flusher
	rounds  []round
	begun   time.Time
}

// round is what was measured at the end of one.
type round struct {
	At       time.Duration `json:"at"`
	Sessions int           `json:"sessions"`
	Ready    time.Duration `json:"ready"`
	Converge time.Duration `json:"converge"`
}

// gate lets workers work, or none.
type gate struct{ mu sync.RWMutex }

func (g *gate) enter(ctx context.Context) bool {
	g.mu.RLock()
	if ctx.Err() != nil {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (g *gate) leave() { g.mu.RUnlock() }

var nodesDrawn = []int{3, 4, 5, 5, 5, 6, 7, 8}

// run soaks and reports.
func run(t testing.TB, c config) *report {
	r := &soak{config: c, t: t, dice: rand.New(rand.NewPCG(c.Seed, 0)), ledger: newLedger(), begun: time.Now()}
	if drawn := nodesDrawn[r.dice.IntN(len(nodesDrawn))]; r.Nodes == 0 {
		r.Nodes = drawn
	}
	r.history = newHistory(r.Nodes)
	r.judge = newJudge(r.history, c.Say)
	r.Say("seed %d: %d nodes of mode %q, %d workers on each, %d things a second, %v", c.Seed, r.Nodes, c.Mode, c.Workers, c.Rate, c.For)
	r.top = newTopology(t, r.Nodes, r.history, r.arguments)
	r.nemesis = &nemesis{top: r.top, judge: r.judge, say: r.Say, flooder: r.flood, longest: c.Longest, busy: map[int]bool{}, counts: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	r.watch = newWatch(r.top, r.judge)
	wg.Go(func() { r.watch.run(ctx) })
	r.flusher = newFlusher(r.Nodes, c.Seed, r.top, r.judge)
	defer r.flusher.close()
	r.fill()
	r.top.rules(func(*nstest.Net) {}) // from here on it is healed
	r.census()
	wg.Go(func() { r.flusher.run(ctx, &r.gate) })
	every := time.Duration(r.Nodes*c.Workers) * time.Second / time.Duration(c.Rate)
	for i := range r.Nodes * c.Workers {
		w := newWorker(i, r.Nodes, c.Seed, r.top, r.judge, r.ledger, &r.tally)
		wg.Go(func() { defer w.close(); w.run(ctx, &r.gate, every) })
	}
	for end := time.Now().Add(c.For); time.Now().Before(end) && !t.Failed() && !(c.First && r.judge.total() > 0); {
		r.round(min(time.Until(end), r.nemesis.length(r.dice, c.Round[0], c.Round[1])))
	}
	cancel()
	wg.Wait()
	r.watch.conclude(float64(2 * r.Nodes * c.Workers))
	return r.report()
}

// arguments are those of the daemons beyond names and sockets.
func (r *soak) arguments(net *nstest.Net) []string {
	var args []string
	if r.Mode != "" {
		args = append(args, "--mode", r.Mode)
	}
	if r.Mode == "unicast" {
		var peers []string
		for i := range r.Nodes {
			peers = append(peers, net.Addr4(i).String())
		}
		args = append(args, "--peers", strings.Join(peers, ","))
	}
	return append(args, r.Serve...)
}

// round is faults and load for a time, then peace, agreement and a census.
func (r *soak) round(long time.Duration) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(long+peaceSoon))
	defer cancel()
	var hands sync.WaitGroup
	for range r.Hands {
		dice := rand.New(rand.NewPCG(r.dice.Uint64(), 3))
		hands.Go(func() { r.nemesis.hand(ctx, dice) })
	}
	wait(ctx, long)
	r.gate.mu.Lock() // first the load pauses, then all faults are healed, so that what is measured is healing
	defer r.gate.mu.Unlock()
	cancel()
	hands.Wait()
	r.census()
}

// peaceSoon is how long before their end faults would last that are ended by the end of the round.
const peaceSoon = 5 * time.Second

// census waits until all nodes show the same, and judges what they show. The load stands still.
func (r *soak) census() {
	healed := r.top.healedAt()
	for i := range r.Nodes {
		r.nemesis.must(i, r.top.start(i)) // one that ended by itself
	}
	ready := time.Since(healed)
	clients := make([]client, r.Nodes)
	for i := range clients {
		clients[i] = r.top.connect(i)
		defer clients[i].close()
	}
	var differences []string
	for first := true; time.Since(healed) < r.Bound || first; first = false {
		at := time.Now()
		snaps, err := photographs(clients)
		if err != nil {
			differences = []string{err.Error()}
			pause(100 * time.Millisecond)
			continue
		}
		if differences = agree(snaps); len(differences) == 0 {
			if at.Sub(healed) < quiesce {
				pause(quiesce - at.Sub(healed)) // what waits in sockets of stopped nodes is still to be carried out
				r.settled(clients, healed, at.Sub(healed), ready)
				return
			}
			r.verify(snaps, at, at.Sub(healed), ready)
			return
		}
		pause(50 * time.Millisecond)
	}
	for i, d := range differences {
		if i == 5 {
			break
		}
		r.judge.find(findDivergence, -1, "%d keys after %v: %s", len(differences), r.Bound, d)
	}
}

// quiesce is how long after healing what stopped nodes had in their sockets has been done.
const quiesce = 700 * time.Millisecond

// settled photographs again, for the judge.
func (r *soak) settled(clients []client, healed time.Time, converge, ready time.Duration) {
	for time.Since(healed) < r.Bound {
		at := time.Now()
		snaps, err := photographs(clients)
		if err == nil && len(agree(snaps)) == 0 {
			r.verify(snaps, at, converge, ready)
			return
		}
		pause(50 * time.Millisecond)
		converge = time.Since(healed) // it was not for good
	}
	r.judge.find(findDivergence, -1, "they agreed, and then not any more")
}

func (r *soak) verify(snaps []*snapshot, at time.Time, converge, ready time.Duration) {
	r.flusher.census(at.Add(r.Bound))
	verify(r.judge, r.ledger, snaps, at)
	x := round{At: at.Sub(r.begun), Sessions: len(snaps[0].rows), Ready: ready, Converge: converge}
	r.rounds = append(r.rounds, x)
	r.watch.checkpoint()
	if x.Sessions < r.Bulk/2 { // all died who held them
		r.fill()
	}
	r.Say("census: %d sessions on each of %d nodes; agreed %v after healing; %d findings", x.Sessions, r.Nodes,
		converge.Round(time.Millisecond), r.judge.total())
}

const (
	fillBatch  = 200
	fillBytes  = 600
	floodEvery = 20 * time.Millisecond
)

// fill writes the sessions that lie there.
func (r *soak) fill() {
	for done := 0; done < r.Bulk; done += fillBatch {
		node := done / fillBatch % r.Nodes
		c := r.top.connect(node)
		r.batch(c, node, "bulk", min(fillBatch, r.Bulk-done), 6*time.Hour)
		c.close()
	}
}

// flood creates sessions as fast as one node takes them.
func (r *soak) flood(ctx context.Context, dice *rand.Rand) {
	node := dice.IntN(r.Nodes)
	c := r.top.connect(node)
	defer c.close()
	for ctx.Err() == nil {
		if r.top.shun(node) || !r.gate.mu.TryRLock() {
			return
		}
		r.batch(c, node, "flood", fillBatch, time.Duration(10+dice.IntN(50))*time.Second)
		r.gate.leave()
		wait(ctx, floodEvery)
	}
}

// batch writes many new sessions at once, and asks at the end how many peers have them.
func (r *soak) batch(c client, node int, prefix string, count int, ttl time.Duration) {
	var cmds []command
	var list []*session
	for range count {
		s := r.ledger.open(prefix)
		s.next = 1
		list = append(list, s)
		cmds = append(cmds, command{"SET", s.key, content(s.key, 0, fillBytes), "PX", strconv.FormatInt(ttl.Milliseconds(), 10)})
	}
	cmds = append(cmds, command{"WAIT", "1", millis(ackLimit)})
	from := time.Now()
	replies, err := c.do(4*answerLimit, cmds...)
	to := time.Now()
	acks := 0
	if len(replies) == len(cmds) {
		acks = int(replies[count].n)
	}
	for i, s := range list {
		o := op{kind: opWrite, node: node, ttl: ttl, from: from, to: to, acks: acks, conn: c.id(), unknown: i >= len(replies)}
		if i < len(replies) && replies[i].kind != '+' {
			r.ledger.bury(s, neverMade)
			continue
		}
		if err != nil && len(replies) == 0 && c.id() == 0 {
			r.ledger.bury(s, neverMade)
			continue
		}
		s.add(o, r.history)
		r.tally.Flooded.Add(1)
	}
}

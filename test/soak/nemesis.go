//go:build linux

package main

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// nemesis makes the faults, drawn from its dice. Several of its hands work at once; a node suffers one fault of its own at
// a time, the network one cut.
type nemesis struct {
	top     *topology
	judge   *judge
	say     func(string, ...any)
	flooder func(ctx context.Context, dice *rand.Rand)
	longest time.Duration
	veteran int // is killed only with all others, or in turn: so that one process lives long

	alone sync.RWMutex // a fault that wants no other beside it holds it whole

	mu     sync.Mutex
	busy   map[int]bool
	cut    bool
	counts map[string]int
}

// fault is a kind of fault; do returns when it is over and healed. false: not possible now.
type fault struct {
	name   string
	weight int
	do     func(n *nemesis, ctx context.Context, dice *rand.Rand) bool
	alone  bool
}

func faults() []fault {
	return []fault{
		{name: "kill", weight: 6, do: (*nemesis).killOne},
		{name: "kill two", weight: 2, do: (*nemesis).killTwo},
		{name: "kill all but one", weight: 1, do: (*nemesis).killMost},
		{name: "stop", weight: 6, do: (*nemesis).stopOne},
		{name: "isolate", weight: 4, do: (*nemesis).isolate},
		{name: "halves", weight: 3, do: (*nemesis).halves},
		{name: "one way", weight: 3, do: (*nemesis).oneWay},
		{name: "port down", weight: 2, do: (*nemesis).portDown},
		{name: "multicast only", weight: 3, do: (*nemesis).noMulticast},
		{name: "unicast shut", weight: 3, do: (*nemesis).noUnicast},
		{name: "loss", weight: 4, do: (*nemesis).loss},
		{name: "slow", weight: 3, do: (*nemesis).slow},
		{name: "garbage", weight: 2, do: (*nemesis).garbage},
		{name: "flood", weight: 2, do: (*nemesis).flood},
		{name: "rolling restart", weight: 1, do: (*nemesis).rolling, alone: true},
		{name: "rolling kill", weight: 1, do: (*nemesis).rollingKill, alone: true},
	}
}

// hand makes one fault after another until the context ends.
func (n *nemesis) hand(ctx context.Context, dice *rand.Rand) {
	all := faults()
	total := 0
	for _, f := range all {
		total += f.weight
	}
	for ctx.Err() == nil {
		at := dice.IntN(total)
		i := 0
		for ; at >= all[i].weight; i++ {
			at -= all[i].weight
		}
		n.one(ctx, &all[i], dice)
		wait(ctx, n.length(dice, 200*time.Millisecond, 2*time.Second))
	}
}

func (n *nemesis) one(ctx context.Context, f *fault, dice *rand.Rand) {
	if f.alone {
		n.alone.Lock()
		defer n.alone.Unlock()
	} else {
		n.alone.RLock()
		defer n.alone.RUnlock()
	}
	if ctx.Err() == nil && f.do(n, ctx, dice) {
		n.mu.Lock()
		n.counts[f.name]++
		n.mu.Unlock()
	}
}

// wait returns after d or when the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// endure waits for so long, or to the end of the round where that is near: so that most rounds end with faults.
func endure(ctx context.Context, d time.Duration) {
	if end, ok := ctx.Deadline(); ok && time.Until(end)-d < 2*peaceSoon {
		d = time.Until(end)
	}
	wait(ctx, d)
}

// length is drawn so that short and long are alike.
func (n *nemesis) length(dice *rand.Rand, least, most time.Duration) time.Duration {
	most = max(min(most, n.longest), least)
	return time.Duration(math.Exp(math.Log(float64(least)) + dice.Float64()*math.Log(float64(most)/float64(least))))
}

// nobody is spared.
const nobody = -1

// take reserves so many nodes for a fault.
func (n *nemesis) take(dice *rand.Rand, count, spared int) (nodes []int, release func(), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range dice.Perm(len(n.top.nodes)) {
		if !n.busy[i] && i != spared && len(nodes) < count {
			nodes = append(nodes, i)
		}
	}
	if len(nodes) < count {
		return nil, nil, false
	}
	for _, i := range nodes {
		n.busy[i] = true
	}
	return nodes, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, i := range nodes {
			delete(n.busy, i)
		}
	}, true
}

// takeNetwork reserves the network's rules.
func (n *nemesis) takeNetwork() (release func(), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return nil, false
	}
	n.cut = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.cut = false
	}, true
}

// names are for people.
func names(nodes []int) (s string) {
	for _, i := range nodes {
		s += nodeName(i)
	}
	return s
}

// without is every node but these.
func (n *nemesis) without(nodes []int) (rest []int) {
	in := map[int]bool{}
	for _, i := range nodes {
		in[i] = true
	}
	for i := range n.top.nodes {
		if !in[i] {
			rest = append(rest, i)
		}
	}
	return rest
}

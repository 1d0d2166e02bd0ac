//go:build linux

package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

func (n *nemesis) killOne(ctx context.Context, dice *rand.Rand) bool { return n.kill(ctx, dice, 1) }
func (n *nemesis) killTwo(ctx context.Context, dice *rand.Rand) bool { return n.kill(ctx, dice, 2) }
func (n *nemesis) killMost(ctx context.Context, dice *rand.Rand) bool {
	return n.kill(ctx, dice, len(n.top.nodes)-1)
}

// kill ends nodes as kill -9 does and starts them again.
func (n *nemesis) kill(ctx context.Context, dice *rand.Rand, count int) bool {
	spared := n.veteran
	if count >= len(n.top.nodes)-1 {
		count, spared = len(n.top.nodes)-1, nobody
	}
	nodes, release, ok := n.take(dice, count, spared)
	if !ok {
		return false
	}
	defer release()
	away := n.length(dice, 50*time.Millisecond, 30*time.Second)
	n.say("kill %s for %v", names(nodes), away.Round(time.Millisecond))
	for _, i := range nodes {
		n.must(i, n.top.end(i, syscall.SIGKILL))
	}
	endure(ctx, away)
	for _, i := range nodes {
		n.must(i, n.top.start(i))
	}
	return true
}

func (n *nemesis) must(i int, err error) {
	if err != nil {
		n.judge.find(findStuck, i, "%v; its log ends:\n%s", err, n.top.tail(i))
	}
}

func (n *nemesis) stopOne(ctx context.Context, dice *rand.Rand) bool {
	nodes, release, ok := n.take(dice, 1, nobody)
	if !ok {
		return false
	}
	defer release()
	away := n.length(dice, 100*time.Millisecond, 3*time.Minute)
	n.say("stop %s for %v", names(nodes), away.Round(time.Millisecond))
	defer n.top.h.begin(nodes, n.top.h.all())()
	n.top.freeze(nodes[0], true)
	endure(ctx, away)
	n.top.freeze(nodes[0], false)
	return true
}

// slow gives a node a few percent of a core.
func (n *nemesis) slow(ctx context.Context, dice *rand.Rand) bool {
	nodes, release, ok := n.take(dice, 1, nobody)
	if !ok {
		return false
	}
	defer release()
	long, on := n.length(dice, time.Second, time.Minute), time.Duration(2+dice.IntN(30))*time.Millisecond
	n.say("slow %s for %v: it runs %v of 100", names(nodes), long.Round(time.Millisecond), on)
	defer n.top.h.begin(nodes, n.top.h.all())()
	for end := time.Now().Add(long); ctx.Err() == nil && time.Now().Before(end); {
		n.top.freeze(nodes[0], true)
		wait(ctx, 100*time.Millisecond-on)
		n.top.freeze(nodes[0], false)
		wait(ctx, on)
	}
	return true
}

// cutting is what all cuts share: pairs are noted, rules made, and taken back.
func (n *nemesis) cutting(ctx context.Context, dice *rand.Rand, what string, a, b []int, begin, end func(*nstest.Net)) bool {
	long := n.length(dice, 100*time.Millisecond, 3*time.Minute)
	n.say("%s %s | %s for %v", what, names(a), names(b), long.Round(time.Millisecond))
	defer n.top.h.begin(a, b)()
	n.top.rules(begin)
	endure(ctx, long)
	n.top.rules(end)
	return true
}

func (n *nemesis) unblock(net *nstest.Net) {
	for i := range n.top.nodes {
		net.Unblock(i)
	}
}

func (n *nemesis) isolate(ctx context.Context, dice *rand.Rand) bool {
	return n.split(ctx, dice, "isolate", 1)
}

func (n *nemesis) halves(ctx context.Context, dice *rand.Rand) bool {
	return n.split(ctx, dice, "split", len(n.top.nodes)/2)
}

func (n *nemesis) split(ctx context.Context, dice *rand.Rand, what string, size int) bool {
	release, ok := n.takeNetwork()
	if !ok {
		return false
	}
	defer release()
	group := dice.Perm(len(n.top.nodes))[:size]
	return n.cutting(ctx, dice, what, group, n.without(group), func(net *nstest.Net) { net.Partition(group...) }, n.unblock)
}

// oneWay makes a node deaf to one other, or to all.
func (n *nemesis) oneWay(ctx context.Context, dice *rand.Rand) bool {
	release, ok := n.takeNetwork()
	if !ok {
		return false
	}
	defer release()
	order := dice.Perm(len(n.top.nodes))
	deaf, to := order[:1], order[1:2]
	if dice.IntN(2) == 0 {
		to = order[1:]
	}
	return n.cutting(ctx, dice, "deaf", deaf, to, func(net *nstest.Net) { net.Block(deaf[0], to...) }, n.unblock)
}

func (n *nemesis) portDown(ctx context.Context, dice *rand.Rand) bool {
	release, ok := n.takeNetwork()
	if !ok {
		return false
	}
	defer release()
	one := dice.Perm(len(n.top.nodes))[:1]
	return n.cutting(ctx, dice, "port down", one, n.without(one),
		func(net *nstest.Net) { net.Cable(one[0], false) }, func(net *nstest.Net) { net.Cable(one[0], true) })
}

// noMulticast makes one node, or all, deaf to multicast while unicast passes.
func (n *nemesis) noMulticast(ctx context.Context, dice *rand.Rand) bool {
	return n.shutting(ctx, dice, "no multicast to", (*nstest.Net).Multicast)
}

// noUnicast shuts one node, or all, to unicast while multicast passes, as firewalls do.
func (n *nemesis) noUnicast(ctx context.Context, dice *rand.Rand) bool {
	return n.shutting(ctx, dice, "no unicast to", (*nstest.Net).Unicast)
}

// shutting keeps a kind of datagrams from one node, or from all, for a while.
func (n *nemesis) shutting(ctx context.Context, dice *rand.Rand, what string, pass func(net *nstest.Net, node int, passes bool)) bool {
	release, ok := n.takeNetwork()
	if !ok {
		return false
	}
	defer release()
	nodes := n.oneOrAll(dice)
	set := func(passes bool) func(*nstest.Net) {
		return func(net *nstest.Net) {
			for _, i := range nodes {
				pass(net, i, passes)
			}
		}
	}
	return n.cutting(ctx, dice, what, nodes, n.top.h.all(), set(false), set(true))
}

func (n *nemesis) oneOrAll(dice *rand.Rand) []int {
	nodes := dice.Perm(len(n.top.nodes))
	if dice.IntN(2) == 0 {
		nodes = nodes[:1]
	}
	return nodes
}

func (n *nemesis) loss(ctx context.Context, dice *rand.Rand) bool {
	release, ok := n.takeNetwork()
	if !ok {
		return false
	}
	defer release()
	nodes := n.oneOrAll(dice)
	percent := []float64{0.5, 1, 2, 5, 10, 20}[dice.IntN(6)]
	set := func(percent float64) func(*nstest.Net) {
		return func(net *nstest.Net) {
			for _, i := range nodes {
				net.Loss(i, percent)
			}
		}
	}
	long := n.length(dice, time.Second, time.Minute)
	n.say("%v %% loss at %s for %v", percent, names(nodes), long.Round(time.Millisecond))
	if percent > 5 { // less must make no difference
		defer n.top.h.begin(nodes, n.top.h.all())()
	}
	n.top.rules(set(percent))
	endure(ctx, long)
	n.top.rules(set(0))
	return true
}

func (n *nemesis) flood(ctx context.Context, dice *rand.Rand) bool {
	long := n.length(dice, time.Second, 10*time.Second)
	n.say("flood of sessions for %v", long.Round(time.Millisecond))
	inner, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	n.flooder(inner, dice)
	return true
}

func (n *nemesis) rolling(ctx context.Context, dice *rand.Rand) bool {
	return n.oneAfterAnother(ctx, dice, syscall.SIGTERM)
}

func (n *nemesis) rollingKill(ctx context.Context, dice *rand.Rand) bool {
	return n.oneAfterAnother(ctx, dice, syscall.SIGKILL)
}

// oneAfterAnother restarts every node, each when the one before holds everything again: then nothing may be lost.
func (n *nemesis) oneAfterAnother(ctx context.Context, dice *rand.Rand, signal syscall.Signal) bool {
	order := dice.Perm(len(n.top.nodes))
	n.say("restart %s one after another, %v", names(order), signal)
	n.top.settle(ctx)
	for _, i := range order {
		if ctx.Err() != nil {
			break
		}
		n.must(i, n.top.end(i, signal))
		n.must(i, n.top.start(i))
		if !n.top.settle(ctx) && ctx.Err() == nil {
			n.say("not settled after %s", nodeName(i))
		}
	}
	return true
}

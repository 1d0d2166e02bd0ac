package node

import (
	"context"
	"testing"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// seen is in which state n believes the node to be.
func seen(n *Node, who record.Origin) wire.MemberState {
	for _, m := range n.Members() {
		if m.Origin == who {
			return m.State
		}
	}
	return 0
}

func watched(n *Node, by int) func() bool {
	return func() bool { return int(n.watches.watched.Load()) == by }
}

// Who has proven a doubt knows by the end of the connection; whom silence tells has proven none. How soon that is hangs on what else the
// machine has to do: docs/reliability.md has what is measured, TestADeadProcessIsKnownToAllWithin50ms the bound, under a virtual clock.
func TestTheDeathOfAProcessIsSeenByAllLongBeforeItsSilence(t *testing.T) {
	const port = 24200
	var nodes []*Node
	for _, name := range []string{"a", "b", "c", "d"} {
		nodes = append(nodes, openLoopback(t, name, port))
	}
	for _, n := range nodes {
		eventually(t, n.cfg.Name+" is watched by two", watched(n, 2))
	}
	victim := nodes[1]
	victim.Kill()
	for _, n := range nodes {
		if n != victim {
			eventually(t, n.cfg.Name+" knows", func() bool { return seen(n, victim.Self()) == wire.Dead })
			if c := n.Counters(); c.DoubtsProven == 0 {
				t.Errorf("%s knows by silence: %d watches broken, %d doubts heard of, %d refuted, late by %v",
					n.cfg.Name, c.WatchesBroken, c.DoubtsIn, c.DoubtsRefuted, n.Members()[0].Late)
			}
		}
	}
	for _, n := range nodes {
		if n != victim {
			eventually(t, n.cfg.Name+" is watched by the two that are left", watched(n, 2))
		}
	}
}

func TestANodeWhoseStreamsEndAndThatAnswersIsAlive(t *testing.T) {
	const port = 24210
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "b is watched", watched(b, 1))
	b.server.Close()
	eventually(t, "a has asked and was answered", func() bool { return a.Counters().DoubtsRefuted > 0 })
	eventually(t, "a asks again later", func() bool { return a.Counters().WatchesBroken > 1 })
	if got := seen(a, b.Self()); got != wire.Synced {
		t.Errorf("a believes b to be %v", got)
	}
}

func TestWatchesOfAnEarlierRoundAreForgotten(t *testing.T) {
	n := openLoopback(t, "alone", 24220)
	kept := 0
	var w watches
	keep := func(context.Context, engine.Watch) { kept++ }
	w.set(&engine.Watching{Round: 2}, keep)
	w.set(&engine.Watching{Round: 1, List: []engine.Watch{{Origin: n.Self()}}}, keep)
	if kept != 0 {
		t.Error("an earlier list is followed")
	}
	w.set(&engine.Watching{Round: 3, List: []engine.Watch{{Origin: n.Self()}}}, keep)
	w.set(&engine.Watching{Round: 4, List: []engine.Watch{{Origin: n.Self()}}}, keep)
	if kept != 1 {
		t.Errorf("one watch was begun %d times", kept)
	}
	w.cancel()
	w.set(&engine.Watching{Round: 5, List: []engine.Watch{{Origin: record.Origin{}}}}, keep)
	if kept != 1 {
		t.Error("a watch was begun after the end")
	}
}

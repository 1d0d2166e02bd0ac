package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Who could not ask where the others are is not alone because it hears nobody: it would serve without their sessions, and write over them.
func TestWhoCouldNotAskWhereTheOthersAreWaits(t *testing.T) {
	for _, mode := range []Mode{ModeUnicast, ModeAuto} {
		b := newModeBench(t, 1, mode)
		b.seed(b.addrs()...)
		b.run(2 * time.Second)
		b.put(0, "s", "1")
		b.drop = func(_, _ int, _ wire.Type, f Frame) bool { return !f.To.IsValid() } // no multicast
		b.add("cluster")
		m := b.nodes[1].m
		m.Step(b.now, Seeds{Unsure: true})
		b.run(20 * time.Second)
		if m.State() != wire.Joining {
			t.Fatalf("mode %v: it is %v, and knows nothing of the others", mode, m.State())
		}
		m.Step(b.now, Seeds{Addrs: b.addrs()})
		b.run(900 * time.Millisecond)
		if m.State() != wire.Synced || b.get(1, "s") != "1" {
			t.Errorf("mode %v: it is %v, with %q, when it could ask", mode, m.State(), b.get(1, "s"))
		}
	}
}

func TestWhoIsToldThatNobodyIsThereIsAloneAfterASecond(t *testing.T) {
	b := newModeBench(t, 1, ModeUnicast)
	m := b.nodes[0].m
	m.Step(b.now, Seeds{Unsure: true})
	b.run(10 * time.Second)
	m.Step(b.now, Seeds{})
	b.run(900 * time.Millisecond)
	if m.State() != wire.Joining {
		t.Errorf("it is %v before anybody could answer", m.State())
	}
	b.run(200 * time.Millisecond)
	if m.State() != wire.Synced {
		t.Errorf("it is %v", m.State())
	}
}

// All nodes may have been restarted while no name can be resolved.
func TestWhoCannotAskForAMinuteIsAlone(t *testing.T) {
	b := newModeBench(t, 1, ModeUnicast)
	m := b.nodes[0].m
	m.Step(b.now, Seeds{Unsure: true})
	b.run(unsureWait - time.Second)
	if m.State() != wire.Joining {
		t.Errorf("it is %v", m.State())
	}
	b.run(2 * time.Second)
	if m.State() != wire.Synced {
		t.Errorf("it is %v", m.State())
	}
}

package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// lost is what node i says that it loses of what node j sends, at most, while j writes for a while.
func (b *bench) lost(i, j int, d time.Duration) (most float64) {
	for end := b.now.Add(d); b.now.Before(end); {
		b.put(j, "a", "x")
		b.run(10 * time.Millisecond)
		most = max(most, b.member(i, j).Loss)
	}
	return most
}

func TestLossOfACutIsNotTheRoads(t *testing.T) {
	for name, cut := range map[string]func(from, to int) bool{
		"both ways": func(from, to int) bool { return from == 0 || to == 0 },
		"one way":   func(from, to int) bool { return from == 0 && to == 1 },
	} {
		for _, length := range []time.Duration{3500 * time.Millisecond, 30 * time.Second} {
			for _, unicastFirst := range []time.Duration{0, 600 * time.Millisecond, 6 * time.Second} {
				b := newBench(t, 3)
				b.lost(1, 0, 3*time.Second)
				b.silence(cut)
				b.lost(1, 0, length)
				b.drop = func(from, to int, _ wire.Type, f Frame) bool { return !f.To.IsValid() && cut(from, to) }
				b.run(unicastFirst) // heartbeats for one node come before those for all
				b.drop = nil
				for end := b.now.Add(6 * time.Second); b.now.Before(end); b.run(50 * time.Millisecond) {
					if got := max(b.member(1, 0).Loss, b.member(0, 1).Loss); got > 0 {
						t.Fatalf("%s, %v, unicast passed %v earlier: %.0f %% count as lost", name, length, unicastFirst, 100*got)
					}
				}
				if got := b.lost(1, 0, 6*time.Second); got > 0 {
					t.Errorf("%s, %v, unicast passed %v earlier: then %.0f %% count as lost", name, length, unicastFirst, 100*got)
				}
			}
		}
	}
}

func TestLossOfAStandstillIsNotTheRoads(t *testing.T) {
	b := newBench(t, 3)
	b.lost(1, 0, 3*time.Second)
	all := b.nodes
	b.nodes = all[:2] // what comes meanwhile finds no room in the sockets of the third
	b.lost(1, 0, 20*time.Second)
	b.nodes = all
	if got := b.lost(2, 0, 12*time.Second); got > 0 {
		t.Errorf("%.0f %% count as lost of what the others sent meanwhile", 100*got)
	}
	if got := b.lost(0, 2, 12*time.Second); got > 0 {
		t.Errorf("%.0f %% count as lost of what it sent itself", 100*got)
	}
}

// What waited in the sockets is read first; what found no room there is missing behind it.
func TestLossBehindABacklogIsNotTheRoads(t *testing.T) {
	l := lossMeter{}
	l.report(10)
	l.received = 1
	l.broken = true
	if expected := l.report(500); expected != 0 || l.loss > 0 {
		t.Errorf("%d expected, loss %v", expected, l.loss)
	}
	l.received = 10
	if expected := l.report(520); expected != 20 || l.loss != 0.5 {
		t.Errorf("%d expected, loss %v", expected, l.loss)
	}
	h := health{backlog: time.Unix(100, 0)}
	if !h.unsettled(time.Unix(101, 0)) || h.unsettled(time.Unix(102, 0)) {
		t.Error("the first heartbeat after the backlog belongs to it")
	}
}

// The road's own loss is still seen.
func TestSteadyLossIsMeasured(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	for _, share := range []float64{0.02, 0.1, 0.3} {
		b := newBench(t, 2)
		b.run(3 * time.Second)
		b.silence(func(_, _ int) bool { return dice.Float64() < share })
		b.lost(1, 0, 30*time.Second)
		var all float64
		for range 20 {
			b.lost(1, 0, time.Second)
			all += b.member(1, 0).Loss / 20
		}
		if all < 0.7*share || all > 1.3*share {
			t.Errorf("%.3f are lost, %.3f are measured", share, all)
		}
	}
}

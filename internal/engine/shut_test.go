package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// shutUnicast makes unicast from one node to another arrive nowhere, for all pairs that say so, while multicast passes.
func (b *bench) shutUnicast(cut func(from, to int) bool) {
	b.drop = func(from, to int, _ wire.Type, f Frame) bool { return f.To.IsValid() && cut(from, to) }
}

var shuts = map[string]func(from, to int) bool{
	"between the first two":           func(from, to int) bool { return from+to == 1 },
	"of the first to the second":      func(from, to int) bool { return from == 0 && to == 1 },
	"of and to the first":             func(from, to int) bool { return from == 0 || to == 0 },
	"to the first":                    func(_, to int) bool { return to == 0 },
	"of all":                          func(_, _ int) bool { return true },
	"of nobody: nobody may be named ": func(_, _ int) bool { return false },
}

// wantNamed looks whether each names, in each direction, exactly those whose unicast does not pass.
func (b *bench) wantNamed(when string, cut func(from, to int) bool) {
	b.t.Helper()
	for i := range b.nodes {
		for j := range b.nodes {
			if i == j {
				continue
			}
			if d := b.member(i, j); d.ShutIn != cut(j, i) || d.ShutOut != cut(i, j) || d.State != wire.Synced {
				b.t.Errorf("%s: node %d knows node %d as %v, shut in %v, out %v", when, i+1, j+1, d.State, d.ShutIn, d.ShutOut)
			}
		}
	}
}

// wantTold looks whether each told of each as often as it should, and of the end as often.
func (b *bench) wantTold(cut func(from, to int) bool) {
	b.t.Helper()
	for i := range b.nodes {
		want := 0
		for j := range b.nodes {
			if i != j && (cut(i, j) || cut(j, i)) {
				want++
			}
		}
		if shut, open := b.told(i, EventShut), b.told(i, EventShutNoMore); shut < want || shut > want+1 || open != want { // the directions may come one after the other
			b.t.Errorf("node %d told of %d shuts and %d ends, want %d", i+1, shut, open, want)
		}
	}
}

// On an idle cluster.
func TestUnicastThatIsShutBetweenMembersIsNamedByBoth(t *testing.T) {
	for name, cut := range shuts {
		for _, n := range []int{2, 3, 7} {
			b := newBench(t, n)
			b.run(20 * time.Second)
			b.shutUnicast(cut)
			turns := time.Duration(n / laneAtOnce)
			b.run(turns*laneEvery + 8*time.Second)
			b.wantNamed(name+", shut", cut)
			b.run(time.Minute)
			b.wantNamed(name+", a minute later", cut)
			b.drop = nil
			b.run(8 * time.Second)
			b.wantNamed(name+", open again", func(_, _ int) bool { return false })
			b.wantTold(cut)
			b.wantNoDeaths()
		}
	}
}

// "writes stop waiting for a peer that cannot answer after the first few, without flapping"
func TestWritesDoNotWaitForWhoCannotAnswer(t *testing.T) {
	for name, cut := range shuts {
		b := newBench(t, 3)
		b.run(5 * time.Second)
		b.shutUnicast(cut)
		waits := b.oneByOne(0, -1, 6*time.Second)
		b.oneByOne(1, -1, 4*time.Second)
		b.wantNamed(name+", ten seconds of writes", cut) // of which laneStale, if all had answered just before, shutAfter, and three rounds of a second
		cannot := cut(1, 0) && cut(2, 0)
		limit := time.Duration(0)
		if cannot {
			limit = 400 * time.Millisecond
		}
		h := b.nodes[0].m.AckHealth(b.now)
		if all := sum(waits); all > limit || h.Since.IsZero() == cannot {
			t.Errorf("%s: %d writes waited %v together, health %+v", name, len(waits), all, h)
		}
		waits = b.oneByOne(0, -1, 10*time.Second)
		if all := sum(waits); all > 0 {
			t.Errorf("%s: %d writes after the first seconds waited %v together", name, len(waits), all)
		}
		if began, ended := b.told(0, EventDegraded), b.told(0, EventConfirmed); ended > 0 || began > 1 || (began == 1) != cannot {
			t.Errorf("%s: told %d times that writes go unconfirmed, %d that it is over", name, began, ended)
		}
		b.drop = nil
		b.run(4 * time.Second)
		before := b.nodes[0].m.Counters().AckTimeouts
		b.oneByOne(0, -1, 8*time.Second)
		if late := b.nodes[0].m.Counters().AckTimeouts - before; late > 0 || b.nodes[0].m.AckHealth(b.now).Listening != 2 {
			t.Errorf("%s: %d writes unconfirmed although all answer again", name, late)
		}
		b.wantTold(cut)
	}
}

// Who loses much, stands still or is stopped is not shut.
func TestLossAndStandstillAreNoShut(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	b := newBench(t, 4)
	b.run(3 * time.Second)
	b.silence(func(_, _ int) bool { return dice.IntN(5) == 0 })
	b.run(10 * time.Minute)
	b.oneByOne(0, -1, 20*time.Second)
	b.silence(func(from, to int) bool { return from == 1 || to == 1 })
	b.oneByOne(0, -1, 5*time.Second)
	b.drop = nil
	b.oneByOne(0, -1, 5*time.Second)
	for i := range b.nodes {
		if got := b.told(i, EventShut); got > 0 || b.nodes[i].m.Counters().ShutsFound > 0 {
			t.Errorf("node %d told of %d shuts", i+1, got)
		}
	}
}

// One acknowledgement that is lost keeps no later write from waiting for its peer.
func TestALostAcknowledgementMakesNobodyMute(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	lost := 0
	b.drop = func(_, _ int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeAck && lost < 1 {
			lost++
			return true
		}
		return false
	}
	b.oneByOne(0, 1, 100*time.Millisecond)
	if c := b.nodes[0].m.Counters(); lost != 1 || c.AckTimeouts > 0 {
		t.Errorf("%d lost, %+v", lost, c)
	}
}

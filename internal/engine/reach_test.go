package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// newModeBench is n machines in one mode, not run yet.
func newModeBench(t testing.TB, n int, mode Mode) *bench {
	b := newBench(t, 0)
	b.mode = mode
	for range n {
		b.add("cluster")
	}
	return b
}

// deaf makes multicast from one node to another arrive nowhere, for all pairs that say so.
func (b *bench) deaf(cut func(from, to int) bool) {
	b.drop = func(from, to int, _ wire.Type, f Frame) bool { return !f.To.IsValid() && cut(from, to) }
}

func (b *bench) seed(addrs ...netip.AddrPort) {
	for _, n := range b.nodes {
		n.m.Step(b.now, Seeds{Addrs: addrs})
	}
}

func (b *bench) addrs() (list []netip.AddrPort) {
	for _, n := range b.nodes {
		list = append(list, n.addr)
	}
	return list
}

func (b *bench) wantNoDeaths() {
	b.t.Helper()
	for i, n := range b.nodes {
		for _, e := range n.events {
			if e.Kind == EventMember && (e.State == wire.Suspect || e.State == wire.Dead) {
				b.t.Errorf("node %d called %s %v", i+1, e.Member.Name, e.State)
			}
		}
	}
}

func TestMulticastThatDiesIsReplacedByCopies(t *testing.T) {
	b := newModeBench(t, 4, ModeAuto)
	b.run(5 * time.Second)
	b.deaf(func(int, int) bool { return true })
	b.run(4500 * time.Millisecond)
	for i := range b.nodes {
		if got := b.told(i, EventCopies); got != 3 {
			t.Errorf("node %d told of %d peers that do not hear it, want 3", i+1, got)
		}
	}
	b.put(1, "s", "1")
	b.run(2 * time.Millisecond)
	b.want("s", "1")
	b.run(30 * time.Second)
	b.wantNoDeaths()
	if m := b.member(0, 2); !m.Copies || !m.Unreached || m.HearsUs || m.Loss > 0 {
		t.Errorf("%+v", m)
	}
	b.drop = nil
	b.run(9 * time.Second)
	for i := range b.nodes {
		if got := b.told(i, EventNoCopies); got != 3 {
			t.Errorf("node %d told of %d peers that hear it again, want 3", i+1, got)
		}
	}
	if m := b.member(0, 2); m.Copies || m.Unreached || !m.HearsUs {
		t.Errorf("%+v", m)
	}
}

// While it is not known yet that multicast died, a write is a second or two late, not lost.
func TestAWriteInTheMomentMulticastDiesArrives(t *testing.T) {
	b := newModeBench(t, 3, ModeAuto)
	b.run(5 * time.Second)
	b.deaf(func(int, int) bool { return true })
	b.put(0, "s", "1")
	b.run(2500 * time.Millisecond)
	b.want("s", "1")
}

func TestOnlyWhomMulticastDoesNotReachGetsCopies(t *testing.T) {
	b := newModeBench(t, 4, ModeAuto)
	b.deaf(func(from, to int) bool { return from == 0 && to == 3 })
	b.run(6 * time.Second)
	for from := range b.nodes {
		for to := range b.nodes {
			if want := from == 0 && to == 3; from != to && b.member(from, to).Copies != want {
				t.Errorf("copies of %d to %d: %v", from+1, to+1, !want)
			}
		}
	}
	if b.told(0, EventCopies) != 1 || b.told(3, EventCopies) != 0 {
		t.Errorf("told %d times at 1, %d times at 4", b.told(0, EventCopies), b.told(3, EventCopies))
	}
	b.put(0, "s", "1")
	b.run(2 * time.Millisecond)
	b.want("s", "1")
	b.wantNoDeaths()
}

func TestLossAloneBringsNoEvent(t *testing.T) {
	b := newModeBench(t, 5, ModeAuto)
	b.run(5 * time.Second)
	dice := b.nodes[0].m.dice
	b.drop = func(int, int, wire.Type, Frame) bool { return dice.IntN(5) == 0 }
	b.run(10 * time.Minute)
	for i := range b.nodes {
		if got := b.told(i, EventCopies); got > 0 {
			t.Errorf("node %d called %d peers deaf for 20 %% of loss", i+1, got)
		}
	}
}

func TestAHealthyClusterSendsNoCopiesAndCallsNobody(t *testing.T) {
	b := newModeBench(t, 5, ModeAuto)
	b.seed(b.addrs()...)
	for i := range 100 {
		b.put(i%5, fmt.Sprint("s", i), "1")
		b.run(100 * time.Millisecond)
	}
	before := make([]uint64, len(b.nodes))
	for i, n := range b.nodes {
		before[i] = n.m.Counters().CallsOut
	}
	b.run(time.Minute)
	for i, n := range b.nodes {
		if c := n.m.Counters(); c.CopiesOut > 0 || c.CallsOut > before[i] {
			t.Errorf("node %d: %d copies, %d calls in the last minute", i+1, c.CopiesOut, c.CallsOut-before[i])
		}
	}
}

func TestUnicastModeSendsNothingToTheGroup(t *testing.T) {
	b := newModeBench(t, 4, ModeUnicast)
	b.drop = func(from, _ int, typ wire.Type, f Frame) bool {
		if !f.To.IsValid() {
			t.Fatalf("node %d sent %v to the group", from+1, typ)
		}
		return false
	}
	b.seed(b.addrs()...)
	b.run(3 * time.Second)
	b.put(2, "s", "1")
	b.run(2 * time.Millisecond)
	b.want("s", "1")
	b.put(1, "large", string(make([]byte, 100_000)))
	b.run(100 * time.Millisecond)
	b.want("large", string(make([]byte, 100_000)))
	b.run(20 * time.Second)
	b.wantNoDeaths()
	if m := b.member(0, 1); m.Unreached || !m.Copies || m.Loss > 0 {
		t.Errorf("%+v", m)
	}
}

func TestLossOfCopiesIsMeasured(t *testing.T) {
	b := newModeBench(t, 2, ModeUnicast)
	b.seed(b.addrs()...)
	b.run(3 * time.Second)
	n := 0
	b.drop = func(from, to int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeData && from == 0 {
			n++
			return n%2 == 0
		}
		return false
	}
	for i := range 200 {
		b.put(0, fmt.Sprint("s", i), "1")
		b.run(200 * time.Millisecond)
	}
	if got := b.member(1, 0).Loss; got < 0.05 || got > 0.3 { // heartbeats after data arrive
		t.Errorf("loss %v", got)
	}
}

func TestOneSeedIsEnough(t *testing.T) {
	for _, mode := range []Mode{ModeUnicast, ModeAuto} {
		b := newModeBench(t, 6, mode)
		b.deaf(func(int, int) bool { return true })
		b.seed(b.nodes[2].addr)
		b.run(4 * time.Second)
		for i := range b.nodes {
			for j := range b.nodes {
				if i != j && b.member(i, j).State != wire.Synced {
					t.Errorf("mode %d: node %d sees node %d as %v", mode, i+1, j+1, b.member(i, j).State)
				}
			}
		}
		b.put(0, "s", "1")
		b.run(2 * time.Millisecond)
		b.want("s", "1")
	}
}

func TestIntroductionsSurviveLoss(t *testing.T) {
	b := newModeBench(t, 5, ModeUnicast)
	dice := b.nodes[0].m.dice
	b.drop = func(int, int, wire.Type, Frame) bool { return dice.IntN(3) == 0 }
	b.seed(b.nodes[0].addr)
	b.run(20 * time.Second)
	for i := range b.nodes {
		for j := range b.nodes {
			if i != j {
				b.member(i, j)
			}
		}
	}
}

func TestASeedThatComesLaterIsFound(t *testing.T) {
	b := newModeBench(t, 1, ModeUnicast)
	late := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 2}), 4000)
	b.seed(late)
	b.run(10 * time.Minute)
	b.add("cluster")
	b.run(6 * time.Second)
	if got := b.member(0, 1).State; got != wire.Synced {
		t.Errorf("%v", got)
	}
}

func TestHalvesWithoutMulticastMeetAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		seeds func(*bench) []netip.AddrPort
	}{
		{"by the list of all", func(b *bench) []netip.AddrPort { return b.addrs() }},
		{"by one seed and what they remember", func(b *bench) []netip.AddrPort { return b.addrs()[:1] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newModeBench(t, 4, ModeUnicast)
			b.seed(c.seeds(b)...)
			b.run(4 * time.Second)
			b.silence(func(from, to int) bool { return from/2 != to/2 })
			b.run(20 * time.Minute)
			b.put(0, "left", "1")
			b.put(3, "right", "2")
			b.run(time.Minute)
			if got := b.member(0, 3).State; got != wire.Dead {
				t.Errorf("%v after the cut", got)
			}
			b.drop = nil
			b.run(7 * time.Second)
			b.want("left", "1")
			b.want("right", "2")
		})
	}
}

func TestANodeOfUnicastAndOthersOfAutoUnderstandEachOther(t *testing.T) {
	b := newModeBench(t, 3, ModeAuto)
	b.mode = ModeUnicast
	b.add("cluster")
	b.deaf(func(from, to int) bool { return to == 3 })
	b.seed(b.addrs()...)
	b.run(6 * time.Second)
	for i := range b.nodes {
		b.put(i, fmt.Sprint("s", i), "1")
		b.run(2 * time.Millisecond)
		b.want(fmt.Sprint("s", i), "1")
	}
	b.run(20 * time.Second)
	b.wantNoDeaths()
}

func TestSeedsAreBounded(t *testing.T) {
	b := newModeBench(t, 1, ModeUnicast)
	var list []netip.AddrPort
	for i := range maxSeeds + 10 {
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 4000))
	}
	b.seed(list...)
	m := b.nodes[0].m
	if c := m.Counters(); c.SeedsDropped != 10 || len(m.calls.list) != maxSeeds {
		t.Errorf("%d dropped, %d kept", c.SeedsDropped, len(m.calls.list))
	}
	b.seed(list[:3]...)
	if len(m.calls.list) != 3 {
		t.Errorf("%d kept of a shorter list", len(m.calls.list))
	}
}

// "tokens are spent per copy"
func TestCopiesAreSealedOnceAndPacedEach(t *testing.T) {
	b := newModeBench(t, 4, ModeUnicast)
	b.seed(b.addrs()...)
	b.run(3 * time.Second)
	m, sent := b.nodes[0].m, m0(b)
	b.put(0, "s", "1")
	m.Step(b.now, Wrote{})
	b.nodes[0].wrote = false
	var out Output
	m.pace.refill(b.now)
	tokens := m.pace.tokens
	m.Poll(b.now, &out)
	var data []Frame
	for _, f := range out.Frames {
		var h wire.Header
		if wire.ParseHeader(f.Data, &h) == nil && h.Type == wire.TypeData {
			data = append(data, f)
		}
	}
	if len(data) != 3 || &data[0].Data[0] != &data[2].Data[0] || m.beat.sent != sent+1 {
		t.Fatalf("%d frames, counted as %d", len(data), m.beat.sent-sent)
	}
	if spent := tokens - m.pace.tokens; spent < float64(3*len(data[0].Data)) {
		t.Errorf("%v tokens for three copies of %d bytes", spent, len(data[0].Data))
	}
}

func m0(b *bench) uint64 { return b.nodes[0].m.beat.sent }

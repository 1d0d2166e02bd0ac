package engine

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// reincarnate does what the shell does for a machine that found a clone.
func (b *bench) reincarnate(i int, n *benchNode) {
	n.origin.Incarnation[16]++
	n.origin.Incarnation[15] = byte(i + 1)
	n.m.Step(b.now, NewIncarnation{Self: n.origin, Seed: [32]byte{9, byte(i), n.origin.Incarnation[16]}})
}

// cloned is a bench of three nodes and a clone of the first one, which is not running yet: its table holds what that of the
// first one holds, under the same dots and stamps, and its packet numbers go on where those of the first one are.
func cloned(t *testing.T, sessions int) (b *bench, clone *benchNode) {
	b = newBench(t, 3)
	b.run(2 * time.Second)
	clone = &benchNode{addr: b.nodes[0].addr, origin: b.nodes[0].origin, cluster: "cluster"}
	b.start(clone, 0)
	running := b.nodes
	for i := range sessions {
		name := fmt.Sprint("before", i)
		b.put(0, name, "x")
		b.nodes = []*benchNode{clone}
		b.put(0, name, "x")
		b.nodes = running
		if i%100 == 0 {
			b.settle()
		}
	}
	b.run(time.Second)
	clone.m.addr = addrOf(9)
	clone.addr = clone.m.addr
	burn(clone, running[0].m.sealer.Packet())
	return b, clone
}

// burn lets packet numbers pass up to next.
func burn(n *benchNode, next uint64) {
	for n.m.sealer.Packet() < next {
		n.m.sealer.Begin(nil, wire.TypeHeartbeat, false)
	}
}

// nonces watches that no packet number is used twice under one origin from now on.
func (b *bench) nonces() {
	seen := make(map[string]int)
	b.drop = func(from, _ int, _ wire.Type, f Frame) bool {
		id := string(f.Data[8:wire.HeaderSize])
		if by, was := seen[id]; was && by != from {
			b.t.Errorf("nodes %d and %d both sealed packet %x", by+1, from+1, id)
		}
		seen[id] = from
		return false
	}
}

// agree lets the cluster come to rest and looks whether all tables are one.
func (b *bench) agree() {
	b.t.Helper()
	for range 12 {
		b.sweep()
		b.run(time.Second)
	}
	for i, n := range b.nodes[1:] {
		if n.table.Root() != b.nodes[0].table.Root() {
			b.t.Errorf("the tables of nodes 1 and %d differ", i+2)
		}
	}
	if o := b.nodes[0].origin; o == b.nodes[3].origin {
		b.t.Errorf("both are %x still", o)
	}
}

func TestAClonedMachineBecomesTwoNodes(t *testing.T) {
	b, clone := cloned(t, 50)
	was := clone.origin
	b.nodes = append(b.nodes, clone)
	b.silence(func(from, to int) bool { return from+to == 3 && from*to == 0 }) // what they send meets on its way
	for i := range 20 {                                                        // dots that stand for one thing here and for another there
		b.put(0, fmt.Sprint("first", i), "1")
		b.put(3, fmt.Sprint("clone", i), "2")
		b.put(0, "both", "1")
		b.put(3, "both", "2")
	}
	b.run(100 * time.Millisecond)
	b.drop = nil
	b.run(2 * time.Second)
	for _, i := range []int{0, 3} {
		if b.told(i, EventCloned) != 1 || b.nodes[i].origin == was {
			t.Errorf("node %d: told %d times, want once, and is %x", i+1, b.told(i, EventCloned), b.nodes[i].origin)
		}
	}
	b.nonces()
	b.put(0, "later0", "1")
	b.put(3, "later3", "2")
	b.agree()
	for i := range 20 {
		b.want(fmt.Sprint("first", i), "1")
		b.want(fmt.Sprint("clone", i), "2")
	}
	for i := range 50 {
		b.want(fmt.Sprint("before", i), "x")
	}
	b.want("later0", "1")
	b.want("later3", "2")
	b.want("both", b.get(1, "both"))
	for i := range b.nodes {
		if got := b.told(i, EventDuplicate); got == 0 {
			t.Errorf("node %d does not tell of two nodes with one name", i+1)
		}
	}
}

// One of the two has sent far more than the other remembers: the one behind changes, and the other is alone under its name.
func TestACloneThatIsFarBehindTakesANewIncarnation(t *testing.T) {
	b, clone := cloned(t, 20)
	burn(b.nodes[0], b.nodes[0].m.sealer.Packet()+20_000)
	b.nodes = append(b.nodes, clone)
	b.nonces()
	for i := range 20 {
		b.put(0, fmt.Sprint("first", i), "1")
		b.put(3, fmt.Sprint("clone", i), "2")
	}
	b.run(2 * time.Second)
	if b.told(0, EventCloned)+b.told(3, EventCloned) == 0 {
		t.Error("nobody noticed")
	}
	b.agree()
	for i := range 20 {
		b.want(fmt.Sprint("first", i), "1")
		b.want(fmt.Sprint("clone", i), "2")
	}
}

// Clones that do not hear each other learn it from the others, who hold dots that one of them never made.
func TestClonesApartLearnOfEachOtherFromTheOthers(t *testing.T) {
	b, clone := cloned(t, 20)
	b.nodes = append(b.nodes, clone)
	b.silence(func(from, to int) bool { return from+to == 3 && from*to == 0 })
	for i := range 20 {
		b.put(0, fmt.Sprint("first", i), "1")
		b.run(time.Millisecond)
	}
	b.run(3 * time.Second)
	for i := range 3 {
		b.put(3, fmt.Sprint("clone", i), "2")
	}
	b.run(3 * time.Second)
	if b.told(3, EventCloned) != 1 {
		t.Errorf("the clone with fewer dots is told %d times", b.told(3, EventCloned))
	}
	b.agree()
	for i := range 3 {
		b.want(fmt.Sprint("clone", i), "2")
	}
	for i := range 20 {
		b.want(fmt.Sprint("first", i), "1")
	}
}

func TestClonesWithMoreChangesThanTheLogRemembers(t *testing.T) {
	b, clone := cloned(t, ringDots+500)
	b.nodes = append(b.nodes, clone)
	b.put(0, "first", "1")
	b.put(3, "clone", "2")
	b.run(3 * time.Second)
	b.agree()
	b.want("first", "1")
	b.want("clone", "2")
}

// A recording of our own frames, sent again from elsewhere, proves nothing; nor does what a forger makes.
func TestOwnFramesThatComeBackAreNoClone(t *testing.T) {
	b := newBench(t, 2)
	var recorded [][]byte
	b.drop = func(from, _ int, _ wire.Type, f Frame) bool {
		if from == 0 {
			recorded = append(recorded, append([]byte(nil), f.Data...))
		}
		return false
	}
	b.run(3 * time.Second)
	for _, data := range recorded {
		b.nodes[0].inbox = append(b.nodes[0].inbox, Datagram{Data: append([]byte(nil), data...), From: addrOf(9)})
		forged := append([]byte(nil), data...)
		forged[wire.HeaderSize-5]++ // a packet number of long after
		b.nodes[0].inbox = append(b.nodes[0].inbox, Datagram{Data: forged, From: addrOf(9)})
	}
	b.settle()
	if n := b.nodes[0]; n.m.Cloned() || n.m.Counters().ClonesFound != 0 || n.m.Counters().DropOwn != uint64(2*len(recorded)) {
		t.Errorf("%d of %d counted, clones found: %d", n.m.Counters().DropOwn, 2*len(recorded), n.m.Counters().ClonesFound)
	}
}

// Who waits for acknowledgements is answered under the new origin, whose dots go on where the old one's were.
func TestWritersThatWaitAreAnsweredAfterTheChange(t *testing.T) {
	b, clone := cloned(t, 20)
	b.nodes = append(b.nodes, clone)
	seq := b.put(3, "clone", "2")
	clone.m.Step(b.now, Await{ID: 5, Seq: seq, K: 2, Timeout: 3 * time.Second, Patient: true})
	b.run(4 * time.Second)
	if a := clone.acked; len(a) != 1 || a[0].ID != 5 {
		t.Fatalf("answered %+v", a)
	}
	seq = b.put(3, "clone", "3")
	if o := clone.m.origin(clone.m.self); seq != 22 || clone.m.table.Made() != seq || o.held.Count() < 21 {
		t.Errorf("dot %d of %d, held %d", seq, clone.m.table.Made(), o.held.Count())
	}
	clone.m.Step(b.now, Await{ID: 6, Seq: seq, K: 2, Timeout: 3 * time.Second, Patient: true})
	b.run(time.Second)
	if a := clone.acked; len(a) != 2 || !a[1].Met {
		t.Fatalf("answered %+v", a)
	}
}

func TestANewIncarnationIsOfTheSameNode(t *testing.T) {
	b := newBench(t, 1)
	m, was := b.nodes[0].m, b.nodes[0].origin
	m.Step(b.now, NewIncarnation{Self: record.Origin{Node: record.NodeID{7}, Incarnation: record.Incarnation{1}}})
	m.Step(b.now, NewIncarnation{Self: was})
	if m.cfg.Self != was {
		t.Errorf("it is %x", m.cfg.Self)
	}
}

func addrOf(last byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 4000)
}

// Whatever is lost, and whoever hears whom first: all that either wrote survives, and no number is sealed by both once both know.
func TestClonesUnderLossLoseNothing(t *testing.T) {
	for seed := range uint64(25) {
		b, clone := cloned(t, 10)
		dice := rand.New(rand.NewPCG(seed, 1))
		b.nodes = append(b.nodes, clone)
		burn(b.nodes[dice.IntN(2)*3], b.nodes[0].m.sealer.Packet()+dice.Uint64N(40))
		lossy := func(_, _ int, _ wire.Type, _ Frame) bool { return dice.IntN(100) < 15 }
		apart := dice.IntN(300)
		b.drop = func(from, to int, typ wire.Type, f Frame) bool {
			return from+to == 3 && from*to == 0 || lossy(from, to, typ, f)
		}
		wrote := make(map[string]string)
		for i := range 60 {
			if i == apart/5 {
				b.drop = lossy
			}
			for _, n := range []int{0, 3, 1} {
				name, value := fmt.Sprint("of", n, "-", i), fmt.Sprint(n)
				b.put(n, name, value)
				wrote[name] = value
				b.put(n, fmt.Sprint("all", i), value)
			}
			b.run(time.Duration(dice.IntN(8)) * time.Millisecond)
		}
		b.drop = lossy
		b.run(2 * time.Second)
		b.drop = nil
		if b.told(0, EventCloned)+b.told(3, EventCloned) == 0 {
			t.Errorf("seed %d: nobody noticed", seed)
		}
		b.agree()
		for name, value := range wrote {
			b.want(name, value)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

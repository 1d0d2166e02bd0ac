package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

func (b *bench) await(i int, seq uint64, k int) {
	b.nodes[i].m.Step(b.now, Await{ID: seq, Seq: seq, Writes: 1, K: k, Timeout: 50 * time.Millisecond})
}

// "returns when k live, synced peers have merged it into their tables, or after ack-timeout"
func TestAnAwaitThatCannotBeMetEndsAtItsTimeout(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 0 })
	seq := b.put(0, "a", "1")
	b.await(0, seq, 1)
	b.run(49 * time.Millisecond)
	if len(b.nodes[0].acked) != 0 {
		t.Fatal("answered before its time")
	}
	b.run(2 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || a[0].Met || a[0].Peers != 0 {
		t.Fatalf("acked %+v, want not met", a)
	}
}

func TestALostWriteIsAcknowledgedOnceRepaired(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	b.drop = func(from, _ int, typ wire.Type, _ Frame) bool { return from == 0 && typ == wire.TypeData }
	seq := b.put(0, "a", "1")
	b.await(0, seq, 2)
	b.run(15 * time.Millisecond)
	if a := b.nodes[0].acked; len(a) != 1 || !a[0].Met || a[0].Peers != 2 {
		t.Fatalf("acked %+v within 15 ms, want both peers", a)
	}
}

// "one that misses twice is not asked for a while, so a stopped node delays no write twice"
func TestAStoppedNodeIsNotAskedAgain(t *testing.T) {
	b := newBench(t, 4)
	b.run(3 * time.Second)
	b.silence(func(from, to int) bool { return from == 1 })
	for range 20 {
		b.put(0, "a", "1")
		b.run(10 * time.Millisecond)
	}
	asked := false
	b.drop = func(from, to int, typ wire.Type, f Frame) bool { return from == 1 }
	b.nodes[0].m.advance(b.now)
	for _, id := range b.nodes[0].m.askFor(nil, 1) {
		asked = asked || id == b.nodes[1].origin.Node
	}
	if asked {
		t.Error("a peer that left its last requests unanswered is asked still")
	}
}

func TestWithoutPeersAnAwaitIsAnsweredAtOnce(t *testing.T) {
	b := newBench(t, 1)
	b.run(3 * time.Second)
	seq := b.put(0, "a", "1")
	b.await(0, seq, 1)
	b.settle()
	if a := b.nodes[0].acked; len(a) != 1 || a[0].Peers != 0 {
		t.Fatalf("acked %+v", a)
	}
}

func TestALostAcknowledgementIsAskedForAgain(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	lost := 0
	b.drop = func(_, to int, typ wire.Type, _ Frame) bool {
		if typ == wire.TypeAck && to == 0 && lost < 2 {
			lost++
			return true
		}
		return false
	}
	seq := b.put(0, "a", "1")
	b.await(0, seq, AckAll)
	b.run(15 * time.Millisecond)
	if a := b.nodes[0].acked; lost != 2 || len(a) != 1 || a[0].Peers != 2 {
		t.Fatalf("%d acknowledgements lost, acked %+v within 15 ms, want both peers", lost, a)
	}
}

// every writes and awaits at node i every step for d, and counts the writes that their peers did not confirm in time.
func (b *bench) every(i int, step, d time.Duration) (writes, unmet int) {
	b.nodes[i].acked = nil
	for end := b.now.Add(d); b.now.Before(end); writes++ {
		seq := b.put(i, "a", "x")
		b.nodes[i].m.Step(b.now, Await{ID: seq, Seq: seq, Writes: 1, K: -1, Timeout: 50 * time.Millisecond})
		b.run(step)
	}
	b.run(60 * time.Millisecond)
	for _, a := range b.nodes[i].acked {
		if !a.Met && a.Peers < b.nodes[i].m.Peers() {
			unmet++
		}
	}
	return writes, unmet
}

func TestAPauseOfTheOnlyPeerIsForgottenWhenItIsOver(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.silence(func(int, int) bool { return true })
	b.every(0, 2*time.Millisecond, 45*time.Millisecond)
	b.drop = nil
	if writes, unmet := b.every(0, 2*time.Millisecond, 1500*time.Millisecond); unmet > 0 {
		t.Errorf("%d of %d writes after the pause were not confirmed", unmet, writes)
	}
}

func TestAllOfManyPeersAreAsked(t *testing.T) {
	b := newBench(t, 40)
	b.nodes[0].m.cfg.Ack = AckAll
	b.run(5 * time.Second)
	if got := b.nodes[0].m.Peers(); got != 39 {
		t.Fatalf("%d peers", got)
	}
	if writes, unmet := b.every(0, 2*time.Millisecond, 200*time.Millisecond); unmet > 0 {
		t.Errorf("%d of %d writes were not confirmed by all, and nothing was lost", unmet, writes)
	}
}

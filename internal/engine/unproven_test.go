package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// shut closes unicast from one node to another, datagrams and streams, for all pairs that say so; multicast passes.
func (b *bench) shut(cut func(from, to int) bool) {
	b.drop = func(from, to int, _ wire.Type, f Frame) bool { return f.To.IsValid() && cut(from, to) }
	b.noStreams = true
}

func (b *bench) reopen() { b.drop, b.noStreams = nil, false }

func TestWhoHearsOthersAndCannotProveThemIsNotAlone(t *testing.T) {
	for name, cut := range map[string]func(from, to int) bool{
		"nothing arrives at who starts": func(_, to int) bool { return to == 2 },
		"nothing of it arrives":         func(from, _ int) bool { return from == 2 },
		"nothing arrives anywhere":      func(int, int) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 2)
			b.run(3 * time.Second)
			b.put(0, "s", "1")
			b.run(time.Second)
			b.shut(cut)
			b.add("cluster")
			b.run(30 * time.Second)
			m := b.nodes[2].m
			if m.State() != wire.Joining || b.told(2, EventSynced) != 0 {
				t.Fatalf("%v, and synced %d times", m.State(), b.told(2, EventSynced))
			}
			if list := m.Unproven(b.now); len(list) != 2 || list[0].State != wire.Synced || list[0].Name == "" || list[0].Addr == list[1].Addr {
				t.Errorf("it hears %+v", list)
			}
			for i := range 2 {
				if list := b.nodes[i].m.Unproven(b.now); len(list) != 1 || list[0].Addr != b.nodes[2].addr || list[0].State != wire.Joining {
					t.Errorf("node %d hears %+v", i+1, list)
				}
			}
			if got := []int{b.told(0, EventUnproven), b.told(1, EventUnproven), b.told(2, EventUnproven)}; got[0] != 1 || got[1] != 1 || got[2] != 2 {
				t.Errorf("told %v times", got)
			}
			b.reopen()
			b.run(6 * time.Second)
			if b.want("s", "1"); b.told(2, EventSynced) != 1 {
				t.Error("it was synced by itself before")
			}
			if m.State() != wire.Synced || len(m.Unproven(b.now)) != 0 || len(b.nodes[0].m.Unproven(b.now)) != 0 {
				t.Errorf("%v, still unproven %+v", m.State(), m.Unproven(b.now))
			}
		})
	}
}

func TestWhoHearsNobodyIsAloneAfterASecond(t *testing.T) {
	b := newBench(t, 1)
	b.run(time.Second)
	if b.nodes[0].m.State() != wire.Synced {
		t.Error(b.nodes[0].m.State())
	}
}

func TestOfThoseThatStartBehindAFirewallOneServes(t *testing.T) {
	b := newBench(t, 0)
	b.shut(func(int, int) bool { return true })
	for range 3 {
		b.add("cluster")
		b.run(300 * time.Millisecond)
	}
	b.run(10 * time.Second)
	for i, want := range []wire.MemberState{wire.Synced, wire.Joining, wire.Joining} {
		if got := b.nodes[i].m.State(); got != want {
			t.Errorf("node %d is %v, want %v", i+1, got, want)
		}
	}
	b.reopen()
	b.run(7 * time.Second)
	for i, n := range b.nodes {
		if n.m.State() != wire.Synced || n.m.Peers() != 2 {
			t.Errorf("node %d is %v with %d peers", i+1, n.m.State(), n.m.Peers())
		}
	}
}

func TestWhoseUnprovenPeersGoIsAlone(t *testing.T) {
	for name, end := range map[string]func(b *bench){
		"by a goodbye": func(b *bench) { b.nodes[0].m.Step(b.now, Leave{}) },
		"silently":     func(b *bench) { b.silence(func(from, _ int) bool { return from == 0 }) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 1)
			b.run(3 * time.Second)
			b.shut(func(int, int) bool { return true })
			b.add("cluster")
			b.run(5 * time.Second)
			if got := b.nodes[1].m.State(); got != wire.Joining {
				t.Fatal(got)
			}
			end(b)
			b.run(silentAfter + 2*time.Second)
			if got := b.nodes[1].m.State(); got != wire.Synced {
				t.Error(got)
			}
		})
	}
}

// recordings are what node 1 sends to the group from now on, until stop.
func (b *bench) recordings(d time.Duration) (frames []Frame) {
	b.drop = func(from, _ int, _ wire.Type, f Frame) bool {
		if from == 0 && !f.To.IsValid() {
			frames = append(frames, Frame{Data: append([]byte(nil), f.Data...)})
		}
		return true
	}
	b.run(d)
	b.drop = nil
	return frames
}

// Old recordings make nobody seem there, and fresh ones each once.
func TestRecordingsKeepNobodyFromStarting(t *testing.T) {
	b := newBench(t, 1)
	b.add("cluster")
	b.run(3 * time.Second)
	recorded := b.recordings(3 * time.Second)
	if len(recorded) < 3 {
		t.Fatalf("%d frames recorded", len(recorded))
	}
	for name, age := range map[string]time.Duration{"fresh": 0, "old": time.Hour} {
		one := newBench(t, 0)
		one.now = b.now.Add(age)
		n := one.add("cluster")
		n.origin.Node[0] = 9
		one.restart(n)
		wait := joinWait
		if age == 0 { // it waits for a while, and no longer
			wait += silentAfter + fetchRetryMin
		}
		for end := one.now.Add(wait); !one.now.After(end); one.now = one.now.Add(100 * time.Millisecond) {
			for _, f := range recorded {
				n.m.Step(one.now, Datagram{Data: append([]byte(nil), f.Data...), From: b.nodes[0].addr, Multicast: true})
			}
			n.m.Poll(one.now, &n.out)
		}
		if n.m.State() != wire.Synced {
			t.Errorf("%s recordings, played again and again: %v", name, n.m.State())
		}
	}
}

// Beside one that has proved itself the others are no recordings, however far this node's own clock is off.
func TestWhoseClockIsFarOffBelievesItsPeersClocksOfWhoElseIsThere(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	theirs := hlc.At(b.now.Add(time.Hour).UnixMilli())
	if m.lately(theirs) {
		t.Fatal("a frame of an hour ahead counts, and nobody's clock is there")
	}
	for range offsetSamples {
		m.members.list[0].offset.note(b.now, time.Hour-3*time.Second)
	}
	if !m.lately(theirs) || m.lately(hlc.At(b.now.Add(-time.Hour).UnixMilli())) || m.lately(hlc.At(b.now.Add(2*time.Hour).UnixMilli())) {
		t.Error("not as the peer's clock says")
	}
	b.drop = func(int, int, wire.Type, Frame) bool { return true }
	b.run(10 * time.Second)
	if m.lately(hlc.At(b.now.Add(time.Hour).UnixMilli())) {
		t.Error("the clock of one that is gone counts")
	}
}

func TestSightingsAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	for i := range maxSighted + 5 {
		m.sightingOf(record.Origin{Node: record.NodeID{9, byte(i), byte(i >> 8)}})
	}
	if c := m.Counters(); c.SightingsDropped != 5 || len(m.admit.sighted) != maxSighted {
		t.Errorf("%d sighted, %d dropped", len(m.admit.sighted), c.SightingsDropped)
	}
}

// Who stood still heard nobody meanwhile: that a node which cannot be proven was silent for so long says nothing, and it is there as it was before (sim seed 301514).
func TestWhoStoodStillIsNotAloneBesideWhoCannotBeProven(t *testing.T) {
	b := newBench(t, 1)
	b.run(3 * time.Second)
	b.shut(func(int, int) bool { return true })
	b.add("cluster")
	b.run(500 * time.Millisecond)
	m := b.nodes[1].m
	if !m.beside() {
		t.Fatal("it does not hear the other")
	}
	b.now = b.now.Add(silentAfter + time.Second)
	m.Poll(b.now, &b.nodes[1].out)
	if m.State() == wire.Synced {
		t.Error("it is synced alone: it stood still, and the other was heard until then")
	}
	b.nodes = b.nodes[1:]
	b.run(silentAfter + fetchRetryMin)
	if m.State() != wire.Synced {
		t.Error("it waits for one that is silent")
	}
}

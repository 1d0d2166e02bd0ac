package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Every list that peers or writers can make grow is filled here beyond its limit, and its counter must move.

func TestWaitersAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	b.silence(func(int, int) bool { return true })
	seq, m := b.put(0, "a", "1"), b.nodes[0].m
	for i := range maxWaiters + 5 {
		m.Step(b.now, Await{ID: uint64(i), Seq: seq, K: 1, Timeout: time.Second})
	}
	b.nodes[0].acked = nil
	b.settle()
	if got := len(b.nodes[0].acked); got != 5 || m.Counters().AwaitDenied != 5 || len(m.acks.waiters) != maxWaiters {
		t.Errorf("%d told at once, %d counted, %d wait", got, m.Counters().AwaitDenied, len(m.acks.waiters))
	}
}

func TestTheBacklogIsLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	m.pace.rate, m.pace.tokens = 1, -1e12 // nothing leaves
	for i := range maxBacklog + 5 {
		b.put(0, fmt.Sprint(i), "")
		if i%4096 == 0 {
			m.Step(b.now, Wrote{})
		}
	}
	m.Step(b.now, Wrote{})
	if c := m.Counters(); c.BacklogDropped != 5 || len(m.push.queue) != maxBacklog || len(m.push.dirty) != maxBacklog {
		t.Errorf("%d wait, %d dropped", len(m.push.queue), c.BacklogDropped)
	}
}

func TestStrangersAreLimited(t *testing.T) {
	b := newBench(t, 1)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	for i := range maxStrangers + 5 {
		m.challenge(record.Origin{Node: record.NodeID{9, byte(i), byte(i >> 8)}}, b.nodes[0].addr)
	}
	if c := m.Counters(); c.ChallengesDenied != 5 || len(m.admit.order) != maxStrangers || len(m.admit.strangers) != maxStrangers {
		t.Errorf("%d under challenge, %d denied", len(m.admit.order), c.ChallengesDenied)
	}
}

func TestControlFramesAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	for range maxControl + 5 {
		m.queue(wire.TypeProbeAck, destination{}, nil)
	}
	if c := m.Counters(); c.ControlDropped != 5 || len(m.control) != maxControl {
		t.Errorf("%d wait, %d dropped", len(m.control), c.ControlDropped)
	}
}

func TestRepairsAskedForAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	o := m.origin(m.origins.Intern(record.Origin{Node: record.NodeID{9}, Incarnation: record.Incarnation{1}}))
	o.held.AddRange(1, maxRepairWants+5)
	m.collect(m.members.list[0], o, []dots.Range{{Lo: 1, Hi: maxRepairWants + 5}})
	if c := m.Counters(); c.RepairDenied == 0 || len(m.repair.wants) != maxRepairWants {
		t.Errorf("%d asked for, %d denied", len(m.repair.wants), c.RepairDenied)
	}
}

func TestItemsPutTogetherAreLimited(t *testing.T) {
	for name, c := range map[string]struct{ total, want int }{
		"small ones by their number": {10_000, maxAssemblies},
		"large ones by their bytes":  {1 << 20, maxAssembly >> 20},
	} {
		b := newBench(t, 2)
		b.run(3 * time.Second)
		m := b.nodes[0].m
		for i := range c.want + 5 {
			f := wire.Fragment{Origin: m.members.list[0].ref, Dots: []uint64{uint64(100 + i)}, ID: uint64(i), Total: uint32(c.total), Size: 1200}
			m.assembly(m.members.list[0], &f)
		}
		if got := m.Counters().FragmentDrops; got != 5 || len(m.frags.list) != c.want || m.frags.held != c.want*c.total {
			t.Errorf("%s: %d are put together of %d bytes, %d dropped", name, len(m.frags.list), m.frags.held, got)
		}
	}
}

func TestEventsAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	for range maxEvents + 5 {
		m.event(Event{Kind: EventLeft})
	}
	if c := m.Counters(); len(m.events) != maxEvents || c.EventsDropped != 5 {
		t.Errorf("%d wait, %d dropped", len(m.events), c.EventsDropped)
	}
}

func TestMembersAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	neighbour := m.members.list[0]
	admit := func(i int) *peer {
		o := record.Origin{Node: record.NodeID{9, byte(i), byte(i >> 8)}}
		m.makeRoom(o.Node)
		if !m.opener.Admit(o, 0) {
			t.Fatalf("no room for the %d. member", i)
		}
		return m.newPeer(o, b.nodes[1].addr)
	}
	gone := admit(0)
	m.setState(gone, wire.Dead)
	for i := 1; i < maxPeers-1; i++ {
		admit(i)
	}
	if c := m.Counters(); c.MembersForgotten != 0 || len(m.members.list) != maxPeers {
		t.Fatalf("%d members, %d forgotten", len(m.members.list), c.MembersForgotten)
	}
	admit(maxPeers)
	if m.members.byRef[gone.ref] != nil {
		t.Error("the dead one was not the first to go")
	}
	m.hear(neighbour, Datagram{From: neighbour.addr}, &wire.Header{})
	for i := range 4 {
		b.now = b.now.Add(time.Millisecond)
		m.advance(b.now)
		m.hear(neighbour, Datagram{From: neighbour.addr}, &wire.Header{})
		admit(maxPeers + 1 + i)
	}
	if c := m.Counters(); c.MembersForgotten != 5 || len(m.members.list) != maxPeers || len(m.members.byRef) != maxPeers {
		t.Errorf("%d members, %d forgotten", len(m.members.list), c.MembersForgotten)
	}
	if m.members.byRef[neighbour.ref] == nil {
		t.Error("one who is heard had to go")
	}
}

func TestProbesForOthersAreLimited(t *testing.T) {
	b := newBench(t, 3)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	asker, target := m.members.list[0], m.members.list[1]
	for i := range maxRelays + 5 {
		body := m.encoder.AppendProbeReq(nil, m.stamp(), &wire.ProbeReq{Target: target.ref, Nonce: uint64(i)})
		if err := m.takeProbeReq(asker, body); err != nil {
			t.Fatal(err)
		}
	}
	if c := m.Counters(); c.RelaysDropped != 5 || len(m.members.relays) != maxRelays || m.members.relays[0].nonce != 5 {
		t.Errorf("%d wait for an answer, %d dropped", len(m.members.relays), c.RelaysDropped)
	}
}

// A flood of forged addresses hides others for a minute, and no longer.
func TestAddressesWithOtherKeysAreLimited(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	from := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 4000)
	}
	m.advance(b.now)
	for i := range otherKeySources + 5 {
		m.noteOtherKey(from(i))
	}
	if c := m.Counters(); c.OtherKeysDropped != 5 || len(m.admit.otherKeys) != otherKeySources {
		t.Errorf("%d listed, %d dropped", len(m.admit.otherKeys), c.OtherKeysDropped)
	}
	b.now = b.now.Add(otherKeyRecent)
	m.advance(b.now)
	late := from(otherKeySources + 7)
	m.noteOtherKey(late)
	if got := m.OtherKeys(b.now); len(got) != 1 || got[0] != late.Addr() || len(m.admit.otherKeys) != otherKeySources {
		t.Errorf("a minute later %v is listed, of %d", got, len(m.admit.otherKeys))
	}
}

func TestCallsAreLimited(t *testing.T) {
	b := newModeBench(t, 1, ModeUnicast)
	m := b.nodes[0].m
	var list []netip.AddrPort
	for i := range maxCalls + 5 {
		list = append(list, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 4000))
	}
	m.takeIntroductions(list)
	if c := m.Counters(); c.CallsDropped != 5 || len(m.calls.list) != maxCalls {
		t.Errorf("%d are called, %d dropped", len(m.calls.list), c.CallsDropped)
	}
}

// Large values wait for each other, so that what is cut into fragments at a time is bounded, and all arrive.
func TestItemsSentInFragmentsAreLimited(t *testing.T) {
	b := newBench(t, 2)
	b.run(3 * time.Second)
	m := b.nodes[0].m
	m.pace.refill(b.now)
	m.pace.rate, m.pace.tokens = 1, 1 // one datagram takes many minutes
	for i := range 3 * maxOutgoing {
		b.put(0, fmt.Sprint(i), strings.Repeat("x", 10_000))
	}
	b.run(100 * time.Millisecond)
	m.pace.tokens = 1
	b.settle()
	if got := len(m.frags.out); got < maxOutgoing || got > maxOutgoing+1 || len(m.push.queue) == 0 {
		t.Errorf("%d are being sent, %d wait", got, len(m.push.queue))
	}
	m.pace.rate = defaultRate
	b.run(3 * time.Second)
	for i := range 3 * maxOutgoing {
		b.want(fmt.Sprint(i), strings.Repeat("x", 10_000))
	}
}

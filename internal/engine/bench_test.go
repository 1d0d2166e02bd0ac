package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// bench is a few machines on a network without delay, for tests of single exchanges; internal/sim has the faults.
type bench struct {
	t     testing.TB
	now   time.Time
	nodes []*benchNode
	drop  func(from, to int, typ wire.Type, f Frame) bool
	mode  Mode // of nodes that start

	noStreams    bool // every fetch fails
	stuckStreams bool // every fetch goes on for ever
}

type benchNode struct {
	m        *Machine
	table    *table.Table
	addr     netip.AddrPort
	origin   record.Origin
	out      Output
	wrote    bool
	cluster  string
	maxBytes int64
	events   []Event
	acked    []Acked
	inbox    []Datagram
}

func newBench(t testing.TB, n int) *bench {
	b := &bench{t: t, now: time.UnixMilli(1_700_000_000_000)}
	for range n {
		b.add("cluster")
	}
	return b
}

func (b *bench) add(cluster string) *benchNode {
	i := len(b.nodes)
	n := &benchNode{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 4000)}
	n.origin.Node[0] = byte(i + 1)
	n.origin.Incarnation[17] = byte(i + 1)
	n.cluster = cluster
	b.start(n, i)
	b.nodes = append(b.nodes, n)
	return n
}

func (b *bench) start(n *benchNode, i int) {
	ring, err := seal.NewKeyring(n.cluster, seal.Key{1})
	if err != nil {
		b.t.Fatal(err)
	}
	origins, clock := new(record.Origins), new(hlc.Clock)
	n.table = table.New(table.Config{
		Self: n.origin, Origins: origins, Clock: clock, Hold: time.Minute, MaxBytes: n.maxBytes, OnWrite: func() { n.wrote = true },
	})
	n.m, err = New(Config{
		Self: n.origin, Name: fmt.Sprintf("node%d", i+1), Origins: origins, Clock: clock, Table: n.table,
		Keyring: ring, Seed: [32]byte{byte(i)}, Ack: 1, Mode: b.mode,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	n.m.Step(b.now, OwnAddress{Addr: n.addr})
}

// restart makes n anew, as another incarnation.
func (b *bench) restart(n *benchNode) {
	n.origin.Incarnation[16]++
	b.start(n, int(n.origin.Incarnation[17])-1)
}

func key(name string) record.Key { return record.Key{Name: name} }

// settle lets everything that is due at this moment happen.
func (b *bench) settle() {
	for busy := true; busy; {
		busy = false
		for i, n := range b.nodes {
			for _, d := range n.inbox {
				n.m.Step(b.now, d)
			}
			n.inbox = n.inbox[:0]
			if n.wrote {
				n.wrote = false
				n.m.Step(b.now, Wrote{})
			}
			if n.m.Cloned() {
				b.reincarnate(i, n)
			}
			n.m.Poll(b.now, &n.out)
			busy = b.carryOut(i, n) || busy
		}
	}
}

func (b *bench) carryOut(i int, n *benchNode) bool {
	n.events = append(n.events, n.out.Events...)
	n.acked = append(n.acked, n.out.Acked...)
	for _, f := range n.out.Frames {
		b.deliver(i, f)
	}
	for _, f := range n.out.Fetches {
		b.transfer(n, f)
	}
	return len(n.out.Frames)+len(n.out.Fetches) > 0
}

func (b *bench) deliver(from int, f Frame) {
	var h wire.Header
	if err := wire.ParseHeader(f.Data, &h); err != nil {
		b.t.Fatal(err)
	}
	for to, n := range b.nodes {
		if f.To.IsValid() && f.To != n.addr || to == from || b.drop != nil && b.drop(from, to, h.Type, f) {
			continue
		}
		n.inbox = append(n.inbox, Datagram{
			Data: append([]byte(nil), f.Data...), From: b.nodes[from].addr, Multicast: !f.To.IsValid(),
		})
	}
}

// transfer carries out a fetch at once.
func (b *bench) transfer(n *benchNode, f Fetch) {
	if b.noStreams {
		n.m.Step(b.now, FetchDone{ID: f.ID, Err: errors.New("no way for streams")})
		return
	}
	for _, d := range b.nodes {
		if d.addr != f.To || b.stuckStreams {
			continue
		}
		var offer []wire.Vector
		for _, v := range d.m.Offer() {
			offer = append(offer, wire.Vector{
				Origin: n.m.origins.Intern(d.m.origins.Origin(v.Origin)), Set: v.Set.Clone(),
			})
		}
		n.m.Step(b.now, FetchStarted{ID: f.ID, Offer: offer})
		enc := wire.NewEncoder(d.m.origins, d.m.self)
		dec := wire.Decoder{Origins: n.m.origins}
		cursor, done, noRoom := f.Cursor, false, false
		for !done {
			cursor, done = d.table.Chunk(cursor, 1<<18, nil, func(k record.Key, s *record.State) {
				it := wire.Item{Kind: wire.KindState, Key: k, State: *s}
				var into wire.Item
				if err := dec.ParseItem(enc.AppendItem(nil, &it), &into); err != nil {
					b.t.Fatal(err)
				}
				noRoom = n.table.Merge(b.now.UnixMilli(), into.Key, &into.State) == table.NoRoom || noRoom
			})
		}
		n.m.Step(b.now, FetchDone{ID: f.ID, NoRoom: noRoom})
	}
}

// run lets time pass, from deadline to deadline.
func (b *bench) run(d time.Duration) {
	end := b.now.Add(d)
	for {
		b.settle()
		var next deadline
		for _, n := range b.nodes {
			next.add(n.m.Deadline())
		}
		if next.at.IsZero() || next.at.After(end) {
			b.now = end
			b.settle()
			return
		}
		if !next.at.After(b.now) {
			for i, n := range b.nodes {
				m := n.m
				b.t.Logf("node %d: members %v join %v admit %v frags %v gap %v acks %v push %v repair %v beat %v leave %v control %d events %d", i+1,
					m.members.next.Sub(b.now), m.join.deadline().Sub(b.now), m.admit.next.Sub(b.now), m.frags.next.Sub(b.now), m.gapDeadline().Sub(b.now),
					m.acks.deadline().Sub(b.now), m.pushDeadline().Sub(b.now), m.repair.at.Sub(b.now), m.beat.deadline().Sub(b.now), m.leave.at.Sub(b.now), len(m.control), len(m.events))
			}
			b.t.Fatalf("a deadline stays in the past: %v", b.now.Sub(next.at))
		}
		b.now = next.at
	}
}

// sweep does the tables' housekeeping.
func (b *bench) sweep() {
	for _, n := range b.nodes {
		for n.table.Sweep(b.now.UnixMilli()) {
		}
	}
}

func (b *bench) put(i int, name, value string) uint64 {
	res, err := b.nodes[i].table.Put(b.now.UnixMilli(), record.Key{Name: name}, &table.Write{
		Value: []byte(value), Due: b.now.Add(time.Hour).UnixMilli(),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return res.Seq
}

func (b *bench) get(i int, name string) string {
	v, _ := b.nodes[i].table.Get(b.now.UnixMilli(), record.Key{Name: name})
	return string(v.Value)
}

func (b *bench) want(name, value string) {
	b.t.Helper()
	for i := range b.nodes {
		if got := b.get(i, name); got != value {
			b.t.Errorf("node %d has %q of %d bytes, want %d", i+1, name, len(got), len(value))
		}
	}
}

// told counts the events of a kind at node i.
func (b *bench) told(i int, kind EventKind) (n int) {
	for _, e := range b.nodes[i].events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// member is what node i says of node j.
func (b *bench) member(i, j int) Member {
	b.t.Helper()
	for _, m := range b.nodes[i].m.Members(b.now) {
		if m.Origin == b.nodes[j].origin {
			return m
		}
	}
	b.t.Fatalf("node %d does not know node %d", i+1, j+1)
	return Member{}
}

// silence cuts nodes off in the given direction.
func (b *bench) silence(cut func(from, to int) bool) {
	b.drop = func(from, to int, _ wire.Type, _ Frame) bool { return cut(from, to) }
}

package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

var catchUps = []body{
	{name: "a gap beyond the ring is pulled, and only what differs", run: beyondTheRing, once: true},
	{name: "a gap of more than 64 KiB is repaired", run: largeGap, once: true},
	{name: "who was cut off for long pays for what changed", run: shortAbsence, once: true},
	{name: "a table damaged on purpose is healed by buckets", run: damage, once: true},
}

// costs is what catching up took: whole records by transfer, and bytes by stream and datagrams.
type costs struct {
	records, streamed, datagrams uint64
}

func (m *member) costs() costs {
	t, c := m.TransferStats(), m.Counters()
	return costs{t.RecordsIn, t.BytesIn, c.BytesIn}
}

func (c costs) since(before costs) costs {
	return costs{c.records - before.records, c.streamed - before.streamed, c.datagrams - before.datagrams}
}

// fill writes sessions name 0 … n-1 of this size, on all nodes in turn, and waits until all hold them besides what they
// held.
func (b *testbed) fill(nodes []*member, name string, n, size int) {
	b.Helper()
	before := nodes[0].len()
	value := strings.Repeat("x", size-len(bodyMark))
	for i := range n {
		nodes[i%len(nodes)].put(fmt.Sprint(name, i), value)
	}
	b.allHold(nodes, before+n)
}

// alike waits until every node reads these sessions as the first does.
func (b *testbed) alike(nodes []*member, name string, n int) {
	b.Helper()
	for i := range n {
		want, found := nodes[0].get(fmt.Sprint(name, i))
		if !found {
			b.Fatalf("%s lost session %s%d", nodes[0].name, name, i)
		}
		b.allRead(nodes[1:], fmt.Sprint(name, i), want)
	}
}

// sameTables waits until all nodes hold the same, down to versions and tombstones.
func (b *testbed) sameTables(nodes []*member, limit time.Duration) {
	b.Helper()
	b.within(limit, "all nodes hold the same", func() bool {
		root := nodes[0].Table().Root()
		for _, m := range nodes[1:] {
			if m.Table().Root() != root {
				return false
			}
		}
		return true
	})
}

// awayFor cuts a node off while the others work, until they have given it up.
func (b *testbed) awayFor(m *member, others []*member, meanwhile func()) {
	b.Helper()
	b.net.cut(b.T, m.host)
	meanwhile()
	for _, o := range others {
		b.eventually(o.name+" gives up who is cut off", func() bool { return o.Peers() == len(others)-1 })
	}
}

func beyondTheRing(b *testbed) {
	const sessions, changed, rounds = 20_000, 500, 40 // 20,000 changes are far more than the 8192 that the log keeps
	nodes := b.hosts(3)
	b.fill(nodes, "s", sessions, 256)
	away := nodes[2]
	b.awayFor(away, nodes[:2], func() {
		for round := range rounds {
			for i := range changed {
				nodes[0].put(fmt.Sprint("s", i), fmt.Sprint("round ", round))
			}
		}
		for i := range changed {
			b.allRead(nodes[1:2], fmt.Sprint("s", i), fmt.Sprint("round ", rounds-1))
		}
	})
	before := away.costs()
	b.net.mend(b.T)
	b.sameTables(nodes, patience)
	b.alike(nodes, "s", changed)
	paid := away.costs().since(before)
	b.Logf("%d changes of %d of %d sessions cost %d records, %d bytes by stream, %d by datagram",
		changed*rounds, changed, sessions, paid.records, paid.streamed, paid.datagrams)
	if paid.records < changed || paid.records > 2*changed {
		b.Errorf("%d records were transferred for %d sessions changed of %d", paid.records, changed, sessions)
	}
	if skipped := nodes[0].TransferStats().PartsSkipped + nodes[1].TransferStats().PartsSkipped; skipped < sessions/2 {
		b.Errorf("%d parts of the table were left out, want most of about %d", skipped, sessions)
	}
	noDivergence(b, nodes)
}

func noDivergence(b *testbed, nodes []*member) {
	b.Helper()
	for _, m := range nodes {
		if n := m.Counters().Divergences; n != 0 {
			b.Errorf("%s counts %d divergences", m.name, n)
		}
	}
}

// A gap within the log whose repair exceeds what one request brings.
func largeGap(b *testbed) {
	const sessions, size = 600, 1000
	nodes := b.hosts(3)
	away := nodes[2]
	b.net.cut(b.T, away.host)
	value := strings.Repeat("y", size)
	for i := range sessions {
		nodes[0].put(fmt.Sprint("s", i), value)
	}
	b.allHold(nodes[:2], sessions)
	b.net.mend(b.T)
	b.sameTables(nodes, patience)
	b.alike(nodes, "s", sessions)
	if c := away.Counters(); c.RepairsIn+c.FetchesStarted == 0 {
		b.Error("nothing was repaired and nothing was pulled")
	}
	noDivergence(b, nodes)
}

// Beside the whole table the difference is small: its cost is shown in bytes.
func shortAbsence(b *testbed) {
	sessions, changed := 20_000, 20
	nodes := b.hosts(3)
	b.fill(nodes, "s", sessions, 512)
	away := nodes[2]
	before := away.costs()
	b.awayFor(away, nodes[:2], func() {
		for i := range changed {
			nodes[0].put(fmt.Sprint("s", i), "changed")
		}
	})
	before.datagrams = away.Counters().BytesIn
	b.net.mend(b.T)
	b.sameTables(nodes, patience)
	b.alike(nodes, "s", changed)
	paid := away.costs().since(before)
	b.Logf("%d of %d sessions changed: %d records, %d bytes by stream, %d by datagram", changed, sessions,
		paid.records, paid.streamed, paid.datagrams)
	if whole := uint64(sessions * 512); (paid.streamed+paid.datagrams)*50 > whole {
		b.Errorf("coming back cost %d bytes by stream and %d by datagram, of %d in all", paid.streamed, paid.datagrams, whole)
	}
	noDivergence(b, nodes)
}

// Two tables differ although no change is missing: nobody can repair that but the comparison of fingerprints.
func damage(b *testbed) {
	const sessions, damaged = 10_000, 3
	nodes := b.hosts(3)
	b.fill(nodes, "s", sessions, 256)
	b.sameTables(nodes, patience)
	var before [3]costs
	for i, m := range nodes {
		before[i] = m.costs()
	}
	for i := range damaged {
		corrupt(b, nodes[1], fmt.Sprint("s", i))
	}
	diverged := func(e engine.Event) bool { return e.Kind == engine.EventDivergence }
	b.within(40*time.Second, "somebody notices", func() bool {
		return nodes[0].told(diverged)+nodes[1].told(diverged)+nodes[2].told(diverged) > 0
	})
	b.sameTables(nodes, patience)
	b.alike(nodes, "s", damaged)
	for i, m := range nodes {
		if got, _ := m.get("s0"); got != "damaged" {
			b.Errorf("%s reads %q where the later version is", m.name, got)
		}
		paid, n := m.costs().since(before[i]), uint64(m.told(diverged))
		if c := m.Counters().Divergences; c != n {
			b.Errorf("%s told of %d divergences and counted %d", m.name, n, c)
		}
		if most := n * damaged * 8; paid.records > most {
			b.Errorf("%s took %d records for %d damaged sessions", m.name, paid.records, damaged)
		}
	}
}

// corrupt alters a session on one node without a change that the others could learn of: as a bug or a flipped bit would.
func corrupt(b *testbed, m *member, name string) {
	b.Helper()
	var s record.State
	if !m.Table().Load(key(name), &s) {
		b.Fatalf("%s has no %s to damage", m.name, name)
	}
	value := &s.Births[0].Value
	value.At += 1 << 16
	value.Bytes = []byte(bodyMark + "damaged")
	value.Hash = record.ContentHash(value.Type, value.Owner, value.Bytes)
	if got := m.Table().Merge(now(), key(name), &s); got != table.Applied {
		b.Fatalf("the damage to %s: %v", name, got)
	}
	if m.State() != wire.Synced {
		b.Fatalf("%s is %v", m.name, m.State())
	}
}

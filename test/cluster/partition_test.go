package cluster

import (
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/table"
)

var partitions = []body{
	{name: "two halves that worked apart become one", run: halves, once: true},
	{name: "a flush during a partition", run: flushApart},
	{name: "a login right after a flush or a destroy elsewhere", run: loginAfterFlush},
	{name: "a logout during a partition, with a touch and a write elsewhere", run: logoutApart},
	{name: "a destroy before the create arrived", run: destroyFirst},
	{name: "who is cut off for a moment disturbs nobody", run: suspended, much: true},
	{name: "halves that meet after longer than a tombstone is kept", run: longApart, long: true},
}

// separate cuts a and b from c and d, and waits until the halves have given each other up.
func (b *testbed) separate(nodes []*member) {
	b.Helper()
	b.net.cut(b.T, 0, 1)
	for _, m := range nodes {
		b.eventually(m.name+" sees its half only", func() bool { return m.Peers() == 1 })
	}
}

func halves(b *testbed) {
	const sessions, changed = 8000, 6000
	nodes := b.hosts(4)
	b.fill(nodes, "s", sessions, 256)
	b.separate(nodes)
	for i := range changed { // both halves change the same ones: the later wins everywhere
		nodes[i%2].put(fmt.Sprint("s", i), "left")
		nodes[2+i%2].put(fmt.Sprint("s", i), "right")
		nodes[i%4].put(fmt.Sprint("new ", i), "1")
	}
	b.net.mend(b.T)
	mended := time.Now()
	b.sameTables(nodes, 5*time.Second)
	b.Logf("healed in %v", time.Since(mended).Round(time.Millisecond))
	b.allHold(nodes, sessions+changed)
	b.alike(nodes, "s", sessions)
	noDivergence(b, nodes)
}

// What was there before the flush, on either side, is gone; what was written after it stays.
func flushApart(b *testbed) {
	nodes := b.hosts(4)
	b.fill(nodes, "s", 500, 64)
	b.separate(nodes)
	nodes[2].put("before", "1")
	b.allRead(nodes[2:], "before", "1")
	if _, err := nodes[0].Table().Flush(now(), 0); err != nil {
		b.Fatal(err)
	}
	b.allMiss(nodes[:2], "s7")
	nodes[1].put("after", "2")
	b.net.mend(b.T)
	b.sameTables(nodes, patience)
	b.allHold(nodes, 1)
	b.allRead(nodes, "after", "2")
	b.allMiss(nodes, "before")
}

// Who has heard of a flush, or a destroy, stamps what it creates above it, though that is stamped seconds ahead.
func loginAfterFlush(b *testbed) {
	nodes := b.hosts(4)
	for round := range 12 {
		from, login := nodes[round%4], fmt.Sprint(round)
		from.put("s", login)
		b.allRead(nodes, "s", login)
		seq, err := from.Table().Flush(now(), 0)
		if err != nil {
			b.Fatal(err)
		}
		from.confirmed(seq)
		for _, m := range nodes {
			m.put("of "+m.name, login)
		}
		for _, m := range nodes {
			b.allRead(nodes, "of "+m.name, login)
		}
		b.allMiss(nodes, "s")

		gone := "gone " + login
		from.put(gone, login)
		b.allRead(nodes, gone, login)
		res, err := from.Table().Destroy(now(), key(gone), true)
		if err != nil {
			b.Fatal(err)
		}
		from.confirmed(res.Seq)
		again := &table.Write{Value: []byte(bodyMark + "again"), Due: now() + time.Hour.Milliseconds(), If: table.IfAbsent, Explicit: true}
		if res, err := nodes[(round+1)%4].Table().Put(now(), key(gone), again); err != nil || !res.Done {
			b.Fatalf("created again: %v, %v", res.Done, err)
		}
		b.allRead(nodes, gone, "again")
		b.allHold(nodes, len(nodes)+1)
	}
	b.sameTables(nodes, patience)
}

// confirmed waits until all peers hold a change.
func (m *member) confirmed(seq uint64) {
	m.bed.Helper()
	if peers := m.AwaitSync(m.bed.Context(), seq, node.AckAll, m.bed.bound(patience)); peers != m.Peers() {
		m.bed.Fatalf("%d of %d peers confirm a change of %s", peers, m.Peers(), m.name)
	}
}

// Logout wins over what other nodes did to the session without knowing of it.
func logoutApart(b *testbed) {
	nodes := b.hosts(4)
	b.fill(nodes, "s", 10, 64)
	b.separate(nodes)
	nodes[0].destroy("s1")
	b.allMiss(nodes[:2], "s1")
	if res, err := nodes[2].Table().Expire(now(), key("s1"), now()+7_200_000, table.ExpireAlways); err != nil || !res.Existed {
		b.Fatalf("a touch in the other half: existed is %v, %v", res.Existed, err)
	}
	nodes[3].put("s1", "written by a request on its way")
	b.allRead(nodes[2:], "s1", "written by a request on its way")
	b.net.mend(b.T)
	b.allMiss(nodes, "s1")
	b.sameTables(nodes, patience)
	b.allMiss(nodes, "s1")
	b.allHold(nodes, 9)
}

// The logout is made on a node that has not heard of the session yet.
func destroyFirst(b *testbed) {
	nodes := b.hosts(4)
	b.net.cut(b.T, 3)
	nodes[3].put("s", "logged in")
	nodes[0].destroy("s") // unknown here: the create is on its way
	b.allRead(nodes[3:], "s", "logged in")
	b.net.mend(b.T)
	b.allMiss(nodes, "s")
	b.sameTables(nodes, patience)
	b.allMiss(nodes, "s")
}

// The others' writes are acknowledged meanwhile, without a wait, and afterwards it knows what it missed without being told to look.
func suspended(b *testbed) {
	nodes := b.hosts(4)
	b.net.cut(b.T, 3)
	var degraded, slow int
	const writes = 200
	for i := range writes {
		start := time.Now()
		seq := nodes[0].put(fmt.Sprint("s", i), "1")
		if nodes[0].AwaitSync(b.Context(), seq, 1, b.bound(50*time.Millisecond)) < 1 {
			degraded++
		}
		if b.virtual() && time.Since(start) > 40*time.Millisecond {
			slow++
		}
	}
	if degraded > 0 || slow > 2 {
		b.Errorf("of %d writes %d were not acknowledged, %d were slow, while a fourth node was cut off", writes, degraded, slow)
	}
	b.net.mend(b.T)
	b.within(5*time.Second, "it knows what it missed", func() bool { return nodes[3].len() == writes })
	b.sameTables(nodes, patience)
}

// Logouts of both halves stick though nobody holds a tombstone any more; what each half made lives on in both.
func longApart(b *testbed) {
	list := specs(4)
	for i := range list {
		list[i].keep = time.Second
	}
	nodes := b.start(list...)
	b.fill(nodes, "s", 500, 64)
	b.separate(nodes)
	nodes[0].destroy("s1")
	nodes[2].destroy("s2")
	nodes[1].put("left", "1")
	nodes[3].put("right", "2")
	for _, m := range nodes {
		b.within(2*time.Minute, m.name+" keeps no tombstone", func() bool { return m.Table().Stats().Tombstones == 0 })
	}
	nodes[3].put("s1", "kept alive")
	nodes[1].put("s2", "kept alive")
	b.net.mend(b.T)
	b.sameTables(nodes, patience)
	b.allMiss(nodes, "s1")
	b.allMiss(nodes, "s2")
	b.allRead(nodes, "left", "1")
	b.allRead(nodes, "right", "2")
	b.allHold(nodes, 500)
	for _, m := range nodes {
		if n := m.told(func(e engine.Event) bool { return e.Kind == engine.EventEnded && e.Sessions == 1 }); n != 1 {
			b.Errorf("%s told %d times that a session ended elsewhere", m.name, n)
		}
	}
	noDivergence(b, nodes)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/node"
)

var donors = []body{
	{name: "a donor dies midway", run: func(b *testbed) { loseDonor(b, (*member).kill) }, once: true},
	{name: "a donor falls silent midway", run: func(b *testbed) { loseDonor(b, (*member).cutOff) }, once: true},
	{name: "the only donor leaves midway", run: onlyDonorLeaves, once: true},
	{name: "the only donor dies midway", run: onlyDonorDies, once: true},
	{name: "two join while their donor dies", run: twoJoiners, once: true},
	{name: "three nodes start at the same instant", run: atOnce},
	{name: "every node restarts under load", run: rollingRestart, once: true},
	{name: "all but one die and come back", run: lastOne},
}

func (m *member) kill() { m.Kill() }

func (m *member) cutOff() { m.bed.net.cut(m.bed.T, m.host) }

// given is what these nodes have given so far.
func given(nodes []*member) (records []uint64) {
	for _, m := range nodes {
		records = append(records, m.TransferStats().RecordsOut)
	}
	return records
}

// giver is the node among these that has given something since.
func giver(nodes []*member, since []uint64) *member {
	for i, m := range nodes {
		if m.TransferStats().RecordsOut > since[i] {
			return m
		}
	}
	return nil
}

const (
	joinSessions = 60_000 // so that the donor is lost before it has given all
	joinBytes    = 1024
)

// The transfer goes on with the next donor where it was, rather than from the start.
func loseDonor(b *testbed, lose func(*member)) {
	nodes := b.hosts(3)
	b.fill(nodes, "s", joinSessions, joinBytes)
	before := given(nodes)
	joiner := b.open(spec{name: "d", host: 3})
	b.eventually("some have come", func() bool { return joiner.len() >= joinSessions/50 }) // losing the donor takes a while, too
	donor := giver(nodes, before)
	came := joiner.TransferStats().BytesIn
	lose(donor)
	midway := joiner.len()
	joiner.synced()
	b.holds(joiner, joinSessions)
	b.alike([]*member{joiner}, "s", joinSessions)
	t, c := joiner.TransferStats(), joiner.Counters()
	b.Logf("donor lost after %d sessions, %d bytes; %d bytes after that; %d transfers, %d failed",
		midway, came, t.BytesIn-came, c.FetchesStarted, c.FetchesFailed)
	if c.FetchesFailed == 0 {
		if _, noSockets := b.net.(*memory); noSockets {
			b.Fatal("the transfer did not mind that its donor was lost")
		}
		b.Skip( // what the donor had sent before may have waited in the sockets
			"the transfer was over before the donor was lost")
	}
	if t.RecordsIn > uint64(joinSessions+midway/2) {
		b.Errorf("%d records were transferred for %d sessions, %d of them before: the second donor started over", t.RecordsIn, joinSessions, midway)
	}
}

// halfSessions are no more than a donor can give within the eight seconds that it waits as it leaves.
func halfSessions() int {
	if raced {
		return joinSessions / 5
	}
	return joinSessions
}

// half is a cluster of one node, and one that has a third of its sessions.
func half(b *testbed) (donor, joiner *member) {
	nodes := b.hosts(1)
	b.fill(nodes, "s", halfSessions(), joinBytes)
	joiner = b.open(spec{name: "b", host: 1})
	b.eventually("a third has come", func() bool { return joiner.len() >= halfSessions()/3 })
	return nodes[0], joiner
}

func is(kind engine.EventKind) func(engine.Event) bool {
	return func(e engine.Event) bool { return e.Kind == kind }
}

// Who says goodbye waits for who can get the sessions from it only, for eight seconds. A machine that is busy elsewhere may need more to move them:
// then both must say so.
func onlyDonorLeaves(b *testbed) {
	donor, joiner := half(b)
	midway := joiner.len()
	err := donor.Close(context.Background())
	joiner.synced()
	if errors.Is(err, node.ErrLeftEarly) && !b.virtual() {
		b.eventually("the joiner tells that it lacks some, or has all", func() bool {
			return joiner.told(is(engine.EventIncomplete)) == 1 || joiner.len() == halfSessions()
		})
		b.Skip("the donor left before the joiner had all, and said so")
	}
	if err != nil {
		b.Error("the donor left before the joiner had all:", err)
	}
	b.holds(joiner, halfSessions())
	if midway >= halfSessions() || joiner.told(is(engine.EventIncomplete)) > 0 {
		b.Errorf("the donor left at %d sessions; the joiner told %d times that it lacks some", midway, joiner.told(is(engine.EventIncomplete)))
	}
}

// Who dies cannot: the joiner serves what it has, and says what is missing.
func onlyDonorDies(b *testbed) {
	donor, joiner := half(b)
	donor.kill()
	joiner.synced()
	has, lost := joiner.len(), joiner.Incomplete()
	b.Logf("the donor died at %d sessions of %d: %+v", has, halfSessions(), lost)
	if has >= halfSessions() {
		b.Skip("the transfer was over before the donor was lost")
	}
	missing := uint64(halfSessions() - has)
	if lost.Since.IsZero() || lost.Sessions < missing*3/4 || lost.Sessions > missing*5/4 {
		b.Errorf("%d sessions are missing, and the node knows of %+v", missing, lost)
	}
	b.eventually("it is told once", func() bool { return joiner.told(is(engine.EventIncomplete)) == 1 })
}

func twoJoiners(b *testbed) {
	nodes := b.start(spec{name: "a", host: 0}, spec{name: "b", host: 1}, spec{name: "e", host: 0})
	b.fill(nodes, "s", joinSessions, joinBytes)
	before := given(nodes)
	joiners := []*member{b.open(spec{name: "c", host: 2}), b.open(spec{name: "d", host: 3})}
	b.eventually("a fifth has come to both", func() bool {
		return joiners[0].len() >= joinSessions/5 && joiners[1].len() >= joinSessions/5
	})
	giver(nodes, before).Kill()
	for _, j := range joiners {
		j.synced()
		b.holds(j, joinSessions)
	}
	b.sameTables(joiners, patience)
}

// Nobody was there first: each finds itself alone or meets others, and none waits for another for ever.
func atOnce(b *testbed) {
	const each = 100
	nodes := make([]*member, 3)
	for i, s := range specs(3) {
		nodes[i] = b.open(s)
	}
	for i := range each {
		for _, m := range nodes { // before any is synced
			m.put(fmt.Sprint(m.name, i), m.name)
		}
	}
	for _, m := range nodes {
		m.synced()
	}
	b.allHold(nodes, 3*each)
	b.sameTables(nodes, patience)
}

// load writes sessions one after another, on whichever node is up, and keeps those that a peer acknowledged.
type load struct {
	up    atomic.Pointer[member]
	mu    sync.Mutex
	acked []string
}

// run returns a function that ends it.
func (l *load) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			m, name := l.up.Load(), fmt.Sprint("load ", i)
			seq, err := m.tryPut(name, name)
			if err == nil && m.AwaitSync(ctx, seq, 1, 50*time.Millisecond) >= 1 {
				l.note(name)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

func (l *load) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, name)
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// rollingRestart kills every node in turn, the one that is written to at that moment too, and starts it again.
func rollingRestart(b *testbed) {
	nodes := b.hosts(3)
	b.fill(nodes, "s", 2000, 512)
	var l load
	for round := range 2 {
		for i := range nodes {
			// In the first round the one that takes the writes dies, in the second another.
			l.up.Store(nodes[(i+round)%3])
			had := l.count()
			stop := l.run()
			b.eventually("writes are acknowledged", func() bool { return l.count() > had+100 })
			nodes[i].Kill()
			l.up.Store(nodes[(i+1)%3])
			had = l.count()
			b.eventually("writes are acknowledged without it", func() bool { return l.count() > had+10 })
			nodes[i] = b.open(spec{name: nodes[i].name, host: nodes[i].host})
			nodes[i].synced()
			b.eventually("it is counted again", func() bool { return nodes[(i+1)%3].Peers() == 2 && nodes[i].Peers() == 2 })
			stop()
		}
	}
	b.sameTables(nodes, patience)
	for _, name := range l.acked {
		b.allRead(nodes, name, name)
	}
	b.alike(nodes, "s", 2000)
	b.Logf("%d acknowledged writes over %d deaths, none lost", len(l.acked), 2*len(nodes))
}

func lastOne(b *testbed) {
	nodes := b.hosts(3)
	b.fill(nodes, "s", 1000, 512)
	nodes[1].Kill()
	nodes[2].Kill()
	for i := range 100 {
		nodes[0].put(fmt.Sprint("alone ", i), "1")
		nodes[0].destroy(fmt.Sprint("s", i))
	}
	nodes[1], nodes[2] = b.open(spec{name: "b", host: 1}), b.open(spec{name: "c", host: 2})
	nodes[1].synced()
	nodes[2].synced()
	b.allHold(nodes, 1000)
	b.sameTables(nodes, patience)
	nodes[0].Kill() // and what only it had survives it
	nodes[0] = b.open(spec{name: "a", host: 0})
	nodes[0].synced()
	b.allHold(nodes, 1000)
	b.allMiss(nodes, "s7")
	b.allRead(nodes, "alone 7", "1")
	b.sameTables(nodes, patience)
}

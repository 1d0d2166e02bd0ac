package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// maxHosts is how many hosts a body may use.
const maxHosts = 4

// body is one thing that users rely on.
type body struct {
	name string
	run  func(*testbed)
	once bool // over IPv4 only, and without the race detector: what it shows does not depend on the family, and it moves much or takes its time
	much bool // without the race detector only, or it measures time
	long bool // in virtual time only
}

var bodies = slices.Concat(basics, catchUps, donors, partitions, clocks, logouts)

var basics = []body{
	{name: "a lone write reaches all", run: loneWrite},
	{name: "updates from every node reach all", run: updates},
	{name: "a logout sticks", run: logout},
	{name: "lost datagrams are repaired", run: repair},
	{name: "a fourth node joins 10000 sessions", run: func(b *testbed) { join(b, 0) }, much: true},
	{name: "a fourth node joins 10000 sessions with 1 percent loss", run: func(b *testbed) { join(b, 1) }, much: true},
	{name: "a node is killed and comes back", run: restart},
	{name: "clusters with different keys stay apart", run: differentKeys},
	{name: "clusters with different names share a port", run: differentNames},
	{name: "several nodes share a host", run: oneHost},
	{name: "a value of 1 MiB reaches all", run: func(b *testbed) { large(b, 0) }},
	{name: "a value of 1 MiB reaches all with 1 percent loss", run: func(b *testbed) { large(b, 1) }},
	{name: "a goodbye is heard", run: goodbye},
}

func loneWrite(b *testbed) {
	nodes := b.hosts(3)
	for _, m := range nodes {
		seq := m.put("of "+m.name, "1")
		if peers := m.AwaitSync(context.Background(), seq, node2, b.bound(time.Second)); peers != node2 {
			b.Errorf("%d peers acknowledged a write of %s, want %d", peers, m.name, node2)
		}
		for _, other := range nodes {
			if got, _ := other.get("of " + m.name); got != "1" {
				b.Errorf("%s reads %q of what it acknowledged to %s", other.name, got, m.name)
			}
		}
	}
}

// node2 is the two peers that a node among three has.
const node2 = 2

func updates(b *testbed) {
	nodes := b.hosts(3)
	for round := range 100 {
		for _, m := range nodes { // at the same time: whose stamp is the highest wins
			m.put("s", fmt.Sprint(m.name, " in round ", round))
		}
	}
	b.eventually("all read one of the last writes", func() bool {
		value := nodes[0].held("s")
		return strings.HasSuffix(value, " in round 99") && nodes[1].held("s") == value && nodes[2].held("s") == value
	})
	for _, m := range nodes { // one after the other: the last one wins
		seq := m.put("s", "last of "+m.name)
		m.AwaitSync(context.Background(), seq, node2, b.bound(patience))
		b.allRead(nodes, "s", "last of "+m.name)
	}
}

func (m *member) held(name string) string {
	value, _ := m.get(name)
	return value
}

func logout(b *testbed) {
	nodes := b.hosts(3)
	nodes[0].put("s", "logged in")
	b.allRead(nodes, "s", "logged in")
	nodes[1].destroy("s")
	b.allMiss(nodes, "s")
	for _, m := range nodes {
		if _, err := m.tryPut("s", "back"); !errors.Is(err, table.ErrDestroyed) {
			b.Errorf("a SET on %s after the logout: %v, want ErrDestroyed", m.name, err)
		}
		if res, err := m.Table().Expire(now(), key("s"), now()+1000, table.ExpireAlways); err != nil || res.Existed {
			b.Errorf("a touch on %s after the logout: existed is %v, %v", m.name, res.Existed, err)
		}
	}
	nodes[2].Kill()
	again := b.open(spec{name: "c", host: 2})
	again.synced()
	for _, m := range []*member{nodes[0], nodes[1], again} {
		if _, found := m.get("s"); found {
			b.Errorf("the session is back on %s", m.name)
		}
	}
}

func repair(b *testbed) {
	nodes := b.hosts(3)
	b.net.lose(b.T, 5)
	const each, rounds = 1000, 20
	var repairs, divergences uint64
	// A loss takes a whole segmented send, some forty datagrams of one run: a round of writes has few of them, and may lose none.
	for round := 0; repairs == 0 && round < rounds; round++ {
		for i := range each {
			for _, m := range nodes {
				m.put(fmt.Sprint(m.name, round, " ", i), "1")
			}
		}
		b.allHold(nodes, (round+1)*len(nodes)*each)
		repairs, divergences = 0, 0
		for _, m := range nodes {
			c := m.Counters()
			repairs += c.RepairsIn
			divergences += c.Divergences
		}
	}
	if repairs == 0 {
		b.Errorf("nothing was repaired in %d rounds: nothing was lost", rounds)
	}
	if divergences != 0 {
		b.Errorf("%d divergences", divergences)
	}
}

func (b *testbed) allHold(nodes []*member, want int) {
	b.Helper()
	for _, m := range nodes {
		b.holds(m, want)
	}
}

func (b *testbed) holds(m *member, want int) {
	b.Helper()
	defer func() {
		if b.Failed() {
			b.Logf("%s holds %d of %d; %+v; members %+v", m.name, m.len(), want, m.Counters(), m.Members())
		}
	}()
	b.eventually(fmt.Sprintf("%s holds all %d sessions", m.name, want), func() bool { return m.len() >= want })
	if m.len() != want {
		b.Errorf("%s holds %d sessions, more than the %d written", m.name, m.len(), want)
	}
}

func join(b *testbed, lossPercent float64) {
	nodes := b.hosts(3)
	b.net.lose(b.T, lossPercent)
	const sessions = 10_000
	body := strings.Repeat("x", 1024-len(bodyMark)-5)
	for i := range sessions {
		nodes[i%3].put(fmt.Sprint("n", i), fmt.Sprintf("%05d%s", i, body))
	}
	fourth := b.open(spec{name: "d", host: 3})
	fourth.synced()
	all := append(nodes, fourth)
	b.allHold(all, sessions)
	for i := range sessions {
		for _, m := range all {
			if got := m.held(fmt.Sprint("n", i)); got != fmt.Sprintf("%05d%s", i, body) {
				b.Fatalf("%s reads session %d as %.20q…", m.name, i, got)
			}
		}
	}
}

func restart(b *testbed) {
	nodes := b.hosts(3)
	for i := range 300 {
		nodes[i%3].put(fmt.Sprint("before ", i), "1")
	}
	b.allHold(nodes, 300)
	nodes[0].Kill()
	for i := range 300 {
		nodes[1].put(fmt.Sprint("meanwhile ", i), "2")
	}
	for i := range 100 {
		nodes[2].destroy(fmt.Sprint("before ", i))
	}
	again := b.open(spec{name: "a", host: 0})
	b.within(5*time.Second, "the killed node has every session again", func() bool { return again.Ready() && again.len() == 500 })
	all := []*member{again, nodes[1], nodes[2]}
	b.allMiss(all, "before 7")
	again.put("after", "3")
	b.allRead(all, "after", "3")
	b.eventually("the dead incarnation is no peer any more", func() bool { return nodes[1].Peers() == 2 && nodes[2].Peers() == 2 })
}

func differentKeys(b *testbed) {
	one, other := b.open(spec{name: "a", host: 0, key: 1}), b.open(spec{name: "b", host: 1, key: 2})
	one.synced()
	other.synced()
	one.put("s", "of one")
	other.put("t", "of the other")
	otherKey := func(e engine.Event) bool { return e.Kind == engine.EventOtherKey }
	for _, m := range []*member{one, other} {
		b.eventually(m.name+" drops what has another key", func() bool { return m.Counters().DropKey >= 10 })
		if n := m.told(otherKey); n != 1 {
			b.Errorf("%s said %d times that there is another key, want once", m.name, n)
		}
		if m.len() != 1 || len(m.Members()) != 1 || m.Peers() != 0 {
			b.Errorf("%s has %d sessions, %d members and %d peers, want 1, 1 and 0", m.name, m.len(), len(m.Members()), m.Peers())
		}
	}
}

func differentNames(b *testbed) {
	var clusters [2][]*member
	for i, name := range []string{"shop", "forum"} {
		clusters[i] = b.start(spec{name: "a", host: 0, cluster: name}, spec{name: "b", host: 1, cluster: name})
	}
	for i, nodes := range clusters {
		nodes[0].put(fmt.Sprint("s", i), "1")
		b.allRead(nodes, fmt.Sprint("s", i), "1")
	}
	for i, nodes := range clusters {
		for _, m := range nodes {
			if m.len() != 1 || len(m.Members()) != 2 || m.Counters().DropKey != 0 {
				b.Errorf("%s of cluster %d: %d sessions, %d members, %d datagrams with another key", m.name, i, m.len(),
					len(m.Members()), m.Counters().DropKey)
			}
		}
	}
}

func oneHost(b *testbed) {
	nodes := b.start(spec{name: "a"}, spec{name: "b"}, spec{name: "c"}, spec{name: "d", host: 1})
	ports := map[uint16]bool{}
	for _, m := range nodes[:3] {
		ports[m.Addr().Port()] = true
	}
	if len(ports) != 3 {
		b.Errorf("three nodes of a host have the ports %v", ports)
	}
	for _, m := range nodes {
		m.put(m.name, "1")
	}
	b.allHold(nodes, 4)
}

func large(b *testbed, lossPercent float64) {
	nodes := b.hosts(3)
	b.net.lose(b.T, lossPercent)
	value := strings.Repeat("0123456789abcdef", record.MaxValue/16)[len(bodyMark):]
	nodes[0].put("large", value)
	b.allRead(nodes, "large", value)
	nodes[1].put("large", "small")
	b.allRead(nodes, "large", "small")
}

// A goodbye ends a member at once; silence would take four seconds, and is no leaving.
func goodbye(b *testbed) {
	nodes := b.hosts(3)
	seq := nodes[0].put("s", "last words")
	if seq == 0 {
		b.Error("no dot")
	}
	if err := nodes[0].Close(context.Background()); err != nil {
		b.Error(err)
	}
	dead := func(e engine.Event) bool {
		return e.Kind == engine.EventMember && e.State == wire.Dead && e.Member.Name == "a" && e.Member.Left
	}
	for _, m := range nodes[1:] {
		b.within(time.Second, m.name+" hears the goodbye", func() bool { return m.told(dead) == 1 && m.Peers() == 1 })
		if got, _ := m.get("s"); got != "last words" {
			b.Errorf("%s reads %q, written before the goodbye", m.name, got)
		}
	}
}

//go:build linux

package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dnstest"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/internal/peers"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// reachability is what nodes do where multicast does not reach all of them, on the kernel's own sockets.
var reachability = []struct {
	name string
	run  func(b *testbed, n bridge)
}{
	{"multicast that dies is replaced by copies, and comes back", multicastDies},
	{"one host that hears no multicast gets copies", oneDeafHost},
	{"nodes without multicast find each other by a name whose answers change", byName},
	{"one configured peer is enough", byOnePeer},
	{"two that cannot talk to each other converge through the third", chain},
	{"a cut in one direction is named, and what is written arrives", oneWay},
	{"who starts behind a firewall that passes multicast waits, and says why", shutOut},
	{"a cut in one direction is named by both sides", oneWayByUnicast},
	{"unicast that is shut on a node that is synced is named by all it concerns", shutLater},
}

func TestReachabilityInNamespaces(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		for _, c := range reachability {
			t.Run(use+"/"+c.name, func(t *testing.T) {
				t.Parallel() // they mostly wait
				nstest.Run(t, maxHosts, func(t *testing.T, n *nstest.Net) {
					on := bridge{n, use}
					runOn(t, on, func(b *testbed) { c.run(b, on) })
				})
			})
		}
	}
}

func (b bridge) addr(i int) netip.Addr {
	if b.use == "v6" {
		return b.net.Addr6(i)
	}
	return b.net.Addr4(i)
}

// toldOf counts a member's events of a kind about another.
func (m *member) toldOf(kind engine.EventKind, about string) int {
	return m.told(func(e engine.Event) bool { return e.Kind == kind && e.Member.Name == about })
}

// acknowledged writes on every node, and wants all others to have it within a moment.
func (b *testbed) acknowledged(nodes []*member, round string) {
	b.Helper()
	for _, m := range nodes {
		name := fmt.Sprint(round, " of ", m.name)
		seq := m.put(name, round)
		if got := m.AwaitSync(context.Background(), seq, len(nodes)-1, b.bound(time.Second)); got != len(nodes)-1 {
			b.Errorf("%s: %d peers acknowledged, want %d", name, got, len(nodes)-1)
		}
		b.allRead(nodes, name, round)
	}
}

func (b *testbed) noDeaths(nodes []*member) {
	b.Helper()
	for _, m := range nodes {
		if n := m.told(func(e engine.Event) bool { return e.Kind == engine.EventMember && e.State.String() == "dead" }); n > 0 {
			b.Errorf("%s called %d peers dead", m.name, n)
		}
	}
}

func multicastDies(b *testbed, n bridge) {
	nodes := b.hosts(3)
	b.acknowledged(nodes, "before")
	for i := range nodes {
		n.net.Multicast(i, false)
	}
	for _, m := range nodes {
		for _, other := range nodes {
			if m != other {
				b.eventually(m.name+" tells that "+other.name+" gets copies", func() bool { return m.toldOf(engine.EventCopies, other.name) == 1 })
			}
		}
	}
	b.acknowledged(nodes, "without")
	for i := range nodes {
		n.net.Multicast(i, true)
	}
	for _, m := range nodes {
		for _, other := range nodes {
			if m != other {
				b.eventually(m.name+" tells that "+other.name+" hears it again", func() bool { return m.toldOf(engine.EventNoCopies, other.name) == 1 })
			}
		}
	}
	b.acknowledged(nodes, "again")
	b.noDeaths(nodes)
}

func oneDeafHost(b *testbed, n bridge) {
	nodes := b.hosts(4)
	n.net.Multicast(2, false)
	for _, m := range nodes {
		if m.name != "c" {
			b.eventually(m.name+" tells that c gets copies", func() bool { return m.toldOf(engine.EventCopies, "c") == 1 })
		}
	}
	b.acknowledged(nodes, "mixed")
	for _, m := range nodes {
		if all := m.told(func(e engine.Event) bool { return e.Kind == engine.EventCopies }); all > 1 || m.name == "c" && all > 0 {
			b.Errorf("%s told of %d peers that do not hear it", m.name, all)
		}
	}
	b.noDeaths(nodes)
}

// unicastOnly is a node that finds others by these peers.
func unicastOnly(dns *dnstest.Server, list ...string) func(*node.Config) {
	return func(c *node.Config) {
		c.Mode, c.Peers = engine.ModeUnicast, peers.Config{List: list, Interval: 100 * time.Millisecond}
		if dns != nil {
			c.Peers.Resolver = dns.Resolver()
		}
	}
}

func byName(b *testbed, n bridge) {
	for i := range maxHosts {
		n.net.Multicast(i, false)
	}
	dns := dnstest.Start(b, "127.0.0.1:0") // outside of the hosts, as lookups are
	dns.Set("nodes.test", n.addr(0))
	find := unicastOnly(dns, "nodes.test.")
	nodes := b.start(spec{name: "a", host: 0, change: find}, spec{name: "b", host: 1, change: find})
	b.acknowledged(nodes, "two")

	dns.Fail(true) // meanwhile nothing is forgotten
	b.eventually("a says that its peers cannot be looked up", func() bool { return len(nodes[0].PeerProblems()) == 1 })
	b.acknowledged(nodes, "no dns")
	dns.Fail(false)

	nodes[0].Kill() // and its address goes from the name, as that of a pod that was moved
	dns.Set("nodes.test", n.addr(1), n.addr(2), n.addr(3))
	c := b.open(spec{name: "c", host: 2, change: find})
	d := b.open(spec{name: "d", host: 3, change: find})
	rest := []*member{nodes[1], c, d}
	for _, m := range rest {
		m.synced()
		b.eventually(m.name+" knows the others", func() bool { return m.Peers() == 2 })
	}
	b.allRead(rest, "two of a", "two")
	b.acknowledged(rest, "three")
}

func byOnePeer(b *testbed, n bridge) {
	for i := range maxHosts {
		n.net.Multicast(i, false)
	}
	var list []spec
	for _, s := range specs(4) {
		s.change = unicastOnly(nil, n.addr(1).String())
		list = append(list, s)
	}
	nodes := b.start(list...)
	b.acknowledged(nodes, "all")
	b.noDeaths(nodes)
}

// Two of three are cut from each other, and each talks with the third: nobody is dead, each says whom it does not hear, and all
// that is written arrives by way of the third.
func chain(b *testbed, n bridge) {
	nodes := b.hosts(3)
	b.acknowledged(nodes, "before")
	n.net.Block(0, 2)
	n.net.Block(2, 0)
	throughOthers(b, nodes, "chain")
	for _, pair := range [][2]int{{0, 2}, {2, 0}} {
		m, other := nodes[pair[0]], nodes[pair[1]]
		b.eventually(m.name+" tells that it does not hear "+other.name, func() bool { return m.toldOf(engine.EventUnheard, other.name) == 1 })
		if told := nodes[1].toldOf(engine.EventUnheard, other.name); told > 0 {
			b.Errorf("the one in the middle told %d times that it does not hear %s", told, other.name)
		}
	}
	throughOthers(b, nodes, "while it lasts")
	b.healed(n, nodes)
}

// One of three does not hear another, who hears it.
func oneWay(b *testbed, n bridge) {
	nodes := b.hosts(3)
	b.acknowledged(nodes, "before")
	n.net.Block(0, 2)
	throughOthers(b, nodes, "one way")
	b.eventually("a tells that it does not hear c", func() bool { return nodes[0].toldOf(engine.EventUnheard, "c") == 1 })
	throughOthers(b, nodes, "while it lasts")
	b.healed(n, nodes)
}

// throughOthers writes on every node, updates and ends what others wrote, and wants it on all others within seconds.
func throughOthers(b *testbed, nodes []*member, round string) {
	b.Helper()
	for i, m := range nodes {
		name := fmt.Sprint(round, " of ", m.name)
		m.put(name, "made")
		b.allRead(nodes, name, "made")
		next := nodes[(i+1)%len(nodes)]
		next.put(name, "changed")
		b.allRead(nodes, name, "changed")
		nodes[(i+2)%len(nodes)].destroy(name)
		b.allMiss(nodes, name)
	}
}

// healed ends the cuts: who was not heard is heard, nobody was ever taken for dead, and all tables are alike.
func (b *testbed) healed(n bridge, nodes []*member) {
	b.Helper()
	for i := range nodes {
		n.net.Unblock(i)
	}
	for _, m := range nodes {
		for _, other := range nodes {
			b.eventually(m.name+" hears "+other.name, func() bool {
				return m.toldOf(engine.EventUnheard, other.name) == m.toldOf(engine.EventHeard, other.name)
			})
		}
	}
	b.acknowledged(nodes, "healed")
	b.sameTables(nodes, patience)
	b.noDeaths(nodes)
	noDivergence(b, nodes)
}

// shutOut: host 2's firewall lets nothing in but multicast. The node there hears the others, and starts neither alone nor empty.
func shutOut(b *testbed, n bridge) {
	nodes := b.hosts(2)
	b.acknowledged(nodes, "before")
	n.net.Unicast(2, false)
	c := b.open(spec{name: "c", host: 2})
	b.eventually("c names both", func() bool {
		return c.toldOf(engine.EventUnproven, "a") == 1 && c.toldOf(engine.EventUnproven, "b") == 1
	})
	for _, m := range nodes {
		b.eventually(m.name+" names c", func() bool { return m.toldOf(engine.EventUnproven, "c") == 1 })
	}
	if c.State() != wire.Joining || len(c.Unproven()) != 2 || c.told(func(e engine.Event) bool { return e.Kind == engine.EventSynced }) != 0 {
		b.Fatalf("c is %v, and hears %+v", c.State(), c.Unproven())
	}
	b.acknowledged(nodes, "meanwhile")
	n.net.Unicast(2, true)
	c.synced()
	b.allRead(append(nodes, c), "before of a", "before")
	b.allRead(append(nodes, c), "meanwhile of b", "meanwhile")
	b.eventually("nobody is unproven any more", func() bool { return len(c.Unproven())+len(nodes[0].Unproven())+len(nodes[1].Unproven()) == 0 })
	for _, m := range append(nodes, c) {
		b.eventually(m.name+" knows the others as synced", func() bool { return m.Peers() == 2 })
	}
	b.acknowledged(append(nodes, c), "after")
	b.noDeaths(append(nodes, c))
}

// shutLater: the firewall of host 2 begins to let nothing in but multicast, while the node there is synced. So what it sends by unicast arrives,
// and nothing that is sent there: it gets no confirmations, and gives them.
func shutLater(b *testbed, n bridge) {
	nodes := b.hosts(3)
	b.acknowledged(nodes, "before")
	n.net.Unicast(2, false)
	c := nodes[2]
	unconfirmed := func(times int) (n int) {
		for i := range times {
			if c.AwaitSync(context.Background(), c.put(fmt.Sprint("shut ", i), "x"), 1, 0) == 0 {
				n++
			}
		}
		return n
	}
	for _, m := range nodes[:2] {
		b.eventually("c and "+m.name+" name each other", func() bool {
			unconfirmed(1)
			return c.toldOf(engine.EventShut, m.name) > 0 && m.toldOf(engine.EventShut, "c") > 0
		})
	}
	for i, m := range nodes {
		for _, other := range m.Members() {
			if in, out := i == 2, other.Name == "c"; !other.Self && (other.ShutIn != in || other.ShutOut != out) {
				b.Errorf("%s says of unicast with %s: shut in %v, out %v", m.name, other.Name, other.ShutIn, other.ShutOut)
			}
		}
	}
	before := c.Counters().AckGivenUp
	if missed, spared := unconfirmed(40), c.Counters().AckGivenUp-before; missed != 40 || spared < 20 { // who was waited for is not given up
		b.Errorf("%d of 40 writes unconfirmed, %d of them without a wait", missed, spared)
	}
	if h := c.AckHealth(); h.Since.IsZero() || h.Listening != 0 || h.Live != 2 {
		b.Errorf("c's acknowledgements: %+v", h)
	}
	b.allRead(nodes, "shut 39", "x")
	n.net.Unicast(2, true)
	for _, m := range nodes[:2] {
		b.eventually("c and "+m.name+" say that it is over", func() bool {
			return c.toldOf(engine.EventShutNoMore, m.name) == 1 && m.toldOf(engine.EventShutNoMore, "c") == 1
		})
	}
	b.acknowledged(nodes, "again")
	b.noDeaths(nodes)
}

// oneWayByUnicast: host 1 hears nothing of host 0, and no node uses multicast.
func oneWayByUnicast(b *testbed, n bridge) {
	var list []spec
	for _, s := range specs(3) {
		s.change = unicastOnly(nil, n.addr(2).String())
		list = append(list, s)
	}
	nodes := b.start(list...)
	b.acknowledged(nodes, "all")
	n.net.Block(1, 0)
	b.within(30*time.Second, "the deaf one names the other", func() bool { return nodes[1].toldOf(engine.EventUnheard, "a") == 1 })
	b.within(30*time.Second, "who is not heard names the deaf one", func() bool { return nodes[0].toldOf(engine.EventNotHeard, "b") == 1 })
	if nodes[2].told(func(e engine.Event) bool { return e.Kind == engine.EventUnheard || e.Kind == engine.EventNotHeard }) != 0 {
		b.Error("c, which hears both and is heard by both, tells of a cut")
	}
	n.net.Unblock(1)
	b.within(30*time.Second, "both are heard again", func() bool {
		return nodes[1].toldOf(engine.EventHeard, "a") == 1 && nodes[0].toldOf(engine.EventHeardThere, "b") == 1
	})
	b.acknowledged(nodes, "again")
	b.noDeaths(nodes)
}

package table

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/record"
)

// cluster is some nodes and the states under way between them.
type cluster struct {
	nodes []*node
	mail  []letter
	steps int
}

// auditSome recounts the owners' index after every fifth step: it takes as long as a hundred steps do.
func (c *cluster) auditSome(n *node) {
	if c.steps++; c.steps%5 == 0 {
		n.auditOwners()
	}
}

type letter struct {
	to    int
	k     record.Key
	state record.State // in the receiver's refs
}

// push sends what every node knows of k as datagrams: to be delivered in any order, twice, or never.
func (c *cluster) push(from int, k record.Key) {
	var s record.State
	if !c.nodes[from].Load(k, &s) {
		return
	}
	for to := range c.nodes {
		if to != from {
			c.mail = append(c.mail, letter{to, k, c.nodes[from].translate(c.nodes[to], &s)})
		}
	}
}

func (c *cluster) deliver(t *rapid.T) {
	if len(c.mail) == 0 {
		return
	}
	i := rapid.IntRange(0, len(c.mail)-1).Draw(t, "letter")
	l := c.mail[i]
	n := c.nodes[l.to]
	high := n.OwnHigh()
	n.Merge(n.now, l.k, &l.state)
	c.auditSome(n)
	c.pushSince(l.to, high)
	if rapid.IntRange(0, 3).Draw(t, "twice") != 0 {
		c.mail = append(c.mail[:i], c.mail[i+1:]...)
	}
}

// pushSince pushes the own changes after a dot.
func (c *cluster) pushSince(i int, high uint64) {
	n := c.nodes[i]
	for seq := high + 1; seq <= n.OwnHigh(); seq++ {
		if k, _, ok := n.LogKey(n.self(), seq); ok {
			c.push(i, k)
		}
	}
}

func (c *cluster) act(t *rapid.T, i int) {
	n := c.nodes[i]
	high := n.OwnHigh()
	k := drawKey(t)
	switch rapid.IntRange(0, 10).Draw(t, "act") {
	case 0, 1, 2:
		w := drawWrite(t, n.now)
		_, _ = n.Put(n.now, k, &w)
	case 3, 4, 5:
		_, _ = n.Expire(n.now, k, drawDue(t, n.now), ExpireAlways)
	case 6, 7:
		_, _ = n.Destroy(n.now, k, true)
	case 8:
		if rapid.IntRange(0, 3).Draw(t, "flush") == 0 {
			_, _ = n.Flush(n.now, int(k.DB))
		}
	case 9:
		n.sweep()
	case 10:
		_, _ = n.DestroyOwned(n.now, int(k.DB), &Logout{Owner: rapid.SampledFrom(labels).Draw(t, "owner")}, 0, 10)
	}
	c.auditSome(n)
	c.pushSince(i, high)
}

func (c *cluster) exchange() {
	for range 3 {
		for _, n := range c.nodes {
			for _, m := range c.nodes {
				if n != m {
					n.sendAll(m)
				}
			}
		}
	}
}

// settle brings every clock to the same epoch and sweeps.
func (c *cluster) settle(now int64) {
	for _, n := range c.nodes {
		now = max(now, n.now, n.clusterTime(n.now))
	}
	for _, n := range c.nodes {
		n.now = now
		n.sweep()
	}
}

// "Convergence. When changes stop and every pair of live nodes can talk, all nodes hold the same sessions, whatever
// was lost, duplicated, reordered or cut off before."
func TestTablesConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &cluster{}
		for i := range rapid.IntRange(2, 3).Draw(rt, "nodes") {
			n := newNode(t, i+1, func(cfg *Config) { cfg.Lifetime = 5 * time.Minute })
			n.now += rapid.Int64Range(-2000, 2000).Draw(rt, "clock")
			c.nodes = append(c.nodes, n)
		}
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			i := rapid.IntRange(0, len(c.nodes)-1).Draw(rt, "node")
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1, 2:
				c.act(rt, i)
			case 3, 4, 5:
				c.deliver(rt)
			case 6:
				pass := rapid.Int64Range(1, 40_000).Draw(rt, "time")
				for _, n := range c.nodes {
					n.now += pass
				}
			}
		}
		c.settle(0)
		c.exchange()
		c.settle(0)
		c.same(rt)
		c.settle(c.nodes[0].now + 60_000)
		c.same(rt)
	})
}

func (c *cluster) same(t *rapid.T) {
	first := c.nodes[0]
	for _, n := range c.nodes {
		n.audit()
		if n.Root() != first.Root() {
			t.Fatalf("roots differ at %d:\n%s\n%s", n.now, dump(first), dump(n))
		}
		for _, bits := range []int{PartBitsMin, PartBitsMin + 1, PartBitsMax} {
			if !slices.Equal(first.Parts(bits), n.Parts(bits)) {
				t.Fatal("equal roots of different parts")
			}
		}
		for i := range 8 {
			k := record.Key{DB: uint8(i % 2), Name: fmt.Sprint("k", i/2)}
			v, ok := first.Get(first.now, k)
			w, also := n.Get(n.now, k)
			if ok != also || string(v.Value) != string(w.Value) || v.Owner != w.Owner {
				t.Fatalf("%v: %v %q and %v %q", k, ok, v.Value, also, w.Value)
			}
		}
	}
}

func dump(n *node) (out string) {
	n.Chunk(0, 1<<20, nil, func(k record.Key, s *record.State) { out += fmt.Sprintf("%v %+v\n", k, *s) })
	return out
}

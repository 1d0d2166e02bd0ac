package table

import (
	"fmt"
	"testing"
	"unsafe"
)

const day = 24 * hour

// logout is a session at a, which b destroyed a second later without having heard of it, two days ago: the tombstone is collected.
func logout(t *testing.T) (a, b *node) {
	a, b = newNode(t, 1), newNode(t, 2)
	a.put("s", "kept")
	b.now += second
	b.destroy("s")
	a.pass(2 * day)
	b.pass(2 * day)
	if s := b.state("s"); !s.IsEmpty() {
		t.Fatalf("not collected: %+v", s)
	}
	return a, b
}

func TestACollectedTombstoneIsToldWhereSomethingComesThatItKills(t *testing.T) {
	a, b := logout(t)
	made, woken := b.OwnHigh(), b.written
	if got := a.send(b, key("s")); got != Applied {
		t.Fatalf("outcome %v", got)
	}
	b.want("s", "-")
	if b.OwnHigh() != made+1 || b.written != woken+1 || b.Stats().TombsTold != 1 {
		t.Fatalf("dots up to %d, %d told", b.OwnHigh(), b.Stats().TombsTold)
	}
	if k, touch, ok := b.LogKey(b.self(), made+1); k != key("s") || touch || !ok {
		t.Fatalf("logged: %v %v %v", k, touch, ok)
	}
	third := newNode(t, 3)
	third.now = a.now
	a.send(third, key("s"))
	for _, n := range []*node{a, third} {
		b.send(n, key("s"))
		n.want("s", "-")
		if n.Root() != b.Root() {
			t.Fatal("they differ")
		}
		n.audit()
	}
	b.audit()
	b.pass(day)
	if s := b.state("s"); s.Tomb.At == 0 {
		t.Error("told, and not kept as one made then")
	}
	b.pass(day)
	if s := b.state("s"); !s.IsEmpty() {
		t.Errorf("kept for ever: %+v", s)
	}
}

func TestATombstoneThatComesWhenItMayGoIsRememberedToo(t *testing.T) {
	a, b := logout(t)
	late, c := newNode(t, 3), newNode(t, 4) // one that has not swept
	late.now += second
	late.destroy("s")
	c.now = b.now
	c.sweep()
	late.send(c, key("s"))
	if s := c.state("s"); !s.IsEmpty() {
		t.Fatalf("not collected at once: %+v", s)
	}
	a.send(c, key("s"))
	c.want("s", "-")
}

func TestACollectedTombstoneSparesWhatCameAfterIt(t *testing.T) {
	a, b := logout(t)
	c := newNode(t, 3)
	c.now = b.now
	c.put("s", "created again", explicit)
	c.send(b, key("s"))
	b.want("s", "created again")
	a.send(c, key("s"))
	c.send(b, key("s"))
	if s := b.state("s"); len(s.Births) != 1 {
		t.Fatalf("%+v", s)
	}
	b.want("s", "created again")
	b.audit()
}

func TestACollectedHoldKillsTheUpsertMadeWithoutItsTombstone(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	b.put("s", "x", b.dueIn(hour))
	b.destroy("s")
	a.now += 30 * second
	a.put("s", "racing")
	a.pass(2 * day)
	b.pass(2 * day)
	a.send(b, key("s"))
	b.want("s", "-")

	a, b = newNode(t, 1), newNode(t, 2)
	b.put("s", "x", b.dueIn(hour))
	b.destroy("s")
	a.now += 30 * second
	a.put("s", "meant", explicit, ifAbsent)
	a.pass(2 * day)
	b.pass(2 * day)
	a.send(b, key("s"))
	b.want("s", "meant")
}

// A dot that is taken and not logged would keep all later ones from leaving.
func TestWhatAMergeChangesInTwoWaysTakesOneDot(t *testing.T) {
	a, b := logout(t)
	b.put("s", "new", b.dueIn(1600*second), explicit)
	b.now += second
	b.expire("s", b.now+1600*second) // promises 100 s more
	c := newNode(t, 3)
	c.now = b.now + second
	b.send(c, key("s"))
	c.expire("s", c.now+second)
	b.now += 10 * second
	if res := b.expire("s", b.now+1600*second); res.Seq != 0 {
		t.Fatalf("not local: %+v", res)
	}
	a.send(c, key("s"))
	made, s := b.OwnHigh(), c.Stats()
	c.send(b, key("s")) // a birth that the tombstone kills, and a shortening before the local touch
	b.want("s", "new")
	if s := b.state("s"); b.OwnHigh() != made+1 || b.Stats().TombsTold != 1 || b.Stats().Reissued != 1 || len(s.Births) != 1 {
		t.Fatalf("dots up to %d, not %d; %+v", b.OwnHigh(), made+1, s)
	}
	if k, touch, ok := b.LogKey(b.self(), made+1); k != key("s") || touch || !ok {
		t.Fatalf("logged: %v %v %v, %+v", k, touch, ok, s)
	}
}

func TestCollectedTombstonesRememberedAreLimited(t *testing.T) {
	if got := unsafe.Sizeof(pastTomb{}) + unsafe.Sizeof(uint64(0)); got != collectedBytes {
		t.Errorf("one takes %d bytes, not %d", got, collectedBytes)
	}
	for limit, want := range map[int64]int{0: 128, 1 << 20: 1, 64 << 20: 10, 1 << 40: 128} {
		n := newNode(t, 1, func(c *Config) { c.MaxBytes = limit })
		if got := n.maxCollectedIn(); got != want {
			t.Errorf("with %d bytes a bucket remembers %d, want %d", limit, got, want)
		}
	}
	var c collected
	for i := range 10 {
		if dropped := c.keep(uint64(i), pastTomb{tomb: 5}, 6); dropped != (i >= 6) {
			t.Errorf("the %dth displaces another: %v", i, dropped)
		}
	}
	if len(c.kept) != 6 || cap(c.kept) != 6 || cap(c.hashes) != 6 || c.find(3) != nil || c.find(9) == nil {
		t.Errorf("%d of %d: %+v", len(c.kept), cap(c.kept), c)
	}
	c.keep(7, pastTomb{tomb: 3, hold: 9}, 6)
	if x := c.find(7); x.tomb != 5 || x.hold != 9 || c.find(4) == nil || c.upTo != 9 {
		t.Errorf("two of one key: %+v", x)
	}
}

func TestCollectedTombstonesDisplacedAreCounted(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.MaxBytes = 8 << 20 })
	const sessions = 3 * Buckets
	for i := range sessions {
		n.put(fmt.Sprint(i), "x")
		n.destroy(fmt.Sprint(i))
	}
	n.pass(2 * day)
	if lost := n.Stats().TombsDropped; lost < sessions-Buckets || lost >= sessions {
		t.Errorf("%d of %d collected tombstones are counted as dropped", lost, sessions)
	}
}

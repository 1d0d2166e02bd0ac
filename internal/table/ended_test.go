package table

import (
	"fmt"
	"testing"
	"time"
	"unsafe"
)

// overridden is a session with a long life at a, which b never heard of and wrote a second later with a short one, that is over and forgotten.
func overridden(t *testing.T) (a, b *node) {
	a, b = newNode(t, 1), newNode(t, 2)
	a.put("s", "long", a.dueIn(hour))
	a.now, b.now = a.now+second, b.now+second
	b.put("s", "short", b.dueIn(2*second))
	a.pass(60 * second)
	b.pass(60 * second)
	if s := b.state("s"); !s.IsEmpty() {
		t.Fatalf("not forgotten: %+v", s)
	}
	return a, b
}

func TestAnEndIsToldWhereSomethingOlderComes(t *testing.T) {
	a, b := overridden(t)
	made, woken := b.OwnHigh(), b.written
	a.send(b, key("s"))
	b.want("s", "-")
	if b.OwnHigh() != made+1 || b.written != woken+1 || b.Stats().EndsTold != 1 {
		t.Fatalf("dots up to %d, %d told", b.OwnHigh(), b.Stats().EndsTold)
	}
	if k, touch, ok := b.LogKey(b.self(), made+1); k != key("s") || !touch || !ok {
		t.Fatalf("logged: %v %v %v", k, touch, ok)
	}
	b.send(a, key("s"))
	a.want("s", "-")
	if a.Root() != b.Root() {
		t.Fatal("they differ")
	}
	a.audit()
	b.audit()
}

func TestAnEndYieldsToWhatHappenedAfterIt(t *testing.T) {
	a, b := overridden(t)
	later := newNode(t, 3)
	later.now = a.now
	later.put("s", "later", later.dueIn(hour))
	later.send(b, key("s"))
	b.want("s", "later")

	a, b = newNode(t, 1), newNode(t, 2)
	a.put("s", "long", a.dueIn(hour))
	old := newNode(t, 4)
	old.now = a.now
	a.send(old, key("s"))
	b.now += second
	b.put("s", "short", b.dueIn(2*second))
	a.now += 2 * second
	a.expire("s", a.now+2*hour)
	b.pass(60 * second)
	old.send(b, key("s"))
	b.want("s", "-")
	b.send(a, key("s"))
	a.want("s", "long") // touched after the short write
	a.send(b, key("s"))
	b.want("s", "long")
}

// "A local touch that a merge leaves without its promise is replicated after all": also where the promise ends by an end.
func TestALocalTouchOutlivesAnEarlierEnd(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "long", a.dueIn(100*second))
	a.now += second
	a.expire("s", a.now+1600*second) // promises 100 s more
	old := newNode(t, 3)
	old.now = a.now
	a.send(old, key("s"))
	b.now += 2 * second
	b.put("s", "short", b.dueIn(second))
	a.now += 10 * second
	if res := a.expire("s", a.now+1600*second); res.Seq != 0 {
		t.Fatalf("not local: %+v", res)
	}
	b.pass(60 * second)
	a.now = b.now
	old.send(b, key("s"))
	b.want("s", "-")
	b.send(a, key("s"))
	a.want("s", "long")
	a.send(b, key("s"))
	b.want("s", "long")
}

func TestAnEndIsVoidOnceItsBirthIsDestroyed(t *testing.T) {
	for name, destroy := range map[string]func(n *node){
		"by name":  func(n *node) { n.destroy("s") },
		"by flush": func(n *node) { _, _ = n.Flush(n.now, 0) },
	} {
		a, b, destroyer := newNode(t, 1), newNode(t, 2), newNode(t, 3)
		b.put("s", "short", b.dueIn(9*second))
		destroy(destroyer)
		destroyer.sendAll(a)
		a.put("s", "new", a.dueIn(hour)) // stamped above the destroy, 5 s ahead
		b.pass(8 * second)
		b.expire("s", b.now+2*second) // later than that, of the one destroyed
		b.pass(60 * second)
		destroyer.sendAll(b)
		a.now = b.now
		a.send(b, key("s"))
		if got := b.get("s"); got != "new" {
			t.Errorf("%s: it shows %q", name, got)
		}
	}
}

func TestAnEndIsRememberedAsLongAsATombstone(t *testing.T) {
	_, b := overridden(t)
	a := newNode(t, 1)
	a.put("s", "endless") // of before it
	b.pass(25 * hour)
	a.send(b, key("s"))
	b.want("s", "endless")
}

// A node whose clock is a day behind makes what is past its absolute lifetime at once, stamped above all that is known.
func TestAnEndWhoseStampIsAheadHarmsNothingNew(t *testing.T) {
	hourly := func(c *Config) { c.Lifetime = time.Hour }
	a, b, behind := newNode(t, 1, hourly), newNode(t, 2, hourly), newNode(t, 3, hourly)
	behind.now -= 24 * hour
	a.sweep()
	a.destroy("s") // stamped 5 s ahead
	a.send(b, key("s"))
	a.send(behind, key("s"))
	behind.put("s", "old", explicit)
	behind.put("s", "old again", explicit)
	behind.send(a, key("s"))
	if s := a.state("s"); len(s.Births) > 0 {
		t.Fatalf("not forgotten at once: %+v", s)
	}
	b.put("s", "new", explicit)
	b.send(a, key("s"))
	a.want("s", "new")
}

func TestEndsRememberedAreLimited(t *testing.T) {
	if got := unsafe.Sizeof(end{}) + unsafe.Sizeof(uint64(0)); got != endBytes {
		t.Errorf("an end takes %d bytes, not %d", got, endBytes)
	}
	for limit, want := range map[int64]int{0: 128, 1 << 20: 1, 64 << 20: 6, 1 << 40: 128} {
		n := newNode(t, 1, func(c *Config) { c.MaxBytes = limit })
		if got := n.maxEndsIn(); got != want {
			t.Errorf("with %d bytes a bucket remembers %d, want %d", limit, got, want)
		}
	}
	var e ends
	for i := range 10 {
		lost := e.keep(uint64(i), end{due: int64(i)}, 6)
		if i >= 6 && lost.due != int64(i-6) {
			t.Errorf("the %dth displaces %d", i, lost.due)
		}
	}
	if len(e.kept) != 6 || cap(e.kept) != 6 || cap(e.hashes) != 6 || e.find(3) != nil || e.find(9) == nil {
		t.Errorf("%d of %d: %+v", len(e.kept), cap(e.kept), e)
	}
	e.keep(7, end{due: 1}, 6)
	if e.find(7).due != 1 || e.find(4) == nil {
		t.Error("a later end of one key displaces another's")
	}
}

func TestEndsDisplacedTooEarlyAreCounted(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.MaxBytes = 8 << 20 })
	const sessions = 3 * Buckets
	for i := range sessions {
		n.put(fmt.Sprint(i), "x", n.dueIn(second))
	}
	n.pass(60 * second)
	if lost := n.Stats().EndsDropped; lost < sessions-Buckets || lost >= sessions {
		t.Errorf("%d of %d ends are counted as dropped", lost, sessions)
	}
}

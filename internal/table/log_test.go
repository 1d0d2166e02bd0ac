package table

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"
	"weak"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestOwnDotsAreLoggedWithTheirKeys(t *testing.T) {
	n := newNode(t, 1)
	n.put("a", "x", n.dueIn(hour))
	n.expire("a", n.now+2*hour)
	n.destroy("b")
	for seq, want := range map[uint64]struct {
		name  string
		touch bool
	}{1: {"a", false}, 2: {"a", true}, 3: {"b", false}} {
		k, touch, ok := n.LogKey(n.self(), seq)
		if !ok || k.Name != want.name || touch != want.touch {
			t.Errorf("dot %d: %+v, touch %v, %v", seq, k, touch, ok)
		}
	}
	if _, _, ok := n.LogKey(n.self(), 4); ok || n.OwnHigh() != 3 || n.written != 3 {
		t.Errorf("high %d, %d wakes", n.OwnHigh(), n.written)
	}
}

func TestOwnHighIsThePrefixWithoutHoles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "dots")
		order := rapid.Permutation(make([]int, n)).Draw(t, "order") // only its length: below the order of arrival
		for i := range order {
			order[i] = i + 1
		}
		order = rapid.Permutation(order).Draw(t, "arrival")
		var l ownLog
		got := map[int]bool{}
		for _, seq := range order {
			l.note(uint64(seq), record.Key{}, false)
			got[seq] = true
			want := 0
			for got[want+1] {
				want++
			}
			if l.high != uint64(want) {
				t.Fatalf("high %d after %v, want %d", l.high, order, want)
			}
		}
		if len(l.early) != 0 {
			t.Fatalf("%d early dots left", len(l.early))
		}
	})
}

func TestRingRemembersTheLatestDots(t *testing.T) {
	var r ring
	for seq := uint64(1); seq <= 3*LogSize; seq++ {
		r.note(seq, record.Key{Name: fmt.Sprint(seq)}, false)
	}
	for seq := uint64(1); seq <= 3*LogSize; seq++ {
		l, ok := r.get(seq)
		if ok != (seq > 2*LogSize) || ok && l.name != fmt.Sprint(seq) {
			t.Fatalf("dot %d: %v %+v", seq, ok, l)
		}
	}
	r.note(5, record.Key{}, false)
	if _, ok := r.get(5); ok || len(r.slots) != LogSize {
		t.Fatalf("an old dot displaced a newer one; %d slots", len(r.slots))
	}
}

func TestRingIsSmallForAQuietOrigin(t *testing.T) {
	var r ring
	for seq := uint64(1_000_000); seq < 1_000_050; seq++ {
		r.note(seq, record.Key{}, false)
	}
	if len(r.slots) > 64 {
		t.Fatalf("%d slots for 50 dots", len(r.slots))
	}
}

func TestRingTakesNoRoomForDotsThatAreNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		seqs  []uint64
		slots int
	}{
		"nothing":         {nil, 0},
		"three":           {[]uint64{1, 2, 3}, minRing},
		"three late ones": {[]uint64{70_001, 70_002, 70_003}, minRing},
		"after a gap":     {[]uint64{1, 2, 1_000_000}, minRing},
		"out of order":    {[]uint64{40, 39, 38, 37, 36}, minRing},
		"one too many":    {[]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, 2 * minRing},
	} {
		var r ring
		for _, seq := range c.seqs {
			r.note(seq, record.Key{}, false)
		}
		if len(r.slots) != c.slots || cap(r.slots) != c.slots {
			t.Errorf("%s: %d slots, want %d", name, cap(r.slots), c.slots)
		}
	}
	if size := unsafe.Sizeof(logged{}); size > 32 {
		t.Errorf("a slot has %d bytes", size)
	}
}

// gone reports whether the collector frees what p points to. Once may not be enough: a stack that is looked at while it
// runs can hold a stale pointer.
func gone[T any](p weak.Pointer[T]) bool {
	for range 10 {
		if runtime.GC(); p.Value() == nil {
			return true
		}
	}
	return false
}

func TestAForgottenLogIsFreed(t *testing.T) {
	n := newNode(t, 1)
	dead, other := n.cfg.Origins.Intern(originNo(2)), n.cfg.Origins.Intern(originNo(3))
	for seq := uint64(1); seq <= 2*LogSize; seq++ {
		n.Note(dead, seq, key(fmt.Sprint("session", seq)))
	}
	n.Note(other, 1, key("s"))
	name, _, _ := n.LogKey(dead, 2*LogSize)
	text, slots := weak.Make(unsafe.StringData(name.Name)), weak.Make(&n.remote.rings[dead].slots[0])
	name = record.Key{}
	if gone(text) || gone(slots) {
		t.Fatal("freed while it is in use: the test sees nothing")
	}
	n.ForgetLog(dead)
	if !gone(text) || !gone(slots) {
		t.Fatal("the ring, or a name in it, is still held")
	}
	if _, _, ok := n.LogKey(dead, 2*LogSize); ok || len(n.remote.rings) != 1 {
		t.Fatal("not forgotten")
	}
	if k, _, ok := n.LogKey(other, 1); !ok || k != key("s") {
		t.Fatal("another's log is gone")
	}
	n.ForgetLog(dead)
	n.Note(dead, 2*LogSize+1, key("late"))
	if k, _, ok := n.LogKey(dead, 2*LogSize+1); !ok || k != key("late") || len(n.remote.rings[dead].slots) != minRing {
		t.Fatal("a late dot is to begin a small log anew")
	}
	n.ForgetLog(n.self()) // is nobody's
	n.put("s", "x")
	if _, _, ok := n.LogKey(n.self(), 1); !ok {
		t.Fatal("the own log is never forgotten")
	}
}

// weakly points to a session as it lies in memory; in a frame of its own, so that nothing of it stays on the stack.
//
//go:noinline
func (n *node) weakly(name string) weak.Pointer[packed] {
	h := n.hash(key(name))
	return weak.Make(n.bucket(h).find(h, key(name)))
}

// A log's names are not to keep the datagrams, read buffers, values and entries alive that they came with.
func TestLogsKeepNamesAliveOnly(t *testing.T) {
	n := newNode(t, 1)
	ref := n.cfg.Origins.Intern(originNo(2))
	buf := make([]byte, 1<<16)
	copy(buf, "known unknown")
	known, unknown := unsafe.String(&buf[0], 5), unsafe.String(&buf[6], 7)
	n.put(known, string(make([]byte, 4096)), n.dueIn(hour))
	n.Note(ref, 1, key(known))
	n.Note(ref, 2, key(unknown))
	buffer, value := weak.Make(&buf[0]), n.weakly(known)
	buf, known, unknown = nil, "", ""
	n.pass(3 * hour)
	if n.Load(key("known"), new(record.State)) {
		t.Fatal("the session is to be over")
	}
	if !gone(buffer) || !gone(value) {
		t.Error("a log keeps more alive than its names")
	}
	for seq, want := range map[uint64]string{1: "known", 2: "unknown"} {
		if k, _, ok := n.LogKey(ref, seq); !ok || k.Name != want {
			t.Errorf("dot %d: %v %v", seq, k, ok)
		}
	}
	if k, _, ok := n.LogKey(n.self(), 1); !ok || k.Name != "known" {
		t.Errorf("own dot: %v %v", k, ok)
	}
}

func TestRingAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring
		want := map[uint64]bool{}
		var high uint64
		for range rapid.IntRange(1, 200).Draw(t, "notes") {
			seq := rapid.Uint64Range(1, 20_000).Draw(t, "seq")
			if seq+LogSize <= high {
				continue
			}
			high = max(high, seq)
			r.note(seq, record.Key{}, false)
			want[seq] = true
		}
		for seq := range want {
			if _, ok := r.get(seq); !ok && seq+LogSize > high {
				t.Fatalf("dot %d of %d forgotten", seq, high)
			}
		}
	})
}

func TestRemoteLogs(t *testing.T) {
	n := newNode(t, 1)
	ref := n.cfg.Origins.Intern(originNo(2))
	n.Note(ref, 7, key("s"))
	n.Note(n.self(), 1, key("s"))
	n.Note(0, 1, key("s"))
	if k, _, ok := n.LogKey(ref, 7); !ok || k != key("s") {
		t.Fatalf("%v %v", k, ok)
	}
	if _, _, ok := n.LogKey(n.self(), 1); ok {
		t.Fatal("own dots are not noted from outside")
	}
	n.ForgetLog(ref)
	if _, _, ok := n.LogKey(ref, 7); ok {
		t.Fatal("not forgotten")
	}
}

func TestAnotherIncarnationGoesOnWithTheSameDots(t *testing.T) {
	n := newNode(t, 1)
	was := n.self()
	n.put("before", "1")
	other := originNo(1)
	other.Incarnation[17] = 7
	n.TakeIncarnation(other)
	res := n.put("after", "2")
	if res.Seq != 2 || n.OwnHigh() != 2 || n.self() == was {
		t.Errorf("dot %d, high %d", res.Seq, n.OwnHigh())
	}
	for seq, name := range []string{"before", "after"} {
		if k, _, ok := n.LogKey(n.self(), uint64(seq+1)); !ok || k != key(name) {
			t.Errorf("dot %d is of %v", seq+1, k)
		}
	}
	n.Note(was, 1, key("a clone's")) // of the run before, which another node is still, perhaps
	if k, _, ok := n.LogKey(was, 1); !ok || k != key("a clone's") {
		t.Error("the old run's dots are not remembered as another's")
	}
	if v, _ := n.Get(n.now, key("after")); v.Birth.By != n.self() {
		t.Error("a change after it is the old run's")
	}
}

// What the log of each live node costs, which max-memory does not count: docs/ARCHITECTURE.md states it.
func TestTheLogOfANodeStaysWithinWhatIsStated(t *testing.T) {
	const nodes = 5
	for _, c := range []struct{ name, most int }{{32, 0.75 * (1 << 20)}, {record.MaxName, 5.5 * (1 << 20)}} {
		t.Run(fmt.Sprintf("names of %d bytes", c.name), func(t *testing.T) {
			n := newNode(t, 1)
			before := heapInUse()
			for i := range nodes {
				ref := n.cfg.Origins.Intern(originNo(i + 2))
				for seq := uint64(1); seq <= 2*LogSize; seq++ { // each slot is taken twice
					n.Note(ref, seq, key(fmt.Sprintf("%0*d", c.name, seq)))
				}
			}
			each := (heapInUse() - before) / nodes
			t.Logf("%d bytes for each of %d nodes", each, nodes)
			if each > c.most || each < LogSize*c.name {
				t.Errorf("the log of a node takes %d bytes, want %d at most, and the names at least", each, c.most)
			}
			runtime.KeepAlive(n)
		})
	}
}

func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

package table

import (
	"fmt"
	"testing"

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
		k, touch, ok := n.LogKey(n.self, seq)
		if !ok || k.Name != want.name || touch != want.touch {
			t.Errorf("dot %d: %+v, touch %v, %v", seq, k, touch, ok)
		}
	}
	if _, _, ok := n.LogKey(n.self, 4); ok || n.OwnHigh() != 3 || n.written != 3 {
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
		if ok != (seq > 2*LogSize) || ok && l.key.Name != fmt.Sprint(seq) {
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
	if len(r.slots) > minRing {
		t.Fatalf("%d slots for 50 dots", len(r.slots))
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
	n.Note(n.self, 1, key("s"))
	n.Note(0, 1, key("s"))
	if k, _, ok := n.LogKey(ref, 7); !ok || k != key("s") {
		t.Fatalf("%v %v", k, ok)
	}
	if _, _, ok := n.LogKey(n.self, 1); ok {
		t.Fatal("own dots are not noted from outside")
	}
	n.ForgetLog(ref)
	if _, _, ok := n.LogKey(ref, 7); ok {
		t.Fatal("not forgotten")
	}
}

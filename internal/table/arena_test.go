package table

import (
	"fmt"
	"testing"
)

// pages counts the pages that hold entries, and their bytes.
func (n *node) pages() (count int, bytes int64) {
	seen := map[*page]bool{}
	n.each(func(_ *bucket, _ uint64, e *entry) {
		if e.packed.place == 0 {
			return
		}
		if pg := e.packed.page(); !seen[pg] {
			seen[pg] = true
			bytes += int64(pg.size)
		}
	})
	return len(seen), bytes
}

// auditPages recounts what of each page is in use.
func (n *node) auditPages() {
	n.t.Helper()
	live := map[*page]uint32{}
	n.each(func(_ *bucket, _ uint64, e *entry) {
		if p := e.packed; p.place != 0 {
			if size := int(e.cost) - slotCost; size != roundUp(p.size()) {
				n.t.Fatalf("an entry of %d bytes is counted with %d", p.size(), size)
			}
			live[p.page()] += uint32(roundUp(p.size()))
		}
	})
	for pg, want := range live {
		if pg.live != want {
			n.t.Fatalf("%d bytes of a page are in use, counted %d", want, pg.live)
		}
	}
}

func TestSparsePagesAreEmptied(t *testing.T) {
	n := newNode(t, 1)
	all := names(6000)
	for round := range 4 {
		for i, name := range all {
			if round == 0 || (i*7+round)%3 > 0 {
				n.put(name, fmt.Sprintf("%0*d", 100+round*10+i%50, round), n.dueIn(hour))
			}
		}
	}
	n.sweep()
	n.auditPages()
	n.audit()
	_, held := n.pages()
	if used := n.Bytes() - int64(n.Len(0)*slotCost); float64(used) < float64(held)*sparse/100*0.95 {
		t.Fatalf("%d bytes in pages of %d", used, held)
	}
	if n.Stats().Compacted == 0 {
		t.Fatal("no page was emptied: the test sees nothing")
	}
	for i := range n.arenas {
		if p := n.arenas[i].pending.Load(); p != 0 {
			t.Fatalf("%d pages wait", p)
		}
	}
}

// What a reader got stays as it was, whatever becomes of the session and its page.
func TestReadersKeepWhatTheyRead(t *testing.T) {
	n := newNode(t, 1)
	all := names(3000)
	views := make([]View, len(all))
	for i, name := range all {
		n.put(name, "first "+name, n.dueIn(hour))
		views[i], _ = n.Get(n.now, key(name))
	}
	for range 3 {
		for _, name := range all {
			n.put(name, "another", n.dueIn(hour))
			n.expire(name, n.now+hour+1)
		}
	}
	for i, name := range all {
		if string(views[i].Value) != "first "+name {
			t.Fatalf("what was read is now %q", views[i].Value)
		}
	}
}

func TestSmallTablesHaveSmallPages(t *testing.T) {
	n := newNode(t, 1)
	for _, name := range names(32) {
		n.put(name, "x")
	}
	if _, held := n.pages(); held > arenaSize*2*pageMin {
		t.Fatalf("%d bytes for 32 sessions", held)
	}
}

func TestLargeEntriesLieByThemselves(t *testing.T) {
	n := newNode(t, 1)
	n.put("large", string(make([]byte, maxPaged)))
	n.put("small", "x")
	n.each(func(_ *bucket, _ uint64, e *entry) {
		if alone := e.packed.place == 0; alone != (e.name == "large") {
			t.Errorf("%s alone: %v", e.name, alone)
		}
	})
}

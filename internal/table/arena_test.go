package table

import (
	"fmt"
	"testing"
)

// pages sums up the pages that hold entries: their bytes, and how many of those were given out.
func (n *node) pages() (size, used int64) {
	seen := map[*page]bool{}
	n.each(func(_ *bucket, _ uint64, e *entry) {
		if e.packed.place == 0 {
			return
		}
		if pg := e.packed.page(); !seen[pg] {
			seen[pg] = true
			size += int64(pg.size)
			used += int64(pg.used)
		}
	})
	return size, used
}

// auditPages recounts what of each page is in use.
func (n *node) auditPages() {
	n.t.Helper()
	live := map[*page]int{}
	n.each(func(_ *bucket, _ uint64, e *entry) {
		if p := e.packed; p.place != 0 {
			if size := int(e.cost) - slotCost; size != roundUp(p.size()) {
				n.t.Fatalf("an entry of %d bytes is counted with %d", p.size(), size)
			}
			live[p.page()] += roundUp(p.size())
		}
	})
	for pg, want := range live {
		if int(pg.live) != want {
			n.t.Fatalf("%d bytes of a page are in use, counted %d", want, pg.live)
		}
	}
	n.auditArenas(live)
}

// auditArenas recounts what of each arena is superseded, and looks for its pages where they belong.
func (n *node) auditArenas(live map[*page]int) {
	n.t.Helper()
	var total, dead, listed [arenaSize]int
	n.each(func(_ *bucket, hash uint64, e *entry) {
		if e.packed.place == 0 {
			return
		}
		pg, a := e.packed.page(), n.arena(hash)
		use, counted := live[pg]
		if delete(live, pg); !counted || pg == a.open {
			return
		}
		at := hash >> (64 - arenaBits)
		total[at] += int(pg.used)
		dead[at] += int(pg.used) - use
		if int(pg.level) == levels-1 {
			return
		}
		listed[at]++
		if eighths := float64(use) / float64(pg.used) * levels; a.closed[pg.level][pg.index] != pg || eighths <= float64(pg.level) || eighths > float64(pg.level+1) {
			n.t.Fatalf("a page of which %.2f eighths are in use is listed at %d", eighths, pg.level)
		}
	})
	for i := range n.arenas {
		a, count := &n.arenas[i], 0
		for _, list := range a.closed {
			count += len(list)
		}
		if a.total != total[i] || a.dead != dead[i] || count != listed[i] {
			n.t.Fatalf("arena %d: %d of %d superseded in %d pages listed, counted %d of %d in %d",
				i, dead[i], total[i], listed[i], a.dead, a.total, count)
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
	if used := n.Bytes() - int64(n.Len(0)*slotCost); float64(used) < float64(held)*(100-slackAtRest)/100*0.977 {
		t.Fatalf("%d bytes in pages of %d", used, held)
	}
	if n.Stats().Compacted == 0 {
		t.Fatal("no page was emptied: the test sees nothing")
	}
	for i := range n.arenas {
		if a := &n.arenas[i]; a.over(slackAtRest) {
			t.Fatalf("%d of %d are superseded", a.dead, a.total)
		}
	}
}

// Sessions that are written over one after the other leave empty pages behind: nothing needs to be copied.
func TestPagesThatEmptyByThemselvesAreLeft(t *testing.T) {
	n := newNode(t, 1)
	all := names(20_000)
	for range 4 {
		for _, name := range all {
			n.put(name, "a value that is written over", n.dueIn(hour))
		}
	}
	n.auditPages()
	if c := n.Stats().Compacted; c > 300 { // nearly 500 pages became empty
		t.Fatalf("%d pages were emptied", c)
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
	if held, _ := n.pages(); held > arenaSize*2*pageMin {
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

package table

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
)

func scanAll(n *node, db, count int) map[string]int {
	seen := map[string]int{}
	for cursor := uint64(0); ; {
		cursor = n.Scan(n.now, db, cursor, count, func(name string, _ View) { seen[name]++ })
		if cursor == 0 {
			return seen
		}
		if cursor >= 1<<53 {
			n.t.Fatalf("cursor %d is no exact floating-point number", cursor)
		}
	}
}

func TestScanSeesEveryVisibleSessionOnce(t *testing.T) {
	n := newNode(t, 1)
	for i := range 3000 {
		k := record.Key{DB: uint8(i % 3), Name: fmt.Sprint(i)}
		w := Write{Value: []byte(k.Name)}
		if i%2 == 1 {
			w.Due = n.now + second
		}
		if _, err := n.Put(n.now, k, &w); err != nil {
			t.Fatal(err)
		}
	}
	n.now += second
	for _, count := range []int{-1, 1, 7, 5000} {
		seen := scanAll(n, 1, count)
		if len(seen) != 500 {
			t.Fatalf("count %d: %d sessions, want 500", count, len(seen))
		}
		for name, times := range seen {
			if times != 1 {
				t.Fatalf("count %d: %s seen %d times", count, name, times)
			}
		}
	}
	if n.Scan(n.now, 99, 0, 1, nil) != 0 || n.Scan(n.now, 0, 1<<60, 1, nil) != 0 {
		t.Fatal("a cursor or database that cannot be goes on")
	}
}

func TestScanMissesNoSessionThatStays(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.OnWrite = nil })
	for _, name := range names(2000) {
		n.put(name, "stays")
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				k := key(fmt.Sprint(w, i%5000))
				if i/5000%2 == 0 {
					_, _ = n.Put(t0, k, &Write{})
				} else {
					_, _ = n.Destroy(t0, k, false)
				}
			}
		})
	}
	for range 5 {
		seen := scanAll(n, 0, 50)
		for _, name := range names(2000) {
			if seen[name] == 0 {
				t.Errorf("%s was missed", name)
			}
		}
	}
	close(stop)
	wg.Wait()
	n.audit()
}

func TestChunksAreTheWholeTableInOrder(t *testing.T) {
	n := newNode(t, 1)
	for _, name := range names(500) {
		n.put(name, "0123456789", n.dueIn(second))
	}
	n.destroy("gone")
	if _, err := n.Flush(n.now, 5); err != nil {
		t.Fatal(err)
	}
	n.now += second // all hidden
	var last uint64
	seen := map[record.Key]record.State{}
	chunks := 0
	for cursor, done := uint64(0), false; !done; chunks++ {
		size := 0
		cursor, done = n.Chunk(cursor, 2000, nil, func(k record.Key, s *record.State) {
			if h := n.hash(k); h < last {
				t.Fatal("out of order")
			} else {
				last = h
			}
			seen[k] = s.Clone()
			size++
		})
		if size > 20 {
			t.Fatalf("%d keys in a chunk of 2000 bytes", size)
		}
		if !done && cursor <= last {
			t.Fatal("the cursor does not move")
		}
	}
	if len(seen) != 502 || chunks < 25 {
		t.Fatalf("%d keys in %d chunks", len(seen), chunks)
	}
	for k, s := range seen {
		var want record.State
		n.Load(k, &want)
		if d := diff(want, s); d != "" {
			t.Fatalf("%v: %s", k, d)
		}
	}
}

func TestKeysWithEqualHashesGoTogether(t *testing.T) {
	n := newNode(t, 1)
	const hash = 5<<52 | 77
	b := n.bucket(hash)
	for i := range 20 { // the hash is keyed: nobody finds such names, so they are put in by hand
		b.insert(hash, packedTomb(key(fmt.Sprint(i))))
	}
	count := 0
	next, done := n.Chunk(0, 1, nil, func(record.Key, *record.State) { count++ })
	if count != 20 || !done || next != 0 {
		t.Fatalf("%d keys, next %d, done %v", count, next, done)
	}
	for i := range 20 {
		if e := b.find(hash, key(fmt.Sprint(i))); e == nil || !e.is(key(fmt.Sprint(i))) {
			t.Fatalf("%d not found among its like", i)
		}
	}
}

func TestRandomPicksVisibleSessionsOfItsDatabase(t *testing.T) {
	n := newNode(t, 1)
	if _, ok := n.Random(n.now, 0, 1); ok {
		t.Fatal("picked from nothing")
	}
	for _, name := range names(50) {
		n.put(name, "x")
	}
	n.put("hidden", "x", n.dueIn(1))
	if _, err := n.Put(n.now, record.Key{DB: 1, Name: "other"}, &Write{}); err != nil {
		t.Fatal(err)
	}
	n.now += second
	r := seeded(t)
	seen := map[string]bool{}
	for range 2000 {
		name, ok := n.Random(n.now, 0, r.Uint64())
		if !ok || n.get(name) != "x" {
			t.Fatalf("picked %q, %v", name, ok)
		}
		seen[name] = true
	}
	if len(seen) < 30 {
		t.Fatalf("2000 picks found %d of 50", len(seen))
	}
	if name, _ := n.Random(n.now, 1, ^uint64(0)); name != "other" {
		t.Fatalf("picked %q", name)
	}
}

package table

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
)

// TestEverythingAtOnce is for the race detector, and audits what is left.
func TestEverythingAtOnce(t *testing.T) {
	quiet := func(c *Config) { c.OnWrite = nil }
	a, b := newNode(t, 1, quiet), newNode(t, 2, func(c *Config) { c.OnWrite, c.MaxBytes = nil, 100_000 })
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	var wg sync.WaitGroup
	run := func(what func(r *rand.Rand, k record.Key, now int64)) {
		for w := range 2 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 2))
				for i := range rounds {
					what(r, record.Key{DB: uint8(r.IntN(2)), Name: fmt.Sprint(r.IntN(200))}, t0+int64(i)*10)
				}
			})
		}
	}
	run(func(r *rand.Rand, k record.Key, now int64) {
		_, _ = a.Put(now, k, &Write{Value: make([]byte, r.IntN(100)), Due: now + r.Int64N(10_000), If: Condition(r.IntN(3)), Owner: labels[r.IntN(3)], OwnerSet: r.IntN(2) == 0})
	})
	run(func(r *rand.Rand, k record.Key, now int64) {
		_, _ = a.Expire(now, k, now+r.Int64N(20_000), ExpireAlways)
		a.Get(now, k)
	})
	run(func(r *rand.Rand, k record.Key, now int64) {
		if r.IntN(50) == 0 {
			_, _ = a.Destroy(now, k, true)
		}
		if r.IntN(1000) == 0 {
			_, _ = a.Flush(now, int(k.DB))
		}
		a.Sweep(now)
	})
	run(func(r *rand.Rand, k record.Key, now int64) {
		var s record.State
		if a.Load(k, &s) {
			in := a.translate(b, &s)
			b.Merge(now, k, &in)
			b.Note(b.cfg.Origins.Intern(originNo(1)), uint64(now-t0), k)
		}
		a.LogKey(a.self(), uint64(r.IntN(rounds)))
		a.OwnHigh()
	})
	run(func(r *rand.Rand, k record.Key, now int64) {
		switch r.IntN(100) {
		case 0:
			a.Scan(now, 0, 0, 100, func(string, View) {})
		case 1:
			a.Chunk(0, 1<<14, nil, func(record.Key, *record.State) {})
		case 2:
			w := a.Watch(4)
			w.Close()
		case 4:
			a.Owned(now, int(k.DB), "u1", 0, 100, func(string, View) {})
		case 5:
			_, _ = a.DestroyOwned(now, int(k.DB), &Logout{Owner: "u2"}, 0, 100)
		case 3:
			a.Root()
			a.Stats()
		default:
			a.Random(now, int(k.DB), r.Uint64())
		}
	})
	wg.Wait()
	if last := a.StopWrites(); a.OwnHigh() != last {
		t.Fatalf("logged up to %d of %d dots", a.OwnHigh(), last)
	}
	a.audit()
	b.audit()
}

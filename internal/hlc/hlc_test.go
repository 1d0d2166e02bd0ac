package hlc

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestClockNeverRepeatsNorGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Clock
		var last Stamp
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			wall := rapid.Int64Range(0, 1000).Draw(t, "wall")
			if rapid.Bool().Draw(t, "observe") {
				remote := At(rapid.Int64Range(0, 2000).Draw(t, "remote"))
				c.Observe(remote, wall, 500*time.Millisecond)
				continue
			}
			now := c.Now(wall)
			if now <= last || now < At(wall) {
				t.Fatalf("Now(%d) = %v after %v", wall, now, last)
			}
			last = now
		}
	})
}

func TestClockConcurrentStampsAreDistinct(t *testing.T) {
	var c Clock
	const workers, each = 8, 1000
	seen := make([]map[Stamp]bool, workers)
	var wg sync.WaitGroup
	for w := range workers {
		seen[w] = make(map[Stamp]bool)
		wg.Go(func() {
			for range each {
				seen[w][c.Now(1)] = true
			}
		})
	}
	wg.Wait()
	all := make(map[Stamp]bool)
	for _, s := range seen {
		for k := range s {
			all[k] = true
		}
	}
	if len(all) != workers*each {
		t.Fatalf("%d distinct stamps, want %d", len(all), workers*each)
	}
}

func TestObserveRefusesStampsTooFarAhead(t *testing.T) {
	var c Clock
	if c.Observe(At(10_000), 1000, 5*time.Second) {
		t.Fatal("a stamp 9 s ahead moved the clock")
	}
	if got := c.Now(1000); got.Millis() != 1000 {
		t.Fatalf("Now = %v after a refused stamp, want 1000 ms", got)
	}
	if !c.Observe(At(6000), 1000, 5*time.Second) {
		t.Fatal("a stamp 5 s ahead, the limit, was refused")
	}
	if got := c.Now(1000); got <= At(6000) {
		t.Fatalf("Now = %v, want later than the observed 6000 ms", got)
	}
}

func TestStampArithmetic(t *testing.T) {
	for name, c := range map[string]struct{ got, want Stamp }{
		"negative time is the zero stamp": {At(-1), 0},
		"beyond 48 bits is the last":      {At(1 << 48), Max},
		"add keeps the counter":           {(At(5) + 7).Add(2 * time.Millisecond), At(7) + 7},
		"add cannot wrap":                 {Max.Add(time.Hour), Max},
		"add cannot go below zero":        {At(5).Add(-time.Hour), 0},
		"next of the last is the last":    {Max.Next(), Max},
		"next":                            {At(5).Next(), At(5) + 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

package table

import (
	"hash/maphash"
	"strings"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// shardedMap is what the table is measured against: 256 maps behind RWMutexes, nothing else.
type shardedMap struct {
	seed   maphash.Seed
	shards [256]struct {
		sync.RWMutex
		m map[string][]byte
		_ [64]byte
	}
}

func newShardedMap() *shardedMap {
	s := &shardedMap{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].m = make(map[string][]byte)
	}
	return s
}

func (s *shardedMap) get(name string) ([]byte, bool) {
	sh := &s.shards[maphash.String(s.seed, name)&255]
	sh.RLock()
	v, ok := sh.m[name]
	sh.RUnlock()
	return v, ok
}

func (s *shardedMap) put(name string, value []byte) {
	c := make([]byte, len(value))
	copy(c, value)
	sh := &s.shards[maphash.String(s.seed, name)&255]
	sh.Lock()
	if _, ok := sh.m[name]; !ok {
		name = strings.Clone(name) // as must whoever reads names from a connection
	}
	sh.m[name] = c
	sh.Unlock()
}

const benchKeys = 10_000

func benchTable() (*Table, []string, []byte) {
	t := New(Config{Self: originNo(1), Origins: new(record.Origins), Clock: new(hlc.Clock)})
	value := make([]byte, 512)
	all := names(benchKeys)
	for _, name := range all {
		_, _ = t.Put(t0, key(name), &Write{Value: value, Due: t0 + hour})
	}
	return t, all, value
}

func BenchmarkGet(b *testing.B) {
	t, all, value := benchTable()
	m := newShardedMap()
	for _, name := range all {
		m.put(name, value)
	}
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := t.Get(t0, key(all[i%benchKeys])); !ok {
				b.Fatal("missing")
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := m.get(all[i%benchKeys]); !ok {
				b.Fatal("missing")
			}
		}
	})
	b.Run("table, parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				t.Get(t0, key(all[i%benchKeys]))
			}
		})
	})
	b.Run("map, parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				m.get(all[i%benchKeys])
			}
		})
	})
}

func BenchmarkPut(b *testing.B) {
	t, all, value := benchTable()
	m := newShardedMap()
	w := Write{Value: value, Due: t0 + hour}
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, _ = t.Put(t0, key(all[i%benchKeys]), &w)
		}
	})
	b.Run("table, each value kept by a reader", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			t.Get(t0, key(all[i%benchKeys]))
			_, _ = t.Put(t0, key(all[i%benchKeys]), &w)
		}
	})
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			m.put(all[i%benchKeys], value)
		}
	})
	b.Run("table, parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				_, _ = t.Put(t0, key(all[i%benchKeys]), &w)
			}
		})
	})
	b.Run("map, parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				m.put(all[i%benchKeys], value)
			}
		})
	})
}

func BenchmarkMerge(b *testing.B) {
	t, all, _ := benchTable()
	n := newNode(b, 2)
	states := make([]record.State, benchKeys)
	for i, name := range all {
		var s record.State
		t.Load(key(name), &s)
		states[i] = (&node{Table: t}).translate(n, &s)
	}
	b.Run("equal", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			n.Merge(t0, key(all[i%benchKeys]), &states[i%benchKeys])
		}
	})
	b.Run("newer", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s := &states[i%benchKeys]
			s.Births[0].Value.At++
			n.Merge(t0, key(all[i%benchKeys]), s)
		}
	})
}

func BenchmarkChunk(b *testing.B) {
	t, _, _ := benchTable()
	b.ReportAllocs()
	cursor, keys := uint64(0), 0
	for b.Loop() {
		cursor, _ = t.Chunk(cursor, 256<<10, nil, func(record.Key, *record.State) { keys++ })
	}
	b.ReportMetric(float64(keys)/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkOwner is what a label costs where it comes and goes, and what it takes to find a user's three sessions among many.
func BenchmarkOwner(b *testing.B) {
	fill := func(owner func(i int) string) (*Table, []string) {
		t := New(Config{Self: originNo(1), Origins: new(record.Origins), Clock: new(hlc.Clock)})
		all := names(30_000)
		for i, name := range all {
			_, _ = t.Put(t0, key(name), &Write{Due: t0 + hour, Owner: owner(i), OwnerSet: true})
		}
		return t, all
	}
	users := names(10_000)
	spread := func(i int) string { return users[i%len(users)] }
	for _, c := range []struct {
		what   string
		owner  func(i int) string
		labels [2]string
	}{
		{"an update", spread, [2]string{"alice", "alice"}},
		{"another label", spread, [2]string{"alice", "bob"}},
		{"another label, of all", func(int) string { return "guest" }, [2]string{"guest", "bob"}},
	} {
		b.Run(c.what, func(b *testing.B) {
			t, all := fill(c.owner)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = t.Put(t0, key(all[i%len(all)]), &Write{Due: t0 + hour, Owner: c.labels[i/len(all)%2], OwnerSet: true})
			}
		})
	}
	b.Run("found", func(b *testing.B) {
		t, _ := fill(spread)
		b.ReportAllocs()
		n := 0
		for i := 0; b.Loop(); i++ {
			t.Owned(t0, 0, users[i%len(users)], 0, 100, func(string, View) { n++ })
		}
		b.ReportMetric(float64(n)/float64(b.N), "sessions")
	})
	b.Run("nobody's", func(b *testing.B) {
		t, all := fill(spread)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			t.Owned(t0, 1, all[i%len(all)], 0, 100, func(string, View) { b.Error("found") })
		}
	})
}

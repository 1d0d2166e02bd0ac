package bench

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast"
)

// shardedMap is what one would write by hand: the figure to compare with.
type shardedMap struct {
	seed   maphash.Seed
	shards [256]struct {
		sync.RWMutex
		m map[string][]byte
	}
}

func newShardedMap() *shardedMap {
	s := &shardedMap{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].m = make(map[string][]byte)
	}
	return s
}

func (s *shardedMap) get(id string) ([]byte, bool) {
	shard := &s.shards[maphash.String(s.seed, id)%256]
	shard.RLock()
	defer shard.RUnlock()
	v, ok := shard.m[id]
	return v, ok
}

func (s *shardedMap) set(id string, data []byte) {
	v := bytes.Clone(data)
	shard := &s.shards[maphash.String(s.seed, id)%256]
	shard.Lock()
	defer shard.Unlock()
	if _, known := shard.m[id]; !known {
		id = strings.Clone(id) // as whoever reads ids from connections must; an id of the map's own would compare by its address
	}
	shard.m[id] = v
}

const librarySessions = 100_000

func ids() []string {
	list := make([]string, librarySessions)
	for i := range list {
		list[i] = fmt.Sprintf("sess:%032x", i*2654435761)
	}
	return list
}

// rounds is how many operations alternate with as many of the peer's, so that both see the same machine.
const rounds = 2000

// beside runs ours and theirs in turn and reports the ratio of their times.
func beside(b *testing.B, ours, theirs func(i int)) {
	var us, them time.Duration
	i := 0
	for b.Loop() {
		start := time.Now()
		for j := range rounds {
			ours(i + j)
		}
		middle := time.Now()
		for j := range rounds {
			theirs(i + j)
		}
		us += middle.Sub(start)
		them += time.Since(middle)
		i += rounds
	}
	n := float64(i)
	b.ReportMetric(float64(us)/n, "ours-ns")
	b.ReportMetric(float64(them)/n, "map-ns")
	b.ReportMetric(float64(us)/float64(them), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLibraryGet reads 512 B sessions beside a sharded map in the same run.
func BenchmarkLibraryGet(b *testing.B) {
	node, m, list := filled(b)
	ctx := context.Background()
	beside(b, func(i int) {
		if _, err := node.Get(ctx, list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}, func(i int) {
		if _, ok := m.get(list[i%len(list)]); !ok {
			b.Fatal("lost")
		}
	})
}

// BenchmarkLibrarySet updates 512 B sessions, alone in the cluster, beside a sharded map in the same run.
func BenchmarkLibrarySet(b *testing.B) {
	node, m, list := filled(b)
	ctx, data := context.Background(), make([]byte, 512)
	beside(b, func(i int) {
		if _, err := node.Set(ctx, list[i%len(list)], data, time.Hour); err != nil {
			b.Fatal(err)
		}
	}, func(i int) { m.set(list[i%len(list)], data) })
}

func filled(b *testing.B) (*sessioncast.Node, *shardedMap, []string) {
	node, m, list := cluster(b, 1, sessioncast.AckDefault)[0], newShardedMap(), ids()
	data := make([]byte, 512)
	for _, id := range list {
		if _, err := node.Set(context.Background(), id, data, time.Hour); err != nil {
			b.Fatal(err)
		}
		m.set(id, data)
	}
	return node, m, list
}

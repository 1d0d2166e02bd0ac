package engine

import (
	"runtime"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// statedPerOrigin is what docs/ARCHITECTURE.md says that a run of the past costs, which max-memory does not count.
const statedPerOrigin = 512

func TestTheLatestOriginsAreKept(t *testing.T) {
	m, _ := aged()
	m.known, m.runs = nil, 0
	before := heapInUse()
	started := func(n int) record.Ref {
		return m.origins.Intern(originAt(m.now.Add(time.Duration(n) * time.Millisecond)))
	}
	for n := range maxOrigins {
		m.origin(started(n)).held.Add(1)
	}
	if each := (heapInUse() - before) / maxOrigins; each > statedPerOrigin || each < 64 {
		t.Errorf("a run of the past takes %d bytes, want %d at most", each, statedPerOrigin)
	} else {
		t.Logf("%d bytes for each run", each)
	}
	m.origin(started(maxOrigins + 7)).held.Add(1)
	if m.runs != maxOrigins || m.lookup(started(0)) != nil || m.lookup(started(1)) == nil || m.count.OriginsForgotten != 1 {
		t.Fatalf("%d are kept, the first: %v", m.runs, m.lookup(started(0)) != nil)
	}
	o := m.origin(started(0)) // told of once more by who keeps it
	m.announce(o, 9)
	if m.lookup(o.ref) != nil || len(m.gapped) != 0 {
		t.Error("what was let go is asked for again")
	}
	if m.lookup(started(maxOrigins+7)) == nil {
		t.Error("the latest is gone")
	}
}

func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

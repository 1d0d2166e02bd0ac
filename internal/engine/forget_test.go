package engine

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestTheLatestOriginsAreKept(t *testing.T) {
	m, _ := aged()
	m.known, m.runs = nil, 0
	started := func(n int) record.Ref {
		return m.origins.Intern(originAt(m.now.Add(time.Duration(n) * time.Millisecond)))
	}
	for n := range maxOrigins {
		m.origin(started(n)).held.Add(1)
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

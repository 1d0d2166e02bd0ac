package engine

import (
	"math"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// A tombstone that was young when the donor offered its dot may be collected before it is read: the dot stays open, judged or not.
func TestATransferDoesNotCoverWhatBecameOldWhileItRan(t *testing.T) {
	m, o := aged()
	for i := range uint64(60) { // one an hour
		m.mark(o, 10*i, m.wall())
		m.now = m.now.Add(time.Hour)
	}
	offer := func() (claim []wire.Vector) {
		v := wire.Vector{Origin: o.ref}
		v.Set.AddRange(1, 600)
		return []wire.Vector{v}
	}
	since := m.oldIn(offer())
	m.now = m.now.Add(2 * time.Hour)
	for name, c := range map[string]struct {
		since      map[record.Ref]uint64
		open, last uint64
	}{
		"judged": {since, 361, 380}, "not judged": {nil, 1, 380},
	} {
		var want dots.Set
		if c.open > 1 {
			want.AddRange(1, c.open-1)
		}
		want.AddRange(c.last+1, 600)
		claim := offer()
		if m.withoutOld(claim, c.since); !claim[0].Set.Equal(&want) {
			t.Errorf("%s: covers %v, want %v", name, claim[0].Set, want)
		}
	}
	m.now = m.now.Add(48 * time.Hour)
	claim := offer()
	if m.withoutOld(claim, map[record.Ref]uint64{o.ref: math.MaxUint64}); claim[0].Set.Max() != 600 {
		t.Error("what was old as the transfer began is not covered by it though it was judged")
	}
}

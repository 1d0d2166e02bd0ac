package engine

import (
	"math"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// aged is a Machine with an origin that started two days ago.
func aged() (*Machine, *origin) {
	m := &Machine{origins: new(record.Origins), now: time.UnixMilli(1_700_000_000_000)}
	m.cfg.MaxSkew = 5 * time.Second
	m.table = table.New(table.Config{Self: record.Origin{Node: record.NodeID{1}}, Origins: m.origins, Clock: new(hlc.Clock)})
	start := uint64(m.wall()-48*3600_000) << 16
	o := record.Origin{Node: record.NodeID{2}}
	for i := range 8 {
		o.Incarnation[i] = byte(start >> (56 - 8*i))
	}
	return m, m.origin(m.origins.Intern(o))
}

func TestDotsAboveAMarkAreNotOld(t *testing.T) {
	m, o := aged()
	if got := m.old(o); got != math.MaxUint64 {
		t.Errorf("of an origin without marks dots to %d are old, want all", got)
	}
	for i := range uint64(60) { // one an hour
		m.mark(o, 10*i, m.wall())
		m.now = m.now.Add(time.Hour)
	}
	// The last 24 h and three quarters: the mark after that is 24 h old.
	if got := m.old(o); got != 360 {
		t.Errorf("dots up to %d are old, want 360", got)
	}
	if len(o.marks) > 26 {
		t.Errorf("%d marks are kept", len(o.marks))
	}
	m.now = m.now.Add(25 * time.Hour)
	if got := m.old(o); got != math.MaxUint64 {
		t.Errorf("of an origin silent for a day dots to %d are old, want all", got)
	}
}

func TestAnOriginThatBeganLatelyHasNoOldDots(t *testing.T) {
	m, _ := aged()
	if got := m.old(m.origin(m.origins.Intern(originAt(m.now)))); got != 0 {
		t.Errorf("dots up to %d are old", got)
	}
	if got := m.old(m.origin(m.origins.Intern(originAt(m.now.Add(time.Hour))))); got != math.MaxUint64 {
		t.Error("a start in the future is believed")
	}
}

func originAt(at time.Time) (o record.Origin) {
	o.Node[0] = 3
	for i := range 6 {
		o.Incarnation[i] = byte(at.UnixMilli() >> (40 - 8*i))
	}
	return o
}

func TestMarksNeverExceedTheirLimit(t *testing.T) {
	m, o := aged()
	for i := range uint64(5000) {
		m.mark(o, i, m.wall())
		m.now = m.now.Add(7 * time.Minute)
	}
	if spacing := record.Pad(m.table.Keep().Milliseconds()) / 2; len(o.marks) < 2 || o.marks[1].At-o.marks[0].At < spacing || len(o.marks) > 64 {
		t.Errorf("%d marks", len(o.marks))
	}
}

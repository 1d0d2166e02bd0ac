package table

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// pastOf is a Past that says the same of every birth.
type pastOf bool

func (p pastOf) Over(*record.Birth) bool { return bool(p) }
func (p pastOf) Gone(*record.Birth) bool { return false }
func (p pastOf) Late() bool              { return false }

// goneAt is a Past of a sender at which all that it lacks has ended.
type goneAt struct{}

func (goneAt) Over(*record.Birth) bool { return false }
func (goneAt) Gone(*record.Birth) bool { return true }
func (goneAt) Late() bool              { return false }

// late is a Past of what was long under way.
type late struct{}

func (late) Over(*record.Birth) bool { return false }
func (late) Gone(*record.Birth) bool { return false }
func (late) Late() bool              { return true }

func keepHour(cfg *Config) { cfg.Keep = time.Hour }

// stateOf is what n holds of a key.
func (n *node) stateOf(name string) *record.State {
	n.t.Helper()
	s := new(record.State)
	if !n.Load(key(name), s) {
		n.t.Fatalf("%q is not held", name)
	}
	return s
}

func TestATombstoneIsKeptForKeepWhereThereIsNoLifetime(t *testing.T) {
	n := newNode(t, 1, keepHour)
	n.destroy("s")
	if got := n.stateOf("s").Tomb.Until; got < t0+hour || got > t0+2*hour {
		t.Errorf("kept until %d ms after the destroy", got-t0)
	}
}

func TestAnOldBirthThatIsOverIsNotTaken(t *testing.T) {
	a, b := newNode(t, 1, keepHour), newNode(t, 1, keepHour)
	a.put("s", "one", explicit)
	s := a.stateOf("s")
	b.now = t0 + hour - 1
	if got := b.MergeFrom(b.now, key("young"), s, pastOf(true)); got != Applied {
		t.Errorf("a birth younger than a tombstone's keep: %v", got)
	}
	b.now = t0 + hour
	if got := b.MergeFrom(b.now, key("s"), s, pastOf(true)); got != Over {
		t.Errorf("a birth that is over: %v", got)
	}
	b.want("s", "-")
	if got := b.MergeFrom(b.now, key("s"), s, pastOf(false)); got != Applied {
		t.Errorf("one that is not: %v", got)
	}
	b.want("s", "one")
	if got := b.MergeFrom(b.now, key("s"), s, pastOf(true)); got != Applied || b.Stats().Over != 1 {
		t.Errorf("one that is here: %v, %d counted", got, b.Stats().Over)
	}
}

// A frame may be under way for longer than a tombstone is kept. What it brings and is past by then is not known here: a later change may have
// kept it alive, and who covered its creating dot would end it everywhere.
func TestWhatComesLateAndPastIsNotKnownHere(t *testing.T) {
	a, b := newNode(t, 1, keepHour), newNode(t, 2, keepHour)
	a.put("s", "one", explicit, a.dueIn(2*second))
	a.put("live", "one", explicit, a.dueIn(2*hour))
	s := a.stateOf("s").Clone()
	b.now = t0 + hour
	b.sweep()
	if got := b.MergeFrom(b.now, key("s"), &s, late{}); got != Over {
		t.Errorf("old and past: %v", got)
	}
	b.want("s", "-")
	if got := b.Merge(b.now, key("s"), &s); got != Applied {
		t.Errorf("from who tells all that it holds: %v", got)
	}
	killed := s.Clone()
	killed.Tomb = record.Tombstone{At: killed.Births[0].ID.At, Until: t0 + 1}
	if got := b.MergeFrom(b.now, key("s"), &killed, late{}); got != Applied {
		t.Errorf("with the tombstone that killed it: %v", got)
	}
	if got := b.MergeFrom(b.now, key("s"), &s, pastOf(false)); got != Applied {
		t.Errorf("past, and not late: %v", got)
	}
	if got := b.MergeFrom(b.now, key("live"), a.stateOf("live"), late{}); got != Applied {
		t.Errorf("late, and not past: %v", got)
	}
	b.want("live", "one")
}

func TestDropAbsentEndsOldBirthsBetweenTwoCursors(t *testing.T) {
	n := newNode(t, 1, keepHour)
	n.put("old", "1", explicit)
	w := n.Watch(8)
	defer w.Close()
	n.now += hour
	n.put("new", "2", explicit)
	all := func(record.Key, *record.Birth) bool { return true }
	h := n.hash(key("old"))
	if got := n.DropAbsent(n.now, 0, h, all) + n.DropAbsent(n.now, h+1, 1<<64-1, all); got != 0 {
		t.Errorf("%d dropped beside it", got)
	}
	n.want("old", "1")
	if got := n.DropAbsent(n.now, 0, 1<<64-1, all); got != 1 || n.Stats().Absent != 1 {
		t.Errorf("%d dropped, %d counted, want the old one alone", got, n.Stats().Absent)
	}
	n.want("old", "-")
	n.want("new", "2")
	<-w.C() // of new
	if e := <-w.C(); e.Kind != Destroyed || e.Key != key("old") {
		t.Errorf("watchers are told %v of %q", e.Kind, e.Key.Name)
	}
}

// What ended at the sender goes before what it sends is merged: it would override that, which is past by then but for a deadline that is none.
func TestABirthThatEndedAtTheSenderForgetsNothingOfTheSenders(t *testing.T) {
	donor, n := newNode(t, 1, keepHour), newNode(t, 2, keepHour)
	n.put("s", "ended at the donor", explicit)
	donor.now += second
	donor.put("s", "made anew there", explicit)
	n.now += hour / 2
	n.put("s", "ended, and written once more", n.dueIn(10*hour))
	w := n.Watch(8)
	defer w.Close()
	n.now += 2 * hour
	sent := donor.stateOf("s")
	if got := n.MergeFrom(n.now, key("s"), sent, goneAt{}); got != Applied || n.Stats().Absent != 1 {
		t.Errorf("%v, %d births ended", got, n.Stats().Absent)
	}
	n.want("s", "made anew there")
	if e := <-w.C(); e.Kind != Destroyed {
		t.Errorf("watchers are told %v first", e.Kind)
	}
	if n.MergeFrom(n.now, key("s"), sent, goneAt{}); n.Stats().Absent != 1 {
		t.Error("what the sender has is gone there")
	}
	n.now += hour
	n.put("young", "x", explicit)
	if n.MergeFrom(n.now, key("young"), &record.State{Tomb: record.Tombstone{At: 1, Until: n.now + hour}}, goneAt{}); n.Stats().Absent != 1 {
		t.Error("a birth that is not old went")
	}
}

func TestDropAbsentGoesByTheTimeThatIsBelieved(t *testing.T) {
	n := newNode(t, 1, keepHour)
	n.put("young", "1", explicit)
	n.now += 2 * hour
	n.SetOff(2 * time.Duration(hour) * time.Millisecond) // the clock jumped; nobody else says so
	all := func(record.Key, *record.Birth) bool { return true }
	if got := n.DropAbsent(n.now, 0, ^uint64(0), all); got != 0 {
		t.Errorf("%d births dropped that are old only by a clock that is not believed", got)
	}
	n.SetOff(0)
	if got := n.DropAbsent(n.now, 0, ^uint64(0), all); got != 1 {
		t.Errorf("%d births dropped by a clock that is believed", got)
	}
}

package table

import (
	"fmt"
	"testing"
	"time"
)

const (
	halfHour = hour / 2
	pad30    = halfHour / 16
)

// touched makes a session whose promise exceeds its deadline by the pad, and touches it so that left of that is left.
func (n *node) touched(name string, left int64) {
	n.t.Helper()
	n.put(name, "v", n.dueIn(halfHour))
	n.now += second
	n.expire(name, n.now+halfHour) // beyond the promise of a write, which has no pad
	n.now += pad30 - left
	n.expire(name, n.now+halfHour)
}

func TestATouchThatLeavesLittleOfThePromiseIsReplicatedWithOthers(t *testing.T) {
	n := newNode(t, 1)
	n.touched("a", pad30/renewShare-second)
	seq := n.OwnHigh()
	promised := n.state("a").Births[0].Deadline.Promise
	if due := n.due("a"); due >= promised {
		t.Fatalf("due %d is not within the promise %d", due, promised)
	}
	n.Sweep(n.now)
	due := n.due("a")
	if got := n.OwnHigh(); got != seq+1 {
		t.Fatalf("%d dots after the sweep, want one more than %d", got, seq)
	}
	if d := n.state("a").Births[0].Deadline; d.Due != due || d.Promise != due+pad30 {
		t.Errorf("the register says %+v, want the deadline %d and a pad", d, due)
	}
	n.now += renewEvery
	n.Sweep(n.now)
	if got, s := n.OwnHigh(), n.Stats(); got != seq+1 || s.Renewed != 1 {
		t.Errorf("replicated again: %d dots, %d renewed", got, s.Renewed)
	}
}

func TestATouchThatLeavesMuchOfThePromiseStaysLocal(t *testing.T) {
	n := newNode(t, 1)
	n.touched("a", pad30/renewShare+second)
	seq := n.OwnHigh()
	n.Sweep(n.now)
	if got := n.OwnHigh(); got != seq {
		t.Errorf("%d dots made by a sweep", got-seq)
	}
}

func TestManyTouchesOfOneSessionAreRenewedOnce(t *testing.T) {
	n := newNode(t, 1)
	n.touched("a", 10*second)
	seq := n.OwnHigh()
	for range 9 {
		n.now += 100
		n.expire("a", n.now+halfHour)
	}
	last := n.due("a")
	n.Sweep(n.now)
	if got := n.OwnHigh(); got != seq+1 {
		t.Errorf("%d dots", got-seq)
	}
	if d := n.state("a").Births[0].Deadline.Due; d != last {
		t.Errorf("the peers are told %d, not the last touch %d", d, last)
	}
}

func TestARenewalYieldsToWhatHappenedSince(t *testing.T) {
	for name, since := range map[string]func(n *node){
		"a destroy":      func(n *node) { n.destroy("a") },
		"a shortening":   func(n *node) { n.expire("a", n.now+second) },
		"another write":  func(n *node) { n.put("a", "w", n.dueIn(hour)) },
		"the end":        func(n *node) { n.now += hour },
		"leaving":        func(n *node) { n.StopWrites() },
		"a flush of all": func(n *node) { _, _ = n.Flush(n.now, 0) },
	} {
		n := newNode(t, 1)
		n.touched("a", 10*second)
		since(n)
		seq := n.seq.Load()
		n.Sweep(n.now)
		if got := n.seq.Load(); got != seq {
			t.Errorf("%s: the touch before it was replicated after it", name)
		}
	}
}

func TestAnAbsoluteLifetimeLeavesNothingToRenew(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.Lifetime = time.Hour })
	n.put("a", "v", n.dueIn(halfHour))
	n.now += halfHour - second
	n.expire("a", n.now+halfHour+second) // up to the absolute end
	n.expire("a", n.now+halfHour+second)
	seq := n.OwnHigh()
	n.Sweep(n.now)
	if got := n.OwnHigh(); got != seq {
		t.Errorf("%d dots that promise nothing more", got-seq)
	}
}

// Peers that hear of nothing but renewals never see a session end that is kept alive, and one that is not ends.
func TestRenewalsKeepASessionAliveElsewhere(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "v", a.dueIn(halfHour))
	for range 4 * 60 * 12 { // four hours, a touch every five seconds
		a.now += 5 * second
		b.now = a.now
		a.expire("s", a.now+halfHour)
		a.Sweep(a.now)
		a.send(b, key("s"))
		b.Sweep(b.now)
		if _, ok := b.Get(b.now, key("s")); !ok {
			t.Fatal("it ended elsewhere")
		}
	}
	if s := a.Stats(); s.Renewed < 100 || s.Renewed > 200 || a.OwnHigh() > s.Renewed+2 {
		t.Errorf("%d renewed, %d dots in four hours", s.Renewed, a.OwnHigh())
	}
	b.now += halfHour + pad30 + second
	if _, ok := b.Get(b.now, key("s")); ok {
		t.Error("it outlived its last touch by more than the pad")
	}
}

// limits: maxRenewals
func TestRenewalsWaitingAreLimited(t *testing.T) {
	n := newNode(t, 1)
	for i := range maxRenewals + 10 {
		n.put(fmt.Sprint(i), "v", n.dueIn(halfHour))
	}
	n.now += second
	for i := range maxRenewals + 10 {
		n.expire(fmt.Sprint(i), n.now+halfHour)
	}
	n.now += pad30 - second
	for i := range maxRenewals + 10 {
		n.expire(fmt.Sprint(i), n.now+halfHour)
	}
	if s := n.Stats(); s.RenewDropped != 10 || len(n.renewals.list) != maxRenewals {
		t.Errorf("%d wait, %d found no room", len(n.renewals.list), s.RenewDropped)
	}
	seq := n.OwnHigh()
	for n.Stats().Renewed < maxRenewals {
		before := n.OwnHigh()
		n.Sweep(n.now)
		if made := n.OwnHigh() - before; made == 0 || made > renewBatch {
			t.Fatalf("%d renewed by one sweep", made)
		}
	}
	if n.OwnHigh() != seq+maxRenewals || len(n.renewals.queued) != 0 {
		t.Errorf("%d dots, %d keys left", n.OwnHigh()-seq, len(n.renewals.queued))
	}
	n.now += second
	n.expire("0", n.now+halfHour) // local again; and who found no room is replicated at once
	n.expire(fmt.Sprint(maxRenewals+5), n.now+halfHour)
	if got := n.OwnHigh(); got != seq+maxRenewals+1 {
		t.Errorf("%d dots, want one more", got-seq-maxRenewals)
	}
}

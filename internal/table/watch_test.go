package table

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

func (k EventKind) String() string {
	return [...]string{"?", "created", "changed", "touched", "destroyed", "expired"}[k]
}

func drain(w *Watcher) (out []string) {
	for {
		select {
		case ev := <-w.C():
			s := fmt.Sprintf("%v %s", ev.Kind, ev.Key.Name)
			if ev.Remote {
				s += " remote"
			}
			out = append(out, s)
		default:
			return out
		}
	}
}

func TestEventsTellWhatAReaderSees(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	wa, wb := a.Watch(100), b.Watch(100)
	send := func() { a.send(b, key("s")); a.send(b, key("s")) }
	want := func(w *Watcher, events ...string) {
		t.Helper()
		if got := drain(w); !slices.Equal(got, events) {
			t.Fatalf("%v, want %v", got, events)
		}
	}
	a.put("s", "x", a.dueIn(10*second))
	send()
	want(wa, "created s")
	want(wb, "created s remote")
	a.put("s", "y", keepLife)
	send()
	want(wa, "changed s")
	want(wb, "changed s remote")
	a.now++
	a.expire("s", a.now+20*second)
	send()
	want(wa, "touched s")
	want(wb, "touched s remote")
	a.pass(30 * second)
	b.pass(30 * second)
	want(wa, "expired s")
	want(wb, "expired s")
	a.put("s", "z", a.dueIn(10*second))
	a.now += 30 * second
	a.put("s", "z", a.dueIn(10*second)) // not swept in between
	a.destroy("s")
	a.destroy("s")
	send()
	want(wa, "created s", "expired s", "created s", "destroyed s")
	want(wb)
	a.put("s", "x", ifAbsent)
	a.put("t", "x")
	send()
	drain(wa)
	drain(wb)
	if _, err := a.Flush(a.now, 0); err != nil {
		t.Fatal(err)
	}
	a.sendAll(b)
	got := drain(wa)
	slices.Sort(got)
	if !slices.Equal(got, []string{"destroyed s", "destroyed t"}) {
		t.Fatalf("flushed: %v", got)
	}
	want(wb, "destroyed s remote")
}

func TestSlowWatcherLosesAndCounts(t *testing.T) {
	n := newNode(t, 1)
	w := n.Watch(2)
	for _, name := range names(5) {
		n.put(name, "x")
	}
	if got := len(drain(w)); got != 2 || w.Lost() != 3 {
		t.Fatalf("%d events, %d lost", got, w.Lost())
	}
}

func TestWatchersMayComeAndGoAtAnyTime(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.OnWrite = nil })
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range 2000 {
				_, _ = n.Put(t0, key(fmt.Sprint(i%10)), &Write{})
			}
		})
		wg.Go(func() {
			for range 5 {
				w := n.Watch(1)
				w.Close()
				w.Close()
				for range w.C() {
				}
			}
		})
	}
	wg.Wait()
	if n.watch.list.Load() != nil {
		t.Fatal("watchers are left")
	}
}

// "Events of one key are in order": each event's kind fits the one before.
func TestEventsOfOneKeyAreInOrder(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.OnWrite, c.Hold = nil, 0 })
	w := n.Watch(1 << 16)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				if i%3 == 0 {
					_, _ = n.Destroy(t0, key("s"), false)
				} else {
					_, _ = n.Put(t0, key("s"), &Write{})
				}
			}
		})
	}
	wg.Wait()
	w.Close()
	there := false
	for ev := range w.C() {
		if (ev.Kind == Created) == there {
			t.Fatalf("%v while there: %v", ev.Kind, there)
		}
		there = ev.Kind != Destroyed
	}
	if _, ok := n.Get(t0, key("s")); ok != there {
		t.Fatalf("by the events it is there: %v, in truth: %v", there, ok)
	}
}

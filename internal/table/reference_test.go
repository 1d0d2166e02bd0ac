package table

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// reference is the plain meaning of the rules for one node that hears of no other: one map, one value per key.
type reference struct {
	clock   hlc.Clock
	life    int64
	hold    int64
	skew    int64
	floor   [2]hlc.Stamp
	entries map[record.Key]*refEntry
}

type refEntry struct {
	born                   bool // a birth, visible or not
	value, owner           string
	id                     hlc.Stamp
	due, promise, absolute int64
	tomb, holdEnd, highest hlc.Stamp
}

func (r *reference) visible(now int64, k record.Key) (*refEntry, bool) {
	e := r.entries[k]
	if e == nil {
		return nil, false
	}
	at := r.clock.Read(now).Millis()
	return e, e.born && (e.due == 0 || at < e.promise+r.skew)
}

func (r *reference) stamp(now int64, k record.Key, e *refEntry) hlc.Stamp {
	e.highest = max(r.clock.Now(now), e.highest+1, r.floor[k.DB]+1)
	return e.highest
}

func (r *reference) cap(e *refEntry, due int64) int64 {
	if e.absolute != 0 && (due == 0 || due > e.absolute) {
		return e.absolute
	}
	return due
}

func (r *reference) put(now int64, k record.Key, w *Write) (done bool, err error) {
	e, visible := r.visible(now, k)
	if w.If == IfAbsent && visible || w.If == IfPresent && !visible {
		return false, nil
	}
	if !visible && w.If == Always && !w.Explicit && e != nil && r.clock.Read(now) <= e.holdEnd {
		return false, ErrDestroyed
	}
	if e == nil {
		e = &refEntry{}
		r.entries[k] = e
	}
	at := r.clock.Read(now).Millis()
	s := r.stamp(now, k, e)
	if !visible {
		e.born, e.id, e.due, e.promise, e.absolute, e.owner = true, s, 0, 0, 0, ""
		if r.life != 0 {
			e.absolute = at + r.life
		}
	}
	e.value = string(w.Value)
	if w.OwnerSet {
		e.owner = w.Owner
	}
	if w.Life == LifeSet || !visible {
		due := w.Due
		if w.Life == LifeKeep {
			due = 0
		}
		e.due = r.cap(e, due)
		e.promise = e.due
	}
	return true, nil
}

func (r *reference) expire(now int64, k record.Key, due int64, cond ExpireCond) bool {
	e, visible := r.visible(now, k)
	if !visible {
		return false
	}
	at := r.clock.Read(now).Millis()
	if due != 0 && due <= at {
		if !cond.holds(due, e.due) {
			return false
		}
		r.destroy(now, k, false)
		return true
	}
	due = r.cap(e, due)
	if !cond.holds(due, e.due) || due == 0 && e.due == 0 {
		return false
	}
	if due == e.due {
		return true
	}
	r.stamp(now, k, e)
	switch {
	case due == 0 || e.due == 0 || due < e.due:
		e.promise = due
	case due > e.promise:
		e.promise = r.cap(e, due+max(1000, (due-at)/16))
	}
	e.due = due
	return true
}

func (r *reference) destroyStamp(now int64, highest hlc.Stamp) hlc.Stamp {
	return max(r.clock.Now(now).Add(5*time.Second)|0xffff, highest+1)
}

func (r *reference) destroy(now int64, k record.Key, hold bool) {
	e := r.entries[k]
	if e == nil {
		e = &refEntry{}
		r.entries[k] = e
	}
	held := r.clock.Read(now) <= e.holdEnd
	e.tomb = r.destroyStamp(now, max(e.highest, r.floor[k.DB]))
	e.highest = e.tomb
	if held && e.holdEnd <= e.tomb {
		e.holdEnd = e.tomb + 1
	}
	if hold && e.born && e.due != 0 && r.hold > 0 {
		e.holdEnd = max(e.holdEnd, e.tomb.Add(time.Duration(r.hold)*time.Millisecond))
	}
	e.born = false
}

func (r *reference) flush(now int64, db uint8) {
	highest := r.floor[db]
	for k, e := range r.entries {
		if k.DB == db && e.born {
			highest = max(highest, e.id)
		}
	}
	r.floor[db] = r.destroyStamp(now, highest)
	for k, e := range r.entries {
		if k.DB == db {
			e.born = false
		}
	}
}

func drawKey(t *rapid.T) record.Key {
	return record.Key{
		DB:   uint8(rapid.IntRange(0, 1).Draw(t, "db")),
		Name: fmt.Sprint("k", rapid.IntRange(0, 3).Draw(t, "key")),
	}
}

func drawDue(t *rapid.T, now int64) int64 {
	switch rapid.IntRange(0, 5).Draw(t, "due kind") {
	case 0:
		return 0
	case 1:
		return now - rapid.Int64Range(0, 2000).Draw(t, "past")
	}
	return now + rapid.Int64Range(1, 120_000).Draw(t, "due")
}

// labels are the owners that sessions are drawn from; the first is none.
var labels = []string{"", "u1", "u2"}

func drawWrite(t *rapid.T, now int64) Write {
	return Write{
		Value:    []byte(fmt.Sprint(rapid.IntRange(0, 1000).Draw(t, "value"))),
		If:       Condition(rapid.IntRange(0, 2).Draw(t, "if")),
		Explicit: rapid.Bool().Draw(t, "explicit"),
		Due:      drawDue(t, now),
		Life:     LifeMode(rapid.IntRange(0, 1).Draw(t, "life")),
		Owner:    rapid.SampledFrom(labels).Draw(t, "owner"),
		OwnerSet: rapid.Bool().Draw(t, "owner set"),
	}
}

// TestAgainstTheReference runs any sequence of operations on a table and on the reference: what they answer and what
// they show is the same after each.
func TestAgainstTheReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ref := &reference{hold: 60_000, skew: 1500, entries: map[record.Key]*refEntry{}}
		if rapid.Bool().Draw(rt, "lifetime") {
			ref.life = 200_000
		}
		n := newNode(t, 1, func(c *Config) { c.Lifetime = time.Duration(ref.life) * time.Millisecond })
		n.SetSkew(1500 * time.Millisecond)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			stepBoth(rt, n, ref)
			compare(rt, n, ref)
		}
		n.audit()
	})
}

func stepBoth(t *rapid.T, n *node, ref *reference) {
	k := drawKey(t)
	switch rapid.IntRange(0, 7).Draw(t, "step") {
	case 0, 1, 2:
		w := drawWrite(t, n.now)
		res, err := n.Put(n.now, k, &w)
		done, wantErr := ref.put(n.now, k, &w)
		if res.Done != done || !errors.Is(err, wantErr) || (res.Seq != 0) != done {
			t.Fatalf("put %+v: %+v, %v; want done %v, %v", w, res, err, done, wantErr)
		}
	case 3:
		due, cond := drawDue(t, n.now), ExpireCond(rapid.IntRange(0, 4).Draw(t, "cond"))
		res, err := n.Expire(n.now, k, due, cond)
		if want := ref.expire(n.now, k, due, cond); err != nil || res.Done != want {
			t.Fatalf("expire to %d if %d: %+v, %v; want done %v", due-n.now, cond, res, err, want)
		}
	case 4:
		_, visible := ref.visible(n.now, k)
		hold := rapid.Bool().Draw(t, "hold") && visible // whether a hidden one still counts depends on its purge
		res, err := n.Destroy(n.now, k, hold)
		if err != nil || res.Existed != visible || !res.Done {
			t.Fatalf("destroy: %+v, %v; want existed %v", res, err, visible)
		}
		ref.destroy(n.now, k, hold)
	case 5:
		if rapid.IntRange(0, 2).Draw(t, "log out everywhere") == 0 {
			logOutBoth(t, n, ref, k)
		}
		if rapid.IntRange(0, 4).Draw(t, "flush") == 0 {
			if _, err := n.Flush(n.now, int(k.DB)); err != nil {
				t.Fatal(err)
			}
			ref.flush(n.now, k.DB)
		}
	case 6:
		n.now += rapid.Int64Range(1, 60_000).Draw(t, "time")
	case 7:
		n.sweep()
		for db := range 2 {
			if got, want := n.Len(db), len(visibleNames(n.now, ref, uint8(db))); got != want {
				t.Fatalf("%d sessions in %d after a sweep, want %d", got, db, want)
			}
		}
	}
}

// logOutBoth destroys an owner's sessions but one. Whether one that is hidden gets a tombstone and a hold, too, depends on its purge: so
// each of these is destroyed before.
func logOutBoth(t *rapid.T, n *node, ref *reference, but record.Key) {
	owner := rapid.SampledFrom(labels[1:]).Draw(t, "owner")
	want := ownedNames(n.now, ref, but.DB, owner)
	for k, e := range ref.entries {
		if k.DB != but.DB || !e.born || e.owner != owner || want[k.Name] != 0 {
			continue
		}
		if _, err := n.Destroy(n.now, k, false); err != nil {
			t.Fatal(err)
		}
		ref.destroy(n.now, k, false)
	}
	delete(want, but.Name)
	l := Logout{Owner: owner, Except: func(name string) bool { return name == but.Name }}
	if got := n.logOut(int(but.DB), &l, 1); got != len(want) {
		t.Fatalf("%d sessions of %s destroyed, want %d", got, owner, len(want))
	}
	for name := range want {
		ref.destroy(n.now, record.Key{DB: but.DB, Name: name}, true)
	}
}

func visibleNames(now int64, ref *reference, db uint8) map[string]int {
	out := map[string]int{}
	for k := range ref.entries {
		if _, ok := ref.visible(now, k); ok && k.DB == db {
			out[k.Name] = 1
		}
	}
	return out
}

func ownedNames(now int64, ref *reference, db uint8, owner string) map[string]int {
	out := visibleNames(now, ref, db)
	for name := range out {
		if ref.entries[record.Key{DB: db, Name: name}].owner != owner {
			delete(out, name)
		}
	}
	return out
}

func compare(t *rapid.T, n *node, ref *reference) {
	for db := range uint8(2) {
		for i := range 4 {
			k := record.Key{DB: db, Name: fmt.Sprint("k", i)}
			v, ok := n.Get(n.now, k)
			e, want := ref.visible(n.now, k)
			if ok != want || ok && (string(v.Value) != e.value || v.Due != e.due || v.Owner != e.owner) {
				t.Fatalf("%v: %v %q of %q due %d, want %v %+v", k, ok, v.Value, v.Owner, v.Due-n.now, want, e)
			}
		}
		for _, owner := range labels[1:] {
			if d := diff(ownedNames(n.now, ref, db, owner), n.owned(int(db), owner, 1)); d != "" {
				t.Fatalf("sessions of %s in %d: %s", owner, db, d)
			}
		}
		if d := diff(visibleNames(n.now, ref, db), scanAll(n, int(db), 1)); d != "" {
			t.Fatalf("scan of %d: %s", db, d)
		}
	}
}

package table

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/record"
)

// lies is where a key's packed form lies.
func (n *node) lies(name string) *packed {
	h := n.hash(key(name))
	return n.bucket(h).find(h, key(name))
}

func TestAValueThatNobodyKeepsIsWrittenOver(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(hour))
	for _, c := range []struct {
		what  string
		do    func()
		moves bool
	}{
		{"nothing", func() {}, false},
		{"a Look", func() { n.Look(n.now, key("s"), func(View) {}) }, false},
		{"a Get", func() { n.get("s") }, true},
		{"a Load", func() { n.state("s") }, true},
		{"a LoadCopy", func() { n.LoadCopy(key("s"), new(record.State), nil) }, false},
		{"a Chunk", func() { n.Chunk(0, 1<<20, nil, func(record.Key, *record.State) {}) }, true},
		{"a Scan", func() { n.Scan(n.now, 0, 0, 10, func(string, View) {}) }, true},
		{"a write of another length", func() { n.put("s", "three", n.dueIn(hour)) }, true},
		{"a write that asks for the value before", func() { n.put("s", "old", n.dueIn(hour), func(w *Write) { w.NeedBefore = true }) }, true},
	} {
		n.put("s", "one", n.dueIn(hour)) // nobody has it
		n.put("s", "one", n.dueIn(hour)) // and its registers have their length
		was := n.lies("s")
		c.do()
		n.put("s", "two", n.dueIn(hour))
		if moved := n.lies("s") != was; moved != c.moves {
			t.Errorf("after %s: moved %v", c.what, moved)
		}
		n.want("s", "two")
	}
}

func TestOverwritingTakesNoMemory(t *testing.T) {
	n := newNode(t, 1)
	value := make([]byte, 512)
	w := Write{Value: value, Due: n.now + hour}
	for range 2 * LogSize {
		_, _ = n.Put(n.now, key("s"), &w)
	}
	was := n.lies("s")
	for i := range 1000 {
		value[i%512]++
		_, _ = n.Put(n.now, key("s"), &w)
	}
	if n.lies("s") != was {
		t.Error("1000 writes of the same length moved the session")
	}
	n.want("s", string(value))
	n.audit()
	n.auditPages()
}

// What is copied is what Load gives, and of large values it is the same memory.
func TestLoadCopyIsLoad(t *testing.T) {
	n := newNode(t, 1)
	n.put("small", "value", n.dueIn(hour), func(w *Write) { w.Owner, w.OwnerSet = "whose", true })
	n.put("none", "")
	n.put("large", string(make([]byte, maxPaged+1)))
	n.destroy("gone")
	buf := []byte("before")
	for _, name := range []string{"small", "none", "large", "gone", "unknown"} {
		var want, got record.State
		known := n.Load(key(name), &want)
		var is bool
		if buf, is = n.LoadCopy(key(name), &got, buf); is != known || diff(want, got) != "" {
			t.Errorf("%s: known %v, %s", name, is, diff(want, got))
		}
	}
	if string(buf) != "beforevalue" {
		t.Errorf("copied %q", buf)
	}
	var s record.State
	n.LoadCopy(key("large"), &s, nil)
	n.put("large", string(append(make([]byte, maxPaged), 'x')))
	if b := s.Births[0].Value.Bytes; b[maxPaged] != 0 {
		t.Error("a large value was written over while it was in use")
	}
}

// A touch leaves the value where it is, also where somebody keeps it.
func TestATouchMovesNoValue(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "value", n.dueIn(hour))
	n.expire("s", n.now+2*hour)
	n.expire("s", n.now+3*hour)
	kept, _ := n.Get(n.now, key("s"))
	was := n.lies("s")
	n.expire("s", n.now+4*hour)
	if n.lies("s") != was || n.due("s") != n.now+4*hour {
		t.Errorf("moved: %v, due %d", n.lies("s") != was, n.due("s"))
	}
	if string(kept.Value) != "value" {
		t.Errorf("what was read is %q", kept.Value)
	}
	n.audit()
}

// kept is what somebody got, and what it was then.
type kept struct{ got, was []byte }

func keep(list []kept, b []byte) []kept { return append(list, kept{b, append([]byte(nil), b...)}) }

// Whatever is done, what was given away never changes.
func TestWhatIsKeptNeverChanges(tt *testing.T) {
	rapid.Check(tt, func(t *rapid.T) {
		n, other := newNode(tt, 1), newNode(tt, 2)
		var held []kept
		states := func(s *record.State) {
			for i := range s.Births {
				held = keep(held, s.Births[i].Value.Bytes)
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := record.Key{Name: fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "key"))}
			value := fmt.Sprintf("%0*d", rapid.IntRange(1, 3).Draw(t, "length"), i%10)
			due := n.now + rapid.Int64Range(1, 3).Draw(t, "life")*hour
			w := Write{Value: []byte(value), Due: due}
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2:
				_, _ = n.Put(n.now, k, &w)
			case 3:
				_, _ = n.Expire(n.now, k, due, ExpireAlways)
			case 4:
				v, _ := n.Get(n.now, k)
				held = keep(held, v.Value)
			case 5:
				var s record.State
				if n.Load(k, &s); i%2 == 0 {
					n.LoadCopy(k, &s, nil)
				}
				states(&s)
			case 6:
				n.Chunk(0, 1<<20, nil, func(_ record.Key, s *record.State) { states(s) })
				n.Scan(n.now, 0, 0, 10, func(_ string, v View) { held = keep(held, v.Value) })
			case 7:
				w.NeedBefore = true
				res, _ := n.Put(n.now, k, &w)
				held = keep(held, res.Before.Value)
			case 8:
				_, _ = other.Put(n.now, k, &w)
				var s record.State
				other.Load(k, &s)
				in := other.translate(n, &s)
				n.Merge(n.now, k, &in)
			case 9:
				res, _ := n.Destroy(n.now, k, false)
				held = keep(held, res.Before.Value)
			}
			n.now += rapid.Int64Range(0, 1000).Draw(t, "pass")
		}
		n.audit()
		n.auditPages()
		for _, h := range held {
			if string(h.got) != string(h.was) {
				t.Fatalf("%q became %q", h.was, h.got)
			}
		}
	})
}

// For the race detector: sessions are written over, read and kept while the pages that they lie in are emptied.
func TestOverwritingWhilePagesAreEmptied(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.OnWrite = nil })
	all := names(300)
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for round := range rounds {
				for i, name := range all {
					value := fmt.Sprintf("%0*d", 100+(round*g+i)%3, round)
					_, _ = n.Put(t0, key(name), &Write{Value: []byte(value), Due: t0 + hour})
					if v, ok := n.Get(t0, key(name)); (round+i)%5 == 0 && (!ok || len(v.Value) < 100 || v.Value[0] != '0') {
						t.Errorf("read %q", v.Value)
					}
					n.Look(t0, key(name), func(v View) {
						if len(v.Value) < 100 || v.Value[0] != '0' {
							t.Errorf("saw %q", v.Value)
						}
					})
				}
				n.Sweep(t0)
			}
		})
	}
	wg.Wait()
	if n.Stats().Compacted == 0 {
		t.Error("no page was emptied: the test sees nothing")
	}
	n.audit()
	n.auditPages()
}

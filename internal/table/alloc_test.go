package table

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/record"
)

func wantAllocs(t *testing.T, what string, limit float64, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n > limit {
		t.Errorf("%s: %v allocations, want at most %v", what, n, limit)
	}
}

func TestAllocationBudgets(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	name := names(1)[0]
	a.put(name, "value", a.dueIn(hour))
	a.send(b, key(name))
	for range LogSize { // the log has grown to its size
		a.put(name, "value", a.dueIn(hour))
	}
	s := b.state(name)
	w := Write{Value: []byte("value"), Due: a.now + hour}
	var into record.State
	i, seen := int64(0), 0
	wantAllocs(t, "Get", 0, func() { a.Get(a.now, key(name)) })
	wantAllocs(t, "Look", 0, func() { a.Look(a.now, key(name), func(v View) { seen += len(v.Value) }) })
	wantAllocs(t, "Get of nothing", 0, func() { a.Get(a.now, key("nothing")) })
	wantAllocs(t, "Get of a long name", 0, func() { a.Get(a.now, key("a name that is longer than the sixty-three bytes of the short way")) })
	wantAllocs(t, "Put", 0, func() { _, _ = a.Put(a.now, key(name), &w) })
	wantAllocs(t, "touch", 1, func() { i++; _, _ = a.Expire(a.now, key(name), a.now+hour+i, ExpireAlways) })
	wantAllocs(t, "Merge of an equal state", 0, func() { b.Merge(b.now, key(name), &s) })
	wantAllocs(t, "Load", 0, func() { a.Load(key(name), &into) })
	wantAllocs(t, "Sweep of nothing", 0, func() { a.Sweep(a.now) })
	fresh := names(2000) // the entry, its name in the log, slots
	labelled := Write{Value: []byte("value"), Owner: "user", OwnerSet: true}
	a.put("labelled", "value")
	wantAllocs(t, "Put of a labelled session", 0, func() { _, _ = a.Put(a.now, key("labelled"), &labelled) })
	wantAllocs(t, "Put of a new session", 4, func() { fresh = fresh[1:]; _, _ = a.Put(a.now, key(fresh[0]), &w) })
}

// TestCostIsCloseToTheHeap holds the counted bytes against what the heap grew by. What is counted is a session's own, alike on every
// node, so that what fits one fits another; what lies idle in pages whose entries were written over is not, and a page may be so by
// a quarter. That nothing else is missing, the pages and slots themselves say.
func TestCostIsCloseToTheHeap(t *testing.T) {
	if testing.Short() {
		t.Skip("measures the heap of 160,000 entries")
	}
	const (
		many    = 40_000
		written = 0.8                                // of the heap: entries as they were written
		over    = (100 - slackWriting) / 100.0 * 0.9 // entries written over
	)
	for _, c := range []struct {
		what  string
		least float64
		fill  func(n *node, name string)
	}{
		{"sessions of 512 B", written, func(n *node, name string) { n.put(name, string(make([]byte, 512)), n.dueIn(hour)) }},
		{"small sessions", written, func(n *node, name string) { n.put(name, "0123456789abcdef", n.dueIn(hour)) }},
		{"labelled sessions", written, func(n *node, name string) {
			n.put(name, "0123456789abcdef", n.dueIn(hour), of("user-"+name[len(name)-8:len(name)-1]))
		}},
		{"sessions of one owner", written, func(n *node, name string) { n.put(name, "0123456789abcdef", n.dueIn(hour), of("guest")) }},
		{"touched sessions", over, func(n *node, name string) {
			n.put(name, "0123456789abcdef", n.dueIn(hour))
			n.expire(name, n.now+hour+1)
			n.expire(name, n.now+hour+2)
		}},
		{"tombstones", over, func(n *node, name string) { n.put(name, "x"); n.destroy(name) }},
	} {
		var before, after runtime.MemStats
		n := newNode(t, 1)
		for seq := range LogSize { // the log is no part of the entries
			n.own.note(uint64(seq), record.Key{Name: fmt.Sprintf("sess:%032d", seq)}, false)
		}
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range many {
			c.fill(n, fmt.Sprintf("sess:%032d", i))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		heap, counted, held := float64(after.HeapAlloc-before.HeapAlloc)/many, float64(n.Bytes())/many, float64(n.held())/many
		t.Logf("%s: %.0f B of heap each, %.0f in pages and slots, counted %.0f", c.what, heap, held, counted)
		if counted < heap*c.least || counted > heap*1.1 {
			t.Errorf("%s: counted %.0f B each, the heap holds %.0f", c.what, counted, heap)
		}
		if held < heap*0.9 || held > heap*1.1 {
			t.Errorf("%s: pages and slots have %.0f B each, the heap holds %.0f", c.what, held, heap)
		}
	}
}

// held is what the pages and the slots take, in use or not.
func (n *node) held() int64 {
	bytes, _ := n.pages()
	for i := range n.buckets {
		bytes += int64(cap(n.buckets[i].slots)) * int64(unsafe.Sizeof(slot{}))
	}
	for i := range n.owners {
		bytes += int64(cap(n.owners[i].runs)) * int64(unsafe.Sizeof(run{}))
		for _, r := range n.owners[i].runs {
			bytes += int64(cap(r.pairs)) * int64(unsafe.Sizeof(pair{}))
		}
	}
	return bytes
}

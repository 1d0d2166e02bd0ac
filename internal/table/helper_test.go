package table

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	t0     = int64(1_700_000_000_000)
	second = int64(1000)
	hour   = 3600 * second
)

func originNo(n int) record.Origin {
	var o record.Origin
	o.Node[0], o.Incarnation[0] = byte(n), byte(n)
	return o
}

// node is a table with a wall clock of its own.
type node struct {
	*Table
	t       testing.TB
	now     int64
	written int // calls of OnWrite
}

func newNode(t testing.TB, n int, change ...func(*Config)) *node {
	nd := &node{t: t, now: t0}
	cfg := Config{
		Self: originNo(n), Origins: new(record.Origins), Clock: new(hlc.Clock), Secret: [16]byte{1},
		Hold: time.Minute, OnWrite: func() { nd.written++ },
	}
	for _, c := range change {
		c(&cfg)
	}
	nd.Table = New(cfg)
	return nd
}

func key(name string) record.Key { return record.Key{Name: name} }

func (n *node) put(name, value string, change ...func(*Write)) Result {
	n.t.Helper()
	res, err := n.tryPut(name, value, change...)
	if err != nil || !res.Done {
		n.t.Fatalf("put %s: done %v, %v", name, res.Done, err)
	}
	return res
}

func (n *node) tryPut(name, value string, change ...func(*Write)) (Result, error) {
	w := Write{Value: []byte(value)}
	for _, c := range change {
		c(&w)
	}
	return n.Put(n.now, key(name), &w)
}

func (n *node) dueIn(ms int64) func(*Write) { return func(w *Write) { w.Due = n.now + ms } }

func of(owner string) func(*Write) {
	return func(w *Write) { w.Owner, w.OwnerSet = owner, true }
}

func ifAbsent(w *Write)  { w.If = IfAbsent }
func ifPresent(w *Write) { w.If = IfPresent }
func explicit(w *Write)  { w.Explicit = true }
func keepLife(w *Write)  { w.Life = LifeKeep }

func (n *node) expire(name string, due int64) Result {
	n.t.Helper()
	res, err := n.Expire(n.now, key(name), due, ExpireAlways)
	if err != nil {
		n.t.Fatalf("expire %s: %v", name, err)
	}
	return res
}

// patch writes fields "name=JSON", and removes those of which nothing is said.
func (n *node) patch(name string, members ...string) Patched {
	n.t.Helper()
	return n.patchSince(name, 0, members...)
}

func (n *node) patchSince(name string, since hlc.Stamp, members ...string) Patched {
	n.t.Helper()
	w := Patch{Life: LifeKeep, Since: since}
	for _, m := range members {
		if field, value, ok := strings.Cut(m, "="); ok {
			w.Set = append(w.Set, fields.Member{Name: field, Value: []byte(value)})
		} else {
			w.Remove = append(w.Remove, field)
		}
	}
	res, err := n.Patch(n.now, key(name), &w)
	if err != nil {
		n.t.Fatalf("patch %s: %v", name, err)
	}
	return res
}

func (n *node) destroy(name string) Result {
	n.t.Helper()
	res, err := n.Destroy(n.now, key(name), true)
	if err != nil {
		n.t.Fatalf("destroy %s: %v", name, err)
	}
	return res
}

// get is the value that a reader sees, "-" for none.
func (n *node) get(name string) string {
	v, ok := n.Get(n.now, key(name))
	if !ok {
		return "-"
	}
	return string(v.Value)
}

func (n *node) want(name, value string) {
	n.t.Helper()
	if got := n.get(name); got != value {
		n.t.Fatalf("%s is %q, want %q", name, got, value)
	}
}

func (n *node) due(name string) int64 {
	v, _ := n.Get(n.now, key(name))
	return v.Due
}

func (n *node) state(name string) record.State {
	var s record.State
	n.Load(key(name), &s)
	return s
}

func (n *node) sweep() {
	for n.Sweep(n.now) {
	}
}

func (n *node) pass(ms int64) {
	n.now += ms
	n.sweep()
}

// hear observes the clock of a peer that is ahead of this node's wall clock.
func (n *node) hear(ahead int64) {
	n.t.Helper()
	if !n.cfg.Clock.Observe(hlc.At(n.now+ahead), n.now, n.cfg.MaxSkew) {
		n.t.Fatalf("%d ms ahead is beyond the limit", ahead)
	}
}

// translate is s with m's refs in place of n's.
func (n *node) translate(m *node, s *record.State) record.State {
	ref := func(r record.Ref) record.Ref { return m.cfg.Origins.Intern(n.cfg.Origins.Origin(r)) }
	c := s.Clone()
	for i := range c.Births {
		b := &c.Births[i]
		b.ID.By, b.Value.By, b.Deadline.By = ref(b.ID.By), ref(b.Value.By), ref(b.Deadline.By)
		if b.Value.Type == record.TypePatched {
			b.Value.Whole.By = ref(b.Value.Whole.By)
		}
	}
	return c
}

// send gives m what n knows of k, and reports the outcome.
func (n *node) send(m *node, k record.Key) Outcome {
	var s record.State
	n.Load(k, &s)
	in := n.translate(m, &s)
	return m.Merge(m.now, k, &in)
}

// sendAll gives m everything that n knows, chunk by chunk.
func (n *node) sendAll(m *node) {
	for cursor, done := uint64(0), false; !done; {
		cursor, done = n.Chunk(cursor, 4096, nil, func(k record.Key, s *record.State) {
			in := n.translate(m, s)
			m.Merge(m.now, k, &in)
		})
	}
}

// owned is the names of an owner's sessions, count at a time, and how often each came.
func (n *node) owned(db int, owner string, count int) map[string]int {
	out := map[string]int{}
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		cursor = n.Owned(n.now, db, owner, cursor, count, func(name string, _ View) { out[name]++ })
	}
	return out
}

// logOut destroys an owner's sessions, count at a time.
func (n *node) logOut(db int, l *Logout, count int) (destroyed int) {
	n.t.Helper()
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		res, err := n.DestroyOwned(n.now, db, l, cursor, count)
		if err != nil {
			n.t.Fatal(err)
		}
		destroyed += res.Destroyed
		cursor = res.Next
	}
	return destroyed
}

func diff(a, b any) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

// audit recounts everything that the table derives from its states.
func (n *node) audit() {
	n.t.Helper()
	var bytes, sessions, hiddens, tombs, sums int64
	t := n.Table
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.Lock()
		var sum, last uint64
		used := 0
		b.walk(0, func(hash uint64, e *entry) bool {
			if hash < last || hash != t.hash(e.key()) || b.find(hash, e.key()) != e.packed {
				n.t.Fatalf("entry out of place")
			}
			last = hash
			used++
			sum += t.cfg.Origins.Fingerprint(hash, &e.state)
			bytes += int64(e.cost)
			n.checkPacked(e)
			switch e.class {
			case session:
				sessions++
			case hidden:
				hiddens++
			case tombstone:
				tombs++
			default:
				n.t.Fatalf("an entry that says nothing was kept")
			}
			// Where the clock was ahead when it was queued, that may be later than it looks now; see nextWake.
			if next := t.nextWake(e, t.clusterTime(n.now)); max(next, t.cfg.Clock.Read(n.now).Millis()+1) < e.wake || e.wake < b.next.Load() {
				n.t.Fatalf("due at %d, queued for %d, the bucket at %d", next, e.wake, b.next.Load())
			}
			return true
		})
		if used != int(b.n.Load()) || sum != b.sum.Load() {
			n.t.Fatalf("bucket %d: %d of %d entries, sum %x of %x", i, used, b.n.Load(), sum, b.sum.Load())
		}
		sums += int64(sum)
		b.mu.Unlock()
	}
	bytes += ownedCost * n.auditOwners()
	s := t.Stats()
	if got := [...]int64{s.Bytes, s.Sessions, s.Hidden, s.Tombstones}; got != [...]int64{bytes, sessions, hiddens, tombs} {
		n.t.Fatalf("bytes, sessions, hidden, tombstones are %v, counted %v", got, []int64{bytes, sessions, hiddens, tombs})
	}
}

// auditOwners recounts the pairs of the index of owners, and returns how many there are.
func (n *node) auditOwners() (count int64) {
	n.t.Helper()
	t := n.Table
	want := map[pair]int{}
	t.each(func(_ *bucket, hash uint64, e *entry) {
		if v, _ := e.state.Winner(t.cfg.Origins, 0); v != nil && v.Value.Owner != "" {
			want[pair{t.ownerHash(e.db, v.Value.Owner), hash}]++
		}
	})
	got := map[pair]int{}
	for i := range t.owners {
		var last pair
		for _, r := range t.owners[i].runs {
			if len(r.pairs) == 0 || len(r.pairs) > maxRun || cap(r.pairs) > maxRun {
				n.t.Fatalf("a run of %d pairs, room for %d", len(r.pairs), cap(r.pairs))
			}
			for _, p := range r.pairs {
				if p.before(last) || int(p.owner>>(64-ownerBits)) != i {
					n.t.Fatal("a pair out of place")
				}
				last = p
				got[p]++
				count++
			}
		}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(pair{})); d != "" || count != t.Stats().Owned {
		n.t.Fatalf("%d owners counted, %d in the index: %s", t.Stats().Owned, count, d)
	}
	return count
}

// births is what e's births say, in a form that is quickly compared.
func births(e *entry) (list []string) {
	for i := range e.state.Births {
		list = append(list, fmt.Sprint(e.state.Births[i]))
	}
	return list
}

// checkPacked packs e once more and compares.
func (n *node) checkPacked(e *entry) {
	again := *e
	var h packed
	meta, size := again.plan(&h, nil)
	again.fillNew(new(arena), &h, meta, size)
	var read entry
	again.packed.unpack(&read)
	d := ""
	if !slices.Equal(births(e), births(&read)) || e.state.Tomb != read.state.Tomb {
		d = diff(e.state, read.state)
	}
	if d != "" || read.key() != e.key() || read.mode() != e.mode() || (read.touch == nil) != (e.touch == nil) {
		n.t.Fatalf("packed anew it is another: %s %+v %+v", d, read, e)
	}
}

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("sess:%032d", i)
	}
	return out
}

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

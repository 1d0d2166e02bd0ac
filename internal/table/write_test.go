package table

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// "On one node a read that starts after a write returned sees it."
func TestReadYourWrites(t *testing.T) {
	n := newNode(t, 1)
	n.want("s", "-")
	n.put("s", "one")
	n.want("s", "one")
	n.put("s", "two")
	n.want("s", "two")
	if res := n.destroy("s"); !res.Existed || string(res.Before.Value) != "two" {
		t.Fatalf("%+v", res)
	}
	n.want("s", "-")
	n.audit()
}

func TestConditions(t *testing.T) {
	n := newNode(t, 1)
	if res, err := n.tryPut("s", "x", ifPresent); err != nil || res.Done || res.Seq != 0 {
		t.Fatalf("update of nothing: %+v, %v", res, err)
	}
	n.put("s", "one", ifAbsent)
	if res, err := n.tryPut("s", "x", ifAbsent); err != nil || res.Done || !res.Existed {
		t.Fatalf("creation of what is there: %+v, %v", res, err)
	}
	n.put("s", "two", ifPresent)
	n.want("s", "two")
	if n.seq.Load() != 2 {
		t.Fatalf("%d dots for two changes", n.seq.Load())
	}
}

func TestBeforeIsGivenWhereAskedFor(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one")
	res := n.put("s", "two", func(w *Write) { w.NeedBefore = true })
	if string(res.Before.Value) != "one" {
		t.Fatalf("before: %q", res.Before.Value)
	}
	res, _ = n.tryPut("s", "three", ifAbsent, func(w *Write) { w.NeedBefore = true })
	if res.Done || string(res.Before.Value) != "two" {
		t.Fatalf("a write that did not take place: %+v", res)
	}
}

func TestOwnerAndTypeOfAWrite(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", func(w *Write) { w.Owner, w.OwnerSet, w.Type = "ann", true, 3 })
	n.put("s", "two")
	v, _ := n.Get(n.now, key("s"))
	if v.Owner != "ann" || v.Type != 0 {
		t.Fatalf("owner %q, type %d", v.Owner, v.Type)
	}
	n.put("s", "two", func(w *Write) { w.OwnerSet = true })
	if v, _ = n.Get(n.now, key("s")); v.Owner != "" {
		t.Fatalf("owner %q after it was taken away", v.Owner)
	}
	n.audit()
}

func TestTheCallersBuffersAreNotKept(t *testing.T) {
	n := newNode(t, 1)
	buf := []byte("sess:abc")
	name := unsafe.String(&buf[0], len(buf))
	value := []byte("one")
	if _, err := n.Put(n.now, key(name), &Write{Value: value, Owner: name, OwnerSet: true}); err != nil {
		t.Fatal(err)
	}
	in := n.state("sess:abc")
	copy(buf, "XXXXXXXX")
	copy(value, "XXX")
	v, ok := n.Get(n.now, key("sess:abc"))
	if !ok || string(v.Value) != "one" || v.Owner != "sess:abc" {
		t.Fatalf("%v %q %q", ok, v.Value, v.Owner)
	}

	m := newNode(t, 2)
	in = n.translate(m, &in)
	bytes, owner := []byte("one"), []byte("sess:abc")
	in.Births[0].Value.Bytes, in.Births[0].Value.Owner = bytes, unsafe.String(&owner[0], len(owner))
	copy(buf, "sess:abc")
	m.Merge(m.now, key(name), &in)
	m.Note(m.cfg.Origins.Intern(originNo(1)), 1, key(name))
	m.Note(m.cfg.Origins.Intern(originNo(1)), 2, key(unsafe.String(&buf[0], 4)))
	copy(buf, "XXXXXXXX")
	copy(bytes, "XXX")
	copy(owner, "XXXXXXXX")
	if v, ok = m.Get(m.now, key("sess:abc")); !ok || string(v.Value) != "one" || v.Owner != "sess:abc" {
		t.Fatalf("merged: %v %q %q", ok, v.Value, v.Owner)
	}
	for seq, want := range map[uint64]string{1: "sess:abc", 2: "sess"} {
		if k, _, _ := m.LogKey(m.cfg.Origins.Intern(originNo(1)), seq); k.Name != want {
			t.Fatalf("dot %d was noted for %q, want %q", seq, k.Name, want)
		}
	}
}

// "A local operation's stamp exceeds every stamp in the key's local state (floors included), whatever the clock says."
func TestLocalStampsExceedAllThatIsKnownOfTheKey(t *testing.T) {
	n, far := newNode(t, 1), newNode(t, 2)
	far.now += hour
	far.put("s", "ahead")
	far.send(n, key("s"))
	high := n.state("s").Births[0].Value.At
	n.put("s", "here", ifPresent)
	if got := n.state("s").Births[0].Value.At; got != high.Next() {
		t.Fatalf("stamp %v, want right above %v", got, high)
	}
	n.want("s", "here")
	if got := n.cfg.Clock.Read(n.now).Millis(); got != n.now {
		t.Fatalf("the raised stamp moved the clock to %d", got)
	}
	n.destroy("s")
	tomb := n.state("s").Tomb.At
	if tomb <= high {
		t.Fatalf("T = %v is not above %v", tomb, high)
	}
	n.put("s", "again", ifAbsent)
	if got := n.state("s").Births[0].ID.At; got <= tomb {
		t.Fatalf("birth %v is not above T = %v", got, tomb)
	}
	if _, err := n.Flush(n.now, 0); err != nil {
		t.Fatal(err)
	}
	n.want("s", "-")
	n.put("s", "after the flush", ifAbsent)
	n.want("s", "after the flush")
}

// "T = max(HLC + max skew, every stamp in the key's local state + 1)"
func TestTombstoneIsAheadOfAClockThatIsBehind(t *testing.T) {
	slow, fast := newNode(t, 1), newNode(t, 2)
	fast.now += 4 * second
	fast.put("s", "unseen")
	slow.destroy("s")
	slow.send(fast, key("s"))
	fast.want("s", "-")
	fast.send(slow, key("s"))
	slow.want("s", "-")
}

func TestQuarantinedClockRefusesWritesAndDestroysByItsPeers(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(hour))
	n.now += hour / 2
	n.SetQuarantine(ErrClockAhead)
	n.SetOff(time.Duration(hour/2) * time.Millisecond)
	if _, err := n.tryPut("s", "two"); !errors.Is(err, ErrClock) {
		t.Fatalf("put: %v", err)
	}
	if _, err := n.Expire(n.now, key("s"), n.now+hour, ExpireAlways); !errors.Is(err, ErrClock) {
		t.Fatalf("expire: %v", err)
	}
	n.destroy("s")
	n.want("s", "-")
	if got := n.state("s").Tomb.At.Millis(); got != t0+5*second {
		t.Fatalf("T at %d, want %d", got, t0+5*second)
	}
	n.SetQuarantine(nil)
	n.put("u", "x")
	if n.Stats().Refused != 2 {
		t.Fatalf("%d refused", n.Stats().Refused)
	}
}

func TestLimitsOfAWrite(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.MaxValue = 10 })
	for name, c := range map[string]struct {
		key  record.Key
		w    Write
		want error
	}{
		"value":    {key("s"), Write{Value: make([]byte, 11)}, ErrTooLarge},
		"owner":    {key("s"), Write{Owner: strings.Repeat("x", record.MaxOwner+1)}, ErrTooLarge},
		"name":     {key(strings.Repeat("x", record.MaxName+1)), Write{}, ErrKeyTooLong},
		"database": {record.Key{DB: record.Databases}, Write{}, ErrKeyTooLong},
	} {
		if _, err := n.Put(n.now, c.key, &c.w); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if n.seq.Load() != 0 || n.written != 0 {
		t.Errorf("refused writes took %d dots and %d wakes", n.seq.Load(), n.written)
	}
	if _, err := n.Put(n.now, key(strings.Repeat("x", record.MaxName)), &Write{Value: make([]byte, 10)}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
}

func TestStopWrites(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(hour))
	if last := n.StopWrites(); last != 1 || n.OwnHigh() != 1 {
		t.Fatalf("last dot %d, logged up to %d", last, n.OwnHigh())
	}
	_, put := n.tryPut("s", "two")
	_, expire := n.Expire(n.now, key("s"), n.now+2*hour, ExpireAlways)
	_, destroy := n.Destroy(n.now, key("s"), true)
	_, flush := n.Flush(n.now, 0)
	for i, err := range []error{put, expire, destroy, flush} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("operation %d: %v", i, err)
		}
	}
	n.want("s", "one")
}

func TestFreshBirthsAreCappedByTheAbsoluteLifetime(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.Lifetime = time.Hour })
	end := n.now + hour
	n.put("s", "one")
	if got := n.due("s"); got != end {
		t.Fatalf("due %d without a deadline, want %d", got, end)
	}
	n.put("s", "two", n.dueIn(2*hour))
	if got := n.due("s"); got != end {
		t.Fatalf("due %d, want %d", got, end)
	}
	n.now += hour - 30*second
	n.put("s", "three", n.dueIn(10*second))
	n.now += 5 * second
	n.expire("s", n.now+2*hour)
	if d := n.state("s").Births[0].Deadline; d.Due != end || d.Promise != end {
		t.Fatalf("an absolute lifetime is never padded: %+v", d)
	}
	n.now = end
	n.want("s", "-")
}

func TestKeptDeadline(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "one", n.dueIn(hour))
	due := n.due("s")
	was := n.state("s").Births[0].Deadline
	n.put("s", "two", keepLife)
	if n.due("s") != due || n.state("s").Births[0].Deadline != was {
		t.Fatal("the deadline register changed")
	}
	n.put("new", "one", keepLife, n.dueIn(hour))
	if n.due("new") != 0 {
		t.Fatal("a new session kept a deadline")
	}
	n.put("s", "three")
	if n.due("s") != 0 {
		t.Fatal("a write without a deadline left one")
	}
}

func TestAWriteGoesToTheCurrentBirth(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "weak")
	b.put("s", "explicit", ifAbsent)
	a.now += second
	b.send(a, key("s"))
	a.put("s", "new", ifPresent)
	for _, birth := range a.state("s").Births {
		if wrote := string(birth.Value.Bytes) == "new"; wrote == birth.Weak {
			t.Fatalf("weak %v holds %q: a hold would take the write with the weak birth", birth.Weak, birth.Value.Bytes)
		}
	}
	v, _ := a.Get(a.now, key("s"))
	if a.cfg.Origins.Origin(v.Birth.By) != originNo(2) {
		t.Fatalf("the view names birth %v", v.Birth)
	}
}

func TestPutOfAnExpiredKeyMakesABirth(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "old", n.dueIn(second))
	n.now += 2 * second
	res := n.put("s", "new", n.dueIn(hour))
	if res.Existed || len(n.state("s").Births) != 2 {
		t.Fatalf("existed %v, %d births", res.Existed, len(n.state("s").Births))
	}
	if b := n.state("s").Births[0]; b.Seq != res.Seq {
		t.Fatalf("the birth remembers dot %d, want %d", b.Seq, res.Seq)
	}
	n.want("s", "new")
	n.pass(60 * second)
	if got := len(n.state("s").Births); got != 1 {
		t.Fatalf("%d births once the first has gone", got)
	}
	n.want("s", "new")
	n.audit()
}

func TestStampsOfConcurrentWritersOfOneKeyNeverRepeat(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.OnWrite = nil })
	seen := make(chan hlc.Stamp, 400)
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 100 {
				if _, err := n.Put(t0, key("s"), &Write{Value: []byte("x")}); err != nil {
					t.Error(err)
				}
				v, _ := n.Get(t0, key("s"))
				seen <- v.Version.At
			}
		}()
	}
	for range 4 {
		<-done
	}
	v, _ := n.Get(t0, key("s"))
	if got := n.OwnHigh(); got != 400 || v.Version.At < hlc.At(t0)+399 {
		t.Fatalf("logged up to %d, last stamp %v", got, v.Version.At)
	}
}

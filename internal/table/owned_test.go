package table

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

func (n *node) wantOwned(owner string, names ...string) {
	n.t.Helper()
	n.auditOwners()
	want := map[string]int{}
	for _, name := range names {
		want[name] = 1
	}
	if d := diff(want, n.owned(0, owner, 2)); d != "" {
		n.t.Fatalf("sessions of %q: %s", owner, d)
	}
}

func TestTheLabelOfTheWinnerDecides(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "1", of("alice"))
	a.put("t", "1", of("alice"))
	a.put("nobody's", "1")
	a.wantOwned("alice", "s", "t")
	a.put("s", "2")
	a.wantOwned("alice", "s", "t")
	a.put("s", "3", of("bob"))
	a.put("t", "3", of(""))
	a.wantOwned("alice")
	a.wantOwned("bob", "s")
	a.wantOwned("")

	b.now += 10
	b.put("s", "theirs", of("carol")) // another birth
	b.send(a, key("s"))
	a.wantOwned("bob")
	a.wantOwned("carol", "s")
	b.now, a.now = b.now+20, a.now+20
	a.put("s", "4", of("bob"))
	a.send(b, key("s"))
	b.wantOwned("bob", "s")
	b.wantOwned("carol")
}

func TestATagIsTheSameOnAllNodesOfACluster(t *testing.T) {
	a, b, stranger := newNode(t, 1), newNode(t, 2), newNode(t, 3, func(c *Config) { c.Secret[0]++ })
	tag := a.Tag(key("sess:1"))
	if len(tag) != 8 || tag != b.Tag(key("sess:1")) {
		t.Errorf("%q and %q", tag, b.Tag(key("sess:1")))
	}
	for _, other := range []string{stranger.Tag(key("sess:1")), a.Tag(key("sess:2")), a.Tag(record.Key{DB: 1, Name: "sess:1"})} {
		if other == tag {
			t.Errorf("%q twice", tag)
		}
	}
}

func TestDatabasesHaveOwnersOfTheirOwn(t *testing.T) {
	n := newNode(t, 1)
	for db := range uint8(2) {
		if _, err := n.Put(n.now, record.Key{DB: db, Name: fmt.Sprint("s", db)}, &Write{Owner: "alice", OwnerSet: true}); err != nil {
			t.Fatal(err)
		}
	}
	n.wantOwned("alice", "s0")
	if d := diff(map[string]int{"s1": 1}, n.owned(1, "alice", 1)); d != "" {
		t.Error(d)
	}
	for _, db := range []int{-1, 2, record.Databases} {
		if d := diff(map[string]int{}, n.owned(db, "alice", 1)); d != "" {
			t.Errorf("database %d: %s", db, d)
		}
	}
	if next := n.Owned(n.now, 0, "alice", 1<<63, 10, func(string, View) { t.Error("emitted behind the last cursor") }); next != 0 {
		t.Errorf("next is %d", next)
	}
}

// What ends a session by itself, or with all others, takes it out of the index, too.
func TestTheIndexForgetsWhatIsGone(t *testing.T) {
	n := newNode(t, 1)
	n.put("expires", "v", n.dueIn(second), of("alice"))
	n.put("destroyed", "v", of("alice"))
	n.destroy("destroyed")
	n.wantOwned("alice", "expires")
	n.now += 2 * second
	n.wantOwned("alice")
	n.pass(hour)
	if s := n.Stats(); s.Owned != 0 || s.Hidden != 0 {
		t.Errorf("%d are in the index, %d hidden", s.Owned, s.Hidden)
	}
	n.put("flushed", "v", of("alice"))
	n.wantOwned("alice", "flushed")
	if _, err := n.Flush(n.now, 0); err != nil {
		t.Fatal(err)
	}
	n.wantOwned("alice")
	if s := n.Stats(); s.Owned != 0 {
		t.Errorf("%d are in the index", s.Owned)
	}
	n.audit()
}

// "Absent" births go without a tombstone.
func TestTheIndexForgetsWhatEndedElsewhere(t *testing.T) {
	n := newNode(t, 1, keepHour)
	n.put("a", "v", of("alice"))
	n.put("b", "v", of("alice"))
	n.now += 2 * hour
	n.MergeFrom(n.now, key("a"), &record.State{}, goneAt{})
	n.wantOwned("alice", "b")
	n.DropAbsent(n.now, 0, 1<<63, func(record.Key, *record.Birth) bool { return true })
	n.DropAbsent(n.now, 1<<63, 1<<64-1, func(record.Key, *record.Birth) bool { return true })
	n.wantOwned("alice")
	if s := n.Stats(); s.Owned != 0 || s.Bytes != 0 {
		t.Errorf("%d are in the index, %d bytes counted", s.Owned, s.Bytes)
	}
}

// A node without room takes no session, and no pair.
func TestLabelsCountAsMemory(t *testing.T) {
	plain, labelled := newNode(t, 1), newNode(t, 1)
	plain.put("s", "value4")
	labelled.put("s", "v", of("alice"))
	if more := labelled.Bytes() - plain.Bytes(); more < ownedCost || more > ownedCost+16 {
		t.Errorf("a labelled session takes %d bytes more", more)
	}
	tight := func(c *Config) { c.MaxBytes = 100_000 }
	a, b := newNode(t, 1), newNode(t, 2, tight)
	for i := range 2000 {
		a.put(fmt.Sprint("s", i), "v", of(fmt.Sprint("user", i%10)))
	}
	a.sendAll(b)
	if used := b.Bytes(); used > 110_000 || b.Stats().NoRoom == 0 {
		t.Errorf("%d bytes are used, %d found no room", used, b.Stats().NoRoom)
	}
	b.audit()
	full := newNode(t, 3, tight)
	for i := 0; ; i++ {
		if _, err := full.tryPut(fmt.Sprint("s", i), "v", of("alice")); err != nil {
			if !errors.Is(err, ErrFull) || full.Bytes() > 95_000 {
				t.Errorf("%d bytes are used: %v", full.Bytes(), err)
			}
			break
		}
	}
	full.audit()
}

func TestLogOutEverywhere(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	for _, name := range []string{"phone", "laptop", "tablet"} {
		a.put(name, "v", a.dueIn(hour), of("alice"))
		a.send(b, key(name))
	}
	a.put("other", "v", a.dueIn(hour), of("bob"))
	l := Logout{Owner: "alice", Except: func(name string) bool { return name == "laptop" }}
	if got := a.logOut(0, &l, 1); got != 2 {
		t.Fatalf("%d destroyed", got)
	}
	a.wantOwned("alice", "laptop")
	a.wantOwned("bob", "other")
	if got := a.logOut(0, &l, 100); got != 0 {
		t.Errorf("%d destroyed once more", got)
	}

	// A request that was under way elsewhere writes the session, after it or before it hears of the end.
	b.now += 500
	b.put("phone", "late", b.dueIn(hour))
	a.send(b, key("phone"))
	b.send(a, key("phone"))
	for _, n := range []*node{a, b} {
		n.want("phone", "-")
		if _, err := n.tryPut("phone", "later", n.dueIn(hour)); !errors.Is(err, ErrDestroyed) {
			t.Errorf("an upsert of a destroyed session: %v", err)
		}
	}
	b.wantOwned("alice", "laptop", "tablet") // until b hears of it
}

// What has ended here may be kept alive by its user elsewhere: it is destroyed all the same.
func TestLogOutEverywhereMeansHiddenSessionsToo(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "v", a.dueIn(20*second), of("alice"))
	a.send(b, key("s"))
	b.now += 15 * second
	b.expire("s", b.now+hour) // a does not hear of it
	a.now += 25 * second
	b.now = a.now
	a.want("s", "-")
	if got := a.logOut(0, &Logout{Owner: "alice"}, 10); got != 0 {
		t.Errorf("%d destroyed that a reader would have found", got)
	}
	b.want("s", "v")
	a.send(b, key("s"))
	b.want("s", "-")
	b.send(a, key("s"))
	a.want("s", "-")
}

func TestALogoutLeavesWhatWasBornLater(t *testing.T) {
	n := newNode(t, 1)
	n.put("before", "v", of("alice"))
	n.now += 1000
	born := hlc.At(n.now)
	n.now += 1000
	n.put("before", "written since", of("alice"))
	n.put("after", "v", of("alice"))
	if got := n.logOut(0, &Logout{Owner: "alice", Born: born}, 10); got != 1 {
		t.Errorf("%d destroyed", got)
	}
	n.wantOwned("alice", "after")
}

func TestALogoutOfAClosedTable(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "v", of("alice"))
	n.StopWrites()
	if _, err := n.DestroyOwned(n.now, 0, &Logout{Owner: "alice"}, 0, 10); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	n.wantOwned("alice", "s")
}

func TestALogoutHasTheHoldOnlyWhereSessionsEnd(t *testing.T) {
	n := newNode(t, 1, func(c *Config) { c.Hold = time.Minute })
	n.put("forever", "v", of("alice"))
	n.put("an hour", "v", n.dueIn(hour), of("alice"))
	n.logOut(0, &Logout{Owner: "alice"}, 10)
	n.put("forever", "again")
	if _, err := n.tryPut("an hour", "again"); !errors.Is(err, ErrDestroyed) {
		t.Error(err)
	}
}

package table

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestMergeOfATouchBeforeItsBirthIsIncomplete(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "x", a.dueIn(hour))
	s := a.state("s")
	touch := a.translate(b, &s)
	touch.Births[0].Value = record.Value{}
	if got := b.Merge(b.now, key("s"), &touch); got != Incomplete {
		t.Fatalf("outcome %d", got)
	}
	if b.Load(key("s"), new(record.State)) || b.Bytes() != 0 {
		t.Fatal("something was kept")
	}
	if a.send(b, key("s")) != Applied || b.Merge(b.now, key("s"), &touch) != Applied {
		t.Fatal("not applied once the birth is there")
	}
	b.audit()
}

func TestInvalidKeysAreDroppedAndCounted(t *testing.T) {
	n := newNode(t, 1)
	s := record.State{Tomb: record.Tombstone{At: 1}}
	n.Merge(n.now, record.Key{DB: 99}, &s)
	n.Merge(n.now, record.Key{DB: 17, Name: "x"}, &s)
	if n.Stats().Invalid != 2 || n.Bytes() != 0 {
		t.Fatalf("%+v", n.Stats())
	}
}

func TestNothingDueInAFinishedEpochIsInserted(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "x", a.dueIn(second))
	a.put("t", "x")
	a.destroy("t")
	b.pass(50 * hour)
	for _, name := range []string{"s", "t"} {
		if a.send(b, key(name)) != Applied || b.Load(key(name), new(record.State)) {
			t.Errorf("%s was inserted", name)
		}
	}
	if b.Root() != 0 || b.Bytes() != 0 {
		t.Errorf("root %x, %d bytes", b.Root(), b.Bytes())
	}
	b.audit()
}

// "Merge first, judge on the result": a value written before an extension that this node knows.
func TestALateValueOfALivingSessionIsTaken(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "one", a.dueIn(second))
	a.send(b, key("s"))
	b.expire("s", b.now+50*hour)
	a.now += second / 2
	a.put("s", "two", keepLife)
	b.pass(hour)
	a.send(b, key("s"))
	b.want("s", "two")
}

func TestRemoteRecordsAreTakenToElevenTenths(t *testing.T) {
	a := newNode(t, 1)
	a.put(fmt.Sprintf("%036d", 0), fmt.Sprintf("%0100d", 0), a.dueIn(hour))
	one := a.Bytes()
	b := newNode(t, 2, func(c *Config) { c.MaxBytes = 10 * one })
	var outcomes [3]int
	for i := range 20 {
		name := fmt.Sprintf("%036d", i)
		a.put(name, fmt.Sprintf("%0100d", i), a.dueIn(hour))
		outcomes[a.send(b, key(name))]++
	}
	if outcomes[Applied] != 11 || outcomes[NoRoom] != 9 || b.StatsFull() != 110 || b.Stats().NoRoom != 9 {
		t.Fatalf("%v, %d %% full, %+v", outcomes, b.StatsFull(), b.Stats())
	}
	b.audit()
	if a.send(b, key(fmt.Sprintf("%036d", 3))) != Applied {
		t.Fatal("what is held already has room")
	}
	held, missing := fmt.Sprintf("%036d", 3), fmt.Sprintf("%036d", 19)
	a.destroy(held)
	a.destroy(missing)
	if a.send(b, key(held)) != Applied || a.send(b, key(missing)) != Applied {
		t.Fatal("tombstones are applied full or not")
	}
	b.want(held, "-")
	if b.state(missing).Tomb.At == 0 {
		t.Fatal("no tombstone of an unknown key")
	}
	if _, err := a.Flush(a.now, 0); err != nil {
		t.Fatal(err)
	}
	a.send(b, record.FloorKey(0))
	if b.Len(0) != 0 {
		t.Fatal("the floor was not applied")
	}
	b.audit()
}

func TestATombstoneBesideABirthIsAppliedWithoutRoom(t *testing.T) {
	a := newNode(t, 1)
	b := newNode(t, 2, func(c *Config) { c.MaxBytes = 1000 })
	a.put("s", "old")
	a.send(b, key("s"))
	a.destroy("s")
	a.put("s", string(make([]byte, 2000)), ifAbsent)
	if a.send(b, key("s")) != NoRoom {
		t.Fatal("there was room")
	}
	b.want("s", "-")
	if b.state("s").Tomb != a.state("s").Tomb {
		t.Fatal("the tombstone was not taken")
	}
	b.audit()
}

func TestLocalLimit(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "0123456789", n.dueIn(hour))
	n.put("s", "0123456789") // other registers take other room
	n.put("t", "x")
	n.cfg.MaxBytes = n.Bytes()
	for name, c := range map[string]struct {
		key, value string
		ok         bool
	}{
		"a growing update":   {"s", "0123456789" + strings.Repeat("+", 40), false},
		"a create":           {"new", "", false},
		"an equal update":    {"s", "9876543210", true},
		"a shrinking update": {"s", "01234", true},
	} {
		if _, err := n.tryPut(c.key, c.value); (err == nil) != c.ok || err != nil && err != ErrFull {
			t.Errorf("%s: %v", name, err)
		}
		n.put("s", "0123456789")
	}
	n.expire("s", n.now+hour)
	n.expire("s", n.now+2*hour)
	n.destroy("t")
	n.destroy("unknown")
	n.want("t", "-")
	n.audit()
}

func TestMemoryIsGivenBack(t *testing.T) {
	n := newNode(t, 1)
	for _, name := range names(1000) {
		n.put(name, "value", n.dueIn(hour))
	}
	for _, name := range names(1000) {
		n.destroy(name)
	}
	n.audit()
	n.pass(48 * hour)
	if n.Bytes() != 0 || n.Stats() != (Stats{Purged: n.Stats().Purged, Compacted: n.Stats().Compacted}) {
		t.Fatalf("%d bytes, %+v", n.Bytes(), n.Stats())
	}
	for i := range n.buckets {
		if b := &n.buckets[i]; b.slots != nil || b.own != [few]slot{} || b.next.Load() != never {
			t.Fatalf("bucket %d keeps slots or a wake", i)
		}
	}
}

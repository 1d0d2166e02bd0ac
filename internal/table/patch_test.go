package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/record"
)

func TestFieldsChangedOnTwoNodesAtOnceAreBothKept(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", `{"cookie":{},"views":1}`, a.dueIn(hour))
	a.send(b, key("s"))
	a.patch("s", "views=2", `cart=["book"]`)
	b.patch("s", `user="ann"`, "views")
	b.now++
	b.patch("s", `lang="de"`)
	a.send(b, key("s"))
	b.send(a, key("s"))
	if x, y := a.get("s"), b.get("s"); x != y || !strings.Contains(x, `"cart":["book"]`) || !strings.Contains(x, `"user":"ann"`) || !strings.Contains(x, `"lang":"de"`) {
		t.Errorf("%s, and %s", x, y)
	}
	if a.Root() != b.Root() {
		t.Error("the tables differ")
	}
	a.audit()
	b.audit()
}

func TestAPatchMakesNoSession(t *testing.T) {
	n := newNode(t, 1)
	if res := n.patch("s", "a=1"); res.Done || res.Existed || n.Load(key("s"), new(record.State)) {
		t.Errorf("%+v", res)
	}
	n.put("s", "{}")
	n.destroy("s")
	if res := n.patch("s", "a=1"); res.Done {
		t.Error("a session that was logged out is written to")
	}
	n.want("s", "-")
}

func TestAPatchOfWhatIsNoObjectIsRefused(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "a:1:{}")
	if _, err := n.Patch(n.now, key("s"), &Patch{Set: []fields.Member{{Name: "a", Value: []byte("1")}}}); !errors.Is(err, fields.ErrNoObject) {
		t.Error(err)
	}
	n.want("s", "a:1:{}")
}

func TestFieldsThatAreAsTheyShallBeAreNotWritten(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", `{"a":1}`, n.dueIn(hour))
	before := n.OwnHigh()
	if res := n.patch("s", "a=1", "never"); !res.Done || res.Seq != 0 || n.OwnHigh() != before {
		t.Errorf("%+v", res)
	}
	n.patch("s", "b=2")
	if n.patch("s", "b=2", "never"); n.OwnHigh() != before+1 {
		t.Errorf("%d changes", n.OwnHigh()-before)
	}
	w := Patch{Set: []fields.Member{{Name: "b", Value: []byte("2")}}, Due: n.now + 2*hour}
	if res, err := n.Patch(n.now, key("s"), &w); err != nil || !res.Done || n.due("s") != w.Due {
		t.Errorf("the deadline alone: %+v, %v, due in %d", res, err, n.due("s")-n.now)
	}
}

func TestAConflictIsAFieldThatOthersChangedToSomethingElse(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", `{"a":1,"b":1,"c":1}`)
	v, _ := n.Get(n.now, key("s"))
	read := v.Version.At
	n.patch("s", "a=2", "b=2")
	if res := n.patchSince("s", read, "a=3", "b=2", "c=3"); !slices.Equal(res.Conflicts, []string{"a"}) || n.Stats().Conflicts != 1 {
		t.Errorf("in conflict: %q, %d counted", res.Conflicts, n.Stats().Conflicts)
	}
	n.want("s", `{"a":3,"b":2,"c":3}`)
	n.put("s", `{"a":4}`)
	if res := n.patchSince("s", read, "a=5", "b"); !slices.Equal(res.Conflicts, []string{"a"}) {
		t.Errorf("with a whole write: %q", res.Conflicts)
	}
	n.want("s", `{"a":5}`)
}

func TestAWholeWriteAndAPatchThatHasNotSeenItKeepBoth(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", `{"a":1,"b":1}`)
	a.send(b, key("s"))
	a.now++
	a.put("s", `{"a":9}`)
	b.now += 2
	b.patch("s", "b=2")
	a.send(b, key("s"))
	b.send(a, key("s"))
	a.want("s", `{"a":9,"b":2}`)
	b.want("s", `{"a":9,"b":2}`)
}

func TestAnOwnerIsChangedBesideFields(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", `{"a":1}`)
	for _, w := range []*Patch{
		{Owner: "ann", OwnerSet: true, Life: LifeKeep},
		{Set: []fields.Member{{Name: "a", Value: []byte("2")}}, Life: LifeKeep},
	} {
		if res, err := n.Patch(n.now, key("s"), w); err != nil || res.Seq == 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		if v, _ := n.Get(n.now, key("s")); v.Owner != "ann" {
			t.Errorf("the owner is %q", v.Owner)
		}
	}
	n.want("s", `{"a":2}`)
	n.audit()
}

// Near the limits a session is written whole; what it holds does not depend on it.
func TestASessionOfManyOrLargeFieldsStaysWithinItsLimits(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "{}")
	for i := range 3 * maxOwnFields {
		n.patch("s", fmt.Sprintf("f%d=%d", i, i))
	}
	v, _ := n.Get(n.now, key("s"))
	members, err := fields.Split(v.Value)
	if err != nil || len(members) != 3*maxOwnFields {
		t.Fatalf("%d fields, %v", len(members), err)
	}
	large := `"` + strings.Repeat("x", record.MaxValue*2/3) + `"`
	n.put("t", "{}")
	n.patch("t", "a="+large)
	n.patch("t", "b=1")
	n.want("t", `{"a":`+large+`,"b":1}`)
	if _, err := n.Patch(n.now, key("t"), &Patch{Set: []fields.Member{{Name: "b", Value: []byte(large)}}}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than a value may have: %v", err)
	}
	n.audit()
}

func TestAPatchBesideAnotherBirthLosesNothingOfIt(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", `{"a":1}`, explicit)
	b.now += 5
	b.put("s", `{"b":1}`, explicit)
	b.patch("s", "c=1")
	b.send(a, key("s"))
	shown := a.get("s")
	a.now += 10
	a.patch("s", "d=1")
	if got, want := a.get("s"), strings.TrimSuffix(shown, "}")+`,"d":1}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAPatchRespectsFullMemoryAndQuarantine(t *testing.T) {
	n := newNode(t, 1, func(cfg *Config) { cfg.MaxBytes = 4096 })
	n.put("s", "{}")
	w := Patch{Set: []fields.Member{{Name: "a", Value: []byte(`"` + strings.Repeat("x", 8000) + `"`)}}}
	if _, err := n.Patch(n.now, key("s"), &w); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	n.SetQuarantine(ErrClockAhead)
	if _, err := n.Patch(n.now, key("s"), &w); !errors.Is(err, ErrClock) {
		t.Error(err)
	}
	n.want("s", "{}")
}

func TestAPatchedSessionExpiresAndIsForgotten(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "{}", n.dueIn(second))
	n.patch("s", "a=1")
	n.want("s", `{"a":1}`)
	n.pass(time.Minute.Milliseconds())
	n.want("s", "-")
	n.pass(hour)
	if n.Bytes() != 0 {
		t.Errorf("%d bytes are left", n.Bytes())
	}
}

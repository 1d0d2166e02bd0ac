package table

import (
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

func TestExpireConditions(t *testing.T) {
	for name, c := range map[string]struct {
		has, want int64 // deadlines in ms from now; 0: none
		cond      ExpireCond
		done      bool
	}{
		"always":                    {10, 20, ExpireAlways, true},
		"NX with a deadline":        {10, 20, ExpireNX, false},
		"NX without":                {0, 20, ExpireNX, true},
		"XX with a deadline":        {10, 20, ExpireXX, true},
		"XX without":                {0, 20, ExpireXX, false},
		"GT later":                  {10, 20, ExpireGT, true},
		"GT earlier":                {20, 10, ExpireGT, false},
		"GT without a deadline":     {0, 20, ExpireGT, false},
		"GT the same":               {20, 20, ExpireGT, false},
		"LT earlier":                {20, 10, ExpireLT, true},
		"LT later":                  {10, 20, ExpireLT, false},
		"LT without a deadline":     {0, 20, ExpireLT, true},
		"the same again":            {20, 20, ExpireAlways, true},
		"persist":                   {20, 0, ExpireAlways, true},
		"persist without one":       {0, 0, ExpireAlways, false},
		"past destroys":             {20, -5, ExpireAlways, true},
		"past, GT: stays":           {20, -5, ExpireGT, false},
		"past, NX with one: stays":  {20, -5, ExpireNX, false},
		"past, LT without deadline": {0, -5, ExpireLT, true},
	} {
		n := newNode(t, 1)
		due := func(s int64) int64 {
			if s == 0 {
				return 0
			}
			return t0 + s*second
		}
		n.put("s", "x", func(w *Write) { w.Due = due(c.has) })
		res, err := n.Expire(n.now, key("s"), due(c.want), c.cond)
		if err != nil || res.Done != c.done || !res.Existed {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		want := due(c.has)
		if c.done {
			want = due(c.want)
		}
		if v, ok := n.Get(n.now, key("s")); ok != (want == 0 || want > n.now) || ok && v.Due != want {
			t.Errorf("%s: visible %v, due %d, want %d", name, ok, v.Due, want)
		}
		n.audit()
	}
}

func TestExpireOfNothing(t *testing.T) {
	n := newNode(t, 1)
	if res := n.expire("s", n.now+hour); res.Done || res.Existed || res.Seq != 0 {
		t.Fatalf("%+v", res)
	}
}

// 3.5: "within the promise it stays local; beyond, it is replicated and promises the new deadline plus a pad"
func TestTouchesWithinThePromiseStayLocal(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(1600*second))
	n.now += 10 * second
	first := n.expire("s", n.now+1600*second)
	d := n.state("s").Births[0].Deadline
	if first.Seq != 2 || d.Due != n.now+1600*second || d.Promise != d.Due+100*second {
		t.Fatalf("dot %d, register %+v", first.Seq, d)
	}
	if _, touch, _ := n.LogKey(n.self(), 2); !touch {
		t.Fatal("the dot is not known as a touch")
	}
	n.now += 90 * second
	root, state := n.Root(), n.state("s")
	if res := n.expire("s", n.now+1600*second); !res.Done || res.Seq != 0 {
		t.Fatalf("within the promise: %+v", res)
	}
	if n.due("s") != n.now+1600*second {
		t.Fatalf("TTL reports %d", n.due("s"))
	}
	if n.Root() != root || diff(state, n.state("s")) != "" || n.OwnHigh() != 2 {
		t.Fatal("a local touch is no change of state")
	}
	n.now += 20 * second
	if res := n.expire("s", n.now+1600*second); res.Seq != 3 {
		t.Fatalf("beyond the promise: %+v", res)
	}
	n.audit()
}

func TestSetAndShorteningPromiseTheTrueDeadline(t *testing.T) {
	n := newNode(t, 1)
	check := func(what string) {
		t.Helper()
		if d := n.state("s").Births[0].Deadline; d.Due != n.due("s") || d.Promise != d.Due {
			t.Fatalf("%s: %+v, due %d", what, d, n.due("s"))
		}
	}
	n.put("s", "x")
	n.expire("s", n.now+2*hour)
	check("a first deadline")
	n.now += second
	n.expire("s", n.now+3*hour)
	n.expire("s", n.now+3*hour+second) // stays local
	n.expire("s", n.now+hour)
	check("a shortening")
	n.put("s", "y", n.dueIn(2*hour))
	check("a write")
	n.expire("s", 0)
	check("no deadline")
}

func TestSessionIsHiddenAtPromiseAndSkew(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(10*second))
	n.expire("s", n.now+16*second) // promises 17
	n.SetSkew(2 * time.Second)
	n.now = t0 + 19*second - 1
	n.want("s", "x")
	n.now++
	n.want("s", "-")
	n.SetSkew(time.Hour) // counts up to the maximum
	n.now = t0 + 22*second - 1
	n.want("s", "x")
}

func TestTheHybridClockCountsAsTime(t *testing.T) {
	n := newNode(t, 1)
	n.hear(3 * second)
	if got := n.Time(n.now); got != t0+3*second {
		t.Fatalf("the cluster's time is %d ms ahead, want 3 s", got-t0)
	}
}

// Promise 5: "never expires early on any node, whatever the clocks (within their limit)"
func TestAFastPeerHidesNothingEarly(t *testing.T) {
	for name, after := range map[string]func(n *node){
		"it comes, and is not measured yet": func(n *node) {},
		"it is measured":                    func(n *node) { n.SetSkew(4900 * time.Millisecond) },
		"it goes, and is not measured any more": func(n *node) {
			n.SetSkew(4900 * time.Millisecond)
			n.SetSkew(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, 1)
			n.put("s", "x", n.dueIn(3*second))
			n.put("idle", "x", n.dueIn(3*second))
			n.hear(4900)
			after(n)
			n.pass(3*second - 1)
			n.want("s", "x")
			if n.Len(0) != 2 {
				t.Fatalf("%d sessions after a sweep, want 2", n.Len(0))
			}
			if _, next := scanAll(n, 0, 10)["s"]; !next {
				t.Fatal("no scan finds it")
			}
			if res := n.expire("s", n.Time(n.now)+hour); !res.Existed || !res.Done {
				t.Fatalf("a touch: %+v", res)
			}
			n.audit()
			n.pass(5 * second) // later at most by the skew
			n.want("s", "x")
			n.want("idle", "-")
			if n.Len(0) != 1 || n.Stats().Expired != 1 {
				t.Fatalf("%d sessions, %d expired", n.Len(0), n.Stats().Expired)
			}
			n.audit()
		})
	}
}

func TestAClockAnHourAheadForAMomentHidesNothing(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(hour/2))
	n.now += hour
	n.put("w", "x", n.dueIn(hour/2))
	n.now = t0 + second
	if ahead := n.Time(n.now) - n.now; ahead != 5*second {
		t.Fatalf("the cluster's time is %d ms ahead of the wall clock, want the limit", ahead)
	}
	n.sweep()
	n.want("s", "x")
	if res := n.expire("s", n.Time(n.now)+hour); !res.Done {
		t.Fatalf("a touch: %+v", res)
	}
	n.audit()
}

func TestAClockSetBackHidesNothingAndGoesOn(t *testing.T) {
	n := newNode(t, 1)
	n.put("s", "x", n.dueIn(20*second))
	n.now -= hour
	n.sweep()
	n.want("s", "x")
	n.put("s", "y", n.dueIn(20*second))
	n.want("s", "y")
	n.destroy("s")
	n.want("s", "-")
	n.put("u", "x", explicit, n.dueIn(20*second))
	n.pass(20*second + 5*second)
	n.want("u", "-")
	n.audit()
}

// touched is two nodes that hold a session, of which the first extended it within the promise.
func touched(t *testing.T) (a, b *node, granted int64) {
	a, b = newNode(t, 1), newNode(t, 2)
	a.put("s", "x", a.dueIn(100*second))
	a.now, b.now = a.now+second, b.now+second
	a.expire("s", a.now+1600*second) // promises 100 s more
	a.send(b, key("s"))
	a.now, b.now = a.now+10*second, b.now+10*second
	granted = a.now + 1600*second
	if res := a.expire("s", granted); res.Seq != 0 {
		t.Fatalf("not local: %+v", res)
	}
	return a, b, granted
}

func TestLaterShorteningDiscardsAnOlderLocalTouch(t *testing.T) {
	a, b, _ := touched(t)
	a.now, b.now = a.now+second, b.now+second
	short := b.now + 50*second
	b.expire("s", short)
	b.send(a, key("s"))
	if a.due("s") != short || a.Stats().Reissued != 0 {
		t.Fatalf("due %d, want %d; %d reissued", a.due("s"), short, a.Stats().Reissued)
	}
	a.audit()
}

// "re-issued as a replicated touch when a merge leaves a promise below its due"
func TestEarlierShorteningLeavesTheTouchAndReplicatesIt(t *testing.T) {
	a, b, granted := touched(t)
	b.now -= second // the shortening was made before the touch
	b.expire("s", b.now+50*second)
	made, woken := a.OwnHigh(), a.written
	b.send(a, key("s"))
	if a.due("s") != granted || a.Stats().Reissued != 1 || a.OwnHigh() != made+1 || a.written != woken+1 {
		t.Fatalf("due %d, want %d; %d reissued, dots up to %d", a.due("s"), granted, a.Stats().Reissued, a.OwnHigh())
	}
	k, touch, ok := a.LogKey(a.self(), made+1)
	if k != key("s") || !touch || !ok {
		t.Fatalf("logged: %v %v %v", k, touch, ok)
	}
	a.send(b, key("s"))
	if b.due("s") != granted || a.Root() != b.Root() {
		t.Fatalf("the peer's deadline is %d, want %d", b.due("s"), granted)
	}
	a.audit()
}

func TestAReissuedTouchYieldsToAShorteningStillOnItsWay(t *testing.T) {
	a, b, _ := touched(t)
	c := newNode(t, 3)
	a.send(c, key("s"))
	b.now -= second
	b.expire("s", b.now+50*second) // before the touch
	c.now = a.now + second
	short := c.now + 30*second
	c.expire("s", short) // after it
	a.now += 2 * second
	b.send(a, key("s"))
	if a.Stats().Reissued != 1 {
		t.Fatal("not reissued")
	}
	c.send(a, key("s"))
	if a.due("s") != short {
		t.Fatalf("due %d, want the shortening's %d", a.due("s"), short)
	}
}

func TestLocalTouchSurvivesARemoteWriteOfTheValue(t *testing.T) {
	a, b, granted := touched(t)
	b.put("s", "y", keepLife)
	b.send(a, key("s"))
	a.want("s", "y")
	if a.due("s") != granted || a.Stats().Reissued != 0 {
		t.Fatalf("due %d, want %d", a.due("s"), granted)
	}
}

func TestLocalTouchGoesWithItsBirth(t *testing.T) {
	for name, end := range map[string]func(n *node){
		"destroyed": func(n *node) { n.destroy("s") },
		"flushed":   func(n *node) { _, _ = n.Flush(n.now, 0) },
	} {
		a, _, _ := touched(t)
		end(a)
		a.put("s", "new", ifAbsent, a.dueIn(hour))
		if a.due("s") != a.now+hour {
			t.Errorf("%s: the new session's deadline is %d", name, a.due("s"))
		}
		a.audit()
	}
}

func TestAFloorThatTakesThePromiseReissuesTheTouch(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	floor := newNode(t, 3)
	floor.now -= 2 * second
	if _, err := floor.Flush(floor.now, 0); err != nil { // stamped 3 s ahead of t0
		t.Fatal(err)
	}
	a.put("s", "low", ifAbsent, a.dueIn(1600*second)) // below the floor to come
	b.now += 10 * second
	b.put("s", "high", ifAbsent, b.dueIn(20*second)) // above it
	b.send(a, key("s"))
	a.now += 11 * second
	a.expire("s", a.now+100*second) // a touch of the higher birth, beyond its promise
	a.now += second
	a.expire("s", a.now+100*second) // local
	due := a.due("s")
	floor.send(a, record.FloorKey(0))
	if a.due("s") != due || len(a.state("s").Births) != 1 {
		t.Fatalf("due %d, want %d; %d births", a.due("s"), due, len(a.state("s").Births))
	}
	a.audit()
}

// A touch may rely on a promise only if that promise goes when the touch's own birth goes.
func TestATouchWithinAnotherBirthsPromiseIsReplicated(t *testing.T) {
	a, b := newNode(t, 1), newNode(t, 2)
	a.put("s", "explicit", ifAbsent, a.dueIn(100*second))
	b.now += second
	b.put("s", "weak", b.dueIn(100*second))
	b.expire("s", b.now+1600*second) // the weak birth's register wins, its promise is 100 s more
	b.send(a, key("s"))
	a.now += 2 * second
	if v, _ := a.Get(a.now, key("s")); v.Birth.By != a.self() {
		t.Fatal("the explicit birth is not the current one")
	}
	if res := a.expire("s", a.due("s")+second); res.Seq == 0 {
		t.Fatal("the touch stayed local")
	}
}

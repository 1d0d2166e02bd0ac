package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestASessionOfAnOriginalIsTakenWithoutWhatItPutThere(t *testing.T) {
	w := begun(t)
	w.hear(hostA, newSession("one", `"user":{"name":"ä😀","n":12345678901234567890}`))
	w.holds("one", string(value(`"user":{"name":"ä😀","n":12345678901234567890}`)))
	if due := w.store.m["one"].Due; due != start.Add(2*time.Hour).UnixMilli() {
		t.Errorf("it ends at %d", due)
	}
	w.pass(time.Minute)
	w.wantSent() // it is not sent back
	w.counter("taken", w.core.Counters().Taken, 1)
}

func TestTheEndIsTheTTLOrTheCookiesOrADayAway(t *testing.T) {
	for name, c := range map[string]struct {
		ttl, cookie string
		want        time.Duration
	}{
		"ttl first":      {`"ttl":600,`, cookieFor(2 * time.Hour), 10 * time.Minute},
		"ttl as text":    {`"ttl":"600",`, cookieFor(2 * time.Hour), 10 * time.Minute},
		"the cookie":     {``, cookieFor(2 * time.Hour), 2*time.Hour - time.Minute},
		"none of both":   {``, `"cookie":{"originalMaxAge":null,"expires":null}`, DefaultLife},
		"a ttl of 0":     {`"ttl":0,`, `"cookie":{}`, DefaultLife},
		"a negative ttl": {`"ttl":-5,`, `"cookie":{}`, DefaultLife},
		"ttl NaN":        {`"ttl":"NaN",`, `"cookie":{}`, DefaultLife},
		"ttl Inf":        {`"ttl":"Inf",`, `"cookie":{}`, MaxLife},
		"too long":       {`"ttl":1e300,`, `"cookie":{}`, MaxLife},
		"year 9999":      {``, `"cookie":{"expires":"9999-12-31T23:59:59.000Z"}`, MaxLife},
	} {
		t.Run(name, func(t *testing.T) {
			w := begun(t)
			w.hear(hostA, `{"dataset":{"sid":"one",`+c.ttl+`"session":{`+c.cookie+`}},"status":"new","type":"session"}`)
			if got := time.UnixMilli(w.store.m["one"].Due).Sub(w.now); got != c.want {
				t.Errorf("it ends in %v, want %v", got, c.want)
			}
		})
	}
	w := begun(t)
	w.hear(hostA, `{"dataset":{"sid":"one","session":{`+cookieFor(time.Second)+`}},"status":"new","type":"session"}`)
	w.holds("one", "")
	w.counter("expired", w.core.Counters().DropExpired, 1)
}

func TestAnUpdateOfAnOriginalIsTaken(t *testing.T) {
	w := begun(t)
	w.hear(hostA, newSession("one", `"user":"alice","n":1`))
	w.hear(hostA, newSession("one", `"user":"alice","n":2,"more":[1,2]`))
	w.holds("one", string(value(`"user":"alice","n":2,"more":[1,2]`)))
	w.hear(hostA, newSession("one", `"n":2,"more":[1,2]`)) // without the user
	w.holds("one", string(value(`"n":2,"more":[1,2]`)))
	w.counter("updated", w.core.Counters().Updated, 2)
	w.hear(hostB, newSession("one", `"user":"alice","n":1`)) // as B first heard of it
	w.holds("one", string(value(`"n":2,"more":[1,2]`)))
	w.hear(hostB, newSession("one", `"user":"alice","n":7`))
	w.holds("one", string(value(`"n":7,"more":[1,2]`)))
	w.counter("unchanged", w.core.Counters().Unchanged, 1)
}

func TestAStaleCopyChangesNothing(t *testing.T) {
	w := begun(t)
	w.have("cart", `"items":1,"theme":"dark"`)
	w.core.Happened(Created, "cart")
	w.pass(time.Second)
	w.have("cart", `"items":3,"theme":"dark"`)
	w.hear(hostA, newSession("cart", `"theme":"dark","items":1.0`)) // a page view there
	w.holds("cart", string(value(`"items":3,"theme":"dark"`)))
	w.hear(hostA, newSession("cart", `"items":1,"theme":"light"`))
	w.holds("cart", string(value(`"items":3,"theme":"light"`)))

	w.have("given", `"items":1`)
	w.hear(hostB, asks)
	w.pass(time.Minute)
	w.have("given", `"items":2`)
	w.hear(hostB, newSession("given", `"items":1`))
	w.holds("given", string(value(`"items":2`)))
}

func TestActivityOnAnOriginalExtendsALife(t *testing.T) {
	w := begun(t)
	w.hear(hostA, newSession("one", `"n":1`))
	later := func(d time.Duration, fields string) string {
		return `{"dataset":{"sid":"one","session":{` + cookieFor(d) + fields + `}},"status":"new","type":"session"}`
	}
	w.hear(hostA, strings.Replace(later(3*time.Hour, `,"n":1`), "10800000", "7200000", 1)) // the same age, a later end
	if got := w.store.m["one"].Due; got != start.Add(3*time.Hour).UnixMilli() {
		t.Errorf("it ends at %d", got)
	}
	w.counter("extended", w.core.Counters().Extended, 1)
	w.hear(hostA, strings.Replace(later(2*time.Hour, `,"n":2`), "10800000", "7200000", 1)) // another has extended it further
	if got := w.store.m["one"].Due; got != start.Add(3*time.Hour).UnixMilli() {
		t.Errorf("a change without another age shortened it to %d", got)
	}
	w.hear(hostA, later(time.Hour, `,"n":2`)) // the app gave it another age
	if got := w.store.m["one"].Due; got != start.Add(time.Hour).UnixMilli() {
		t.Errorf("the app's own age is not taken: %d", got)
	}
}

func TestSessionsOfManyFieldsAreTakenWhole(t *testing.T) {
	w := begun(t)
	many := func(last int) string {
		var b strings.Builder
		for i := range MaxBaseFields + 1 {
			fmt.Fprintf(&b, `"f%d":%d,`, i, i)
		}
		return b.String() + fmt.Sprintf(`"last":%d`, last)
	}
	w.hear(hostA, newSession("one", many(1)))
	w.hear(hostA, newSession("one", many(2)))
	w.holds("one", string(value(many(2))))
}

func TestALogoutIsToldForEveryCopy(t *testing.T) {
	w := begun(t)
	for i := range 3 {
		w.hear(hostA, newSession("one", fmt.Sprintf(`"n":%d`, i)))
	}
	_ = w.store.Destroy(w.now, "one")
	w.core.Happened(Destroyed, "one")
	w.pass(time.Second)
	if got := w.took(); len(got) != 4 || !strings.Contains(got[3], `"destroy"`) {
		t.Errorf("told %q, where originals may hold three copies and one", got)
	}
	w.hear(hostA, newSession("one", `"n":9`)) // by a request that was under way
	w.pass(time.Second)
	if got := w.took(); len(got) != 5 {
		t.Errorf("told again %d times", len(got))
	}
	w.holds("one", "")
	for range 100 {
		w.hear(hostA, newSession("one", `"n":9`))
	}
	w.took()
	w.pass(time.Minute)
	if got := w.core.bases.copies("one"); got != maxCopies {
		t.Errorf("it would be told %d times", got)
	}
}

func TestALogoutOnAnOriginalIsOneHere(t *testing.T) {
	w := begun(t)
	w.hear(hostA, newSession("one", `"n":1`))
	w.hear(hostA, `{"sid":"one","status":"destroy","type":"session"}`)
	w.holds("one", "")
	w.pass(time.Minute)
	w.wantSent()
	w.counter("ended", w.core.Counters().Ended, 1)
	w.hear(hostA, newSession("two", `"n":1`))
	w.hear(hostA, newSession("two", `"n":2`))
	w.hear(hostA, `{"sid":"two","status":"destroy","type":"session"}`)
	w.pass(time.Minute)
	if got := w.took(); len(got) == 0 { // it holds a second copy, which would be a session still
		t.Error("the second copy was left")
	}
}

func TestAnAnswerTellsOfWhatIsUnknownOnly(t *testing.T) {
	w := begun(t)
	w.have("known", `"n":2`)
	w.store.ended["out"] = true
	text := `{"type":"question","status":"answer","question":"existingSessions","sessions":[` +
		`{"sid":"known","session":{` + cookieFor(time.Hour) + `,"n":1}},{"sid":"new","session":{` + cookieFor(time.Hour) + `,"save":"new"},"_id":"q"},7,{"sid":"out","session":{` + cookieFor(time.Hour) + `}}]}`
	w.hear(hostA, text)
	w.holds("new", "") // nobody asked it
	w.hear(hostA, greetingA)
	w.hear(hostA, text)
	w.holds("known", string(value(`"n":2`)))
	w.holds("new", "{"+cookieFor(time.Hour)+"}")
	w.holds("out", "")
	w.counter("session", w.core.Counters().DropSession, 1)
}

func TestBadSessionsAreDroppedAndCounted(t *testing.T) {
	w := begun(t)
	deep := strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth)
	for _, text := range []string{
		"", "x", "null", "7", "[]", `""`, "{", `{"status":7}`, `{"status":"new","type":"session","dataset":` + strings.Repeat("[", 20_000), "\xff",
		`{"status":"new","type":"dance"}`, `{}`,
		newSession("", `"a":1`), newSession(strings.Repeat("s", 101), `"a":1`), `{"status":"new","type":"session"}`,
		`{"status":"new","type":"session","dataset":{"sid":{"$ne":1},"session":{"cookie":{}}}}`,
		`{"status":"new","type":"session","dataset":{"sid":"x","session":7}}`, `{"status":"new","type":"session","dataset":{"sid":"x","session":{}}}`,
		`{"status":"new","type":"session","dataset":{"sid":"x","session":{"cookie":{"expires":"soon"}}}}`, newSession("x", `"d":`+deep),
		newSession("x", `"__proto__":{}`),
		`{"status":"destroy","type":"session"}`, `{"status":"destroy","type":"session","sid":"` + strings.Repeat("s", 101) + `"}`,
		`{"status":"new","type":"node"}`, `{"status":"new","type":"node","address":"224.0.0.1","port":4000}`, `{"status":"new","type":"node","address":"10.0.0.1","port":70000}`,
		`{"status":"new","type":"node","address":"255.255.255.255","port":4000}`, `{"status":"new","type":"node","address":"127.0.0.1","port":4000}`,
	} {
		w.hear(hostA, text)
	}
	if len(w.store.m) > 0 {
		t.Errorf("taken: %v", w.store.m)
	}
	w.pass(time.Minute)
	w.wantSent()
	c := w.core.Counters()
	w.counter("malformed", c.DropMalformed, 8)
	w.counter("depth", c.DropDepth, 2)
	w.counter("unknown", c.DropUnknown, 3) // null is an object without words
	w.counter("session", c.DropSession, 7+1)
	w.counter("sid", c.DropSID, 2)
	w.counter("hosts", c.DropHosts, 5)
}

func TestMessagesAboutSessionsAreLimited(t *testing.T) {
	w := begun(t)
	for i := range SessionsBurst + 100 {
		w.core.Receive(w.now, hostA, []byte(newSession(fmt.Sprint("s", i), `"n":1`)))
	}
	w.counter("rate", w.core.Counters().DropRate, 100)
	if len(w.store.m) != SessionsBurst {
		t.Errorf("%d taken", len(w.store.m))
	}
}

func TestCopiesRememberedAreLimited(t *testing.T) {
	var b bases
	for i := range MaxBases + 100 {
		b.put(fmt.Sprint(i), 1, base{})
	}
	if len(b.known) != MaxBases || len(b.ring) != MaxBases {
		t.Errorf("%d, %d", len(b.known), len(b.ring))
	}
}

package bridge

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const (
	helloA    = `{"status":"new","type":"node","address":"10.0.0.1","port":4000}`
	greetingA = `{"status":"new","type":"greeting","address":"10.0.0.1","port":4000}`
	asks      = `{"status":"new","type":"question","question":"existingSessions"}`
)

func TestItSaysHelloUntilSomebodyGreets(t *testing.T) {
	w := newWorld(t)
	w.core.Begin(w.now)
	w.pass(time.Minute)
	w.wantSent(`"status":"destroy","type":"node"`, `"status":"new","type":"node","address":"10.0.0.9","port":4000`, `"type":"node"`, `"type":"node"`)

	w = newWorld(t)
	w.core.Begin(w.now)
	w.pass(0)
	w.hear(hostA, greetingA)
	w.hear(hostA, greetingA)
	w.pass(time.Minute)
	w.wantSent("destroy", `"type":"node"`, "10.0.0.1:4000: "+`{"status":"new","type":"question","question":"existingSessions"`)
	if got := w.core.Finish(); len(got) != 1 || !strings.Contains(string(got[0].Data), `"destroy"`) {
		t.Errorf("at the end: %s", got)
	}
}

func TestANewcomerIsGreetedAndGivenAllOnce(t *testing.T) {
	w := begun(t)
	for i := range 40 {
		w.have(fmt.Sprint("s", i), `"n":1`)
	}
	w.hear(hostA, helloA)
	w.wantSent(`10.0.0.1:4000: {"status":"new","type":"greeting","address":"10.0.0.9","port":4000`)
	w.pass(unaskedAfter / 2)
	w.hear(hostA, asks) // it asks here: it is given at once
	w.pass(giveAgain / 2)
	w.hear(hostA, asks) // and not twice
	w.pass(time.Minute)
	all := strings.Join(w.took(), "\n")
	for i := range 40 {
		if n := strings.Count(all, fmt.Sprintf(`{"sid":"s%d",`, i)); n != 1 {
			t.Errorf("s%d was given %d times", i, n)
		}
	}
	if n := w.core.Counters().Answered; n < 3 || n > 40 {
		t.Errorf("%d answers", n)
	}
	w.hear(hostA, helloA) // it starts anew
	w.pass(time.Minute)
	if got := w.took(); len(got) < 3 {
		t.Errorf("who starts again gets %q", got)
	}
}

func TestANewcomerThatAsksAnotherIsGivenAllUnasked(t *testing.T) {
	w := begun(t)
	w.have("one", `"n":1`)
	w.hear(hostA, helloA)
	w.wantSent("greeting")
	w.pass(unaskedAfter - time.Millisecond)
	w.wantSent()
	w.pass(time.Millisecond)
	w.wantSent(`10.0.0.1:4000: {"type":"question","status":"answer","question":"existingSessions"`)
}

func TestWhoNamesAnotherHostIsGreetedThereAndFloodsNobody(t *testing.T) {
	w := begun(t)
	w.have("one", `"n":1`)
	w.hear(hostB, helloA)
	w.pass(time.Minute)
	w.wantSent("10.0.0.1:4000: " + `{"status":"new","type":"greeting"`)
}

func TestAnswersArePacedAndEndWithTheLimit(t *testing.T) {
	w := begun(t)
	w.have("large", `"pad":"`+strings.Repeat("x", 20_000)+`"`)
	for i := range 100 {
		w.have(fmt.Sprint("s", i), `"pad":"`+strings.Repeat("x", 100)+`"`)
	}
	w.hear(hostA, asks)
	first := len(w.sent)
	w.pass(time.Minute)
	if first != 1 || len(w.sent) < 10 {
		t.Errorf("%d answers at once, of %d", first, len(w.sent))
	}
	for _, d := range w.sent {
		if n := strings.Count(string(d.Data), `{"sid":`); n > AnswerSessions || len(d.Data) > AnswerSize && n > 1 {
			t.Errorf("an answer of %d bytes with %d sessions", len(d.Data), n)
		}
	}
}

func TestSessionsOfTheClusterAreTold(t *testing.T) {
	w := begun(t)
	w.have("one", `"user":"bob"`)
	w.core.Happened(Created, "one")
	w.core.Happened(Created, "gone before it was told")
	w.core.Happened(Changed, "one")
	w.core.Happened(Expired, "two")
	w.pass(time.Second)
	w.wantSent(`all: {"dataset":{"sid":"one","session":` + string(value(`"user":"bob"`)) + `},"status":"new","type":"session"`)
	w.core.Happened(Changed, "one")
	w.core.Happened(Destroyed, "one")
	w.pass(time.Second)
	w.wantSent(`all: {"sid":"one","status":"destroy","type":"session"`)
	c := w.core.Counters()
	w.counter("told", c.Told, 1)
	w.counter("not updated", c.NotUpdated, 1)
	w.counter("not expired", c.NotExpired, 1)
	w.counter("ends", c.ToldEnds, 1)
}

func TestWhatTheOriginalsMayLackIsToldAfterTheStart(t *testing.T) {
	w := newWorld(t)
	w.have("known", `"n":1`)
	w.have("unknown", `"n":1`)
	w.core.Begin(w.now)
	w.pass(0)
	w.hear(hostA, greetingA)
	w.hear(hostA, `{"type":"question","status":"answer","question":"existingSessions","sessions":[{"sid":"known","session":{`+cookieFor(time.Hour)+`,"n":1},"_id":"x"}]}`)
	w.took()
	w.pass(time.Minute)
	w.wantSent(`{"dataset":{"sid":"unknown"`)
	w.store.m["lost"] = w.store.m["unknown"]
	delete(w.store.m, "unknown")
	w.store.m["lost"] = Stored{SID: "lost", Value: value(`"n":2`)}
	w.core.Lost(w.now)
	w.pass(time.Minute)
	w.wantSent(`{"dataset":{"sid":"lost"`)
}

func TestWhatOriginalsCouldNotHoldIsToldOnceTheyCan(t *testing.T) {
	w := begun(t)
	w.have("one", `"pad":"`+strings.Repeat("x", 66_000)+`"`)
	w.core.Happened(Created, "one")
	w.pass(time.Second)
	w.wantSent()
	w.have("one", `"pad":"x"`)
	w.core.Happened(Changed, "one")
	w.core.Happened(Changed, "one")
	w.pass(time.Second)
	w.wantSent(`{"dataset":{"sid":"one"`)
}

func TestTellingIsPaced(t *testing.T) {
	w := begun(t)
	for i := range 500 {
		w.have(fmt.Sprint("s", i), `"n":1`)
		w.core.Happened(Created, fmt.Sprint("s", i))
	}
	w.pass(0)
	if n := len(w.took()); n != tellBurst {
		t.Errorf("%d at once, want %d", n, tellBurst)
	}
	w.pass(time.Second)
	if n := len(w.took()); n < tellPerSecond-2 || n > tellPerSecond+2 {
		t.Errorf("%d in a second, want %d", n, tellPerSecond)
	}
}

func TestTheQueueIsLimited(t *testing.T) {
	w := begun(t)
	for i := range MaxQueue + 10 {
		w.core.Happened(Destroyed, fmt.Sprint("s", i))
	}
	w.counter("queue full", w.core.Counters().QueueFull, 10)
	if n := w.core.Counters().Queued; n != MaxQueue {
		t.Errorf("%d wait", n)
	}
}

func TestWhatOriginalsWouldDieOfIsNotTold(t *testing.T) {
	deep := strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1)
	for name, text := range map[string]string{
		"no JSON": "text", "null": "null", "no object": `[1]`, "no cookie": `{"user":"x"}`, "a cookie that is none": `{"cookie":7}`,
		"a date that is none": `{"cookie":{"expires":"soon"}}`, "an age that is none": `{"cookie":{"originalMaxAge":"1h"}}`,
		"a name with a dot": `{"cookie":{},"a.b":1}`, "a name with a dollar": `{"cookie":{},"a":[{"$set":1}]}`,
		"a prototype": `{"cookie":{},"__proto__":null}`, "too deep": `{"cookie":{},"d":` + deep + `}`, "no text": "{\"cookie\":{},\"a\":\"\xff\"}",
		"two values": `{"cookie":{}} {}`, "a number beyond all": `{"cookie":{},"n":1e999}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := begun(t)
			w.store.m["x"] = Stored{SID: "x", Value: []byte(text)}
			w.core.Happened(Created, "x")
			w.hear(hostA, asks)
			w.pass(time.Minute)
			w.wantSent()
			w.counter("unfit", w.core.Counters().Unfit, 2)
		})
	}
	w := begun(t)
	w.have("x", `"pad":"`+strings.Repeat("x", 66_000)+`"`)
	w.have("fits", `"pad":"`+strings.Repeat("x", 65_000)+`"`)
	w.core.Happened(Created, "x")
	w.core.Happened(Created, "fits")
	w.core.Happened(Destroyed, "\xff")
	w.pass(time.Minute)
	w.wantSent(`"sid":"fits"`)
	w.counter("too large", w.core.Counters().TooLarge, 1)
}

func TestAnotherBridgeIsKnownAndNotListenedTo(t *testing.T) {
	other := netip.MustParseAddrPort("10.0.0.10:4000")
	w := newWorld(t)
	w.core.Begin(w.now)
	w.pass(0)
	w.hear(other, string(created("one", value(`"n":1`))))
	w.holds("one", "")
	if w.core.Rival().IsValid() {
		t.Error("a message of another bridge alone is no greeting")
	}
	w.took()
	w.hear(other, string(hello(other)))
	w.wantSent("10.0.0.10:4000: " + `{"status":"new","type":"greeting"`)
	w.hear(other, string(greeting(other)))
	if w.core.Rival() != other {
		t.Error("the other is not known")
	}
	below := netip.MustParseAddrPort("10.0.0.8:4000")
	w.hear(below, string(hello(below)))
	w.wantSent() // both start: the one below stays
	w.pass(Starting)
	w.took()
	w.hear(below, string(hello(below)))
	w.wantSent("greeting")
	w.hear(self, string(hello(self)))
	w.wantSent()
}

func TestHostsAreBounded(t *testing.T) {
	w := begun(t)
	address := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 4000)
	}
	for i := range MaxHosts + 5 {
		w.core.Receive(w.now, address(i), []byte(greetingA))
	}
	if n := w.core.Counters().Hosts; n != MaxHosts {
		t.Errorf("%d hosts", n)
	}
	w.pass(2 * hostQuiet)
	w.core.Receive(w.now, address(MaxHosts), []byte(greetingA))
	if w.core.hosts[address(MaxHosts).Addr()] == nil || w.core.Counters().Hosts != MaxHosts {
		t.Error("who was silent keeps others out")
	}
	for i := range MaxGivings + 5 {
		w.core.Receive(w.now, address(i), []byte(asks))
	}
	if n := len(w.core.givings); n > MaxGivings {
		t.Errorf("%d are given all at once", n)
	}
}

func TestPutErrorsAreCounted(t *testing.T) {
	w := begun(t)
	w.store.err = errors.New("full")
	w.hear(hostA, newSession("one", `"n":1`))
	w.store.err = ErrDestroyed
	w.hear(hostA, newSession("one", `"n":1`))
	w.pass(time.Second)
	w.wantSent(`"sid":"one","status":"destroy"`, `"sid":"one","status":"destroy"`)
	w.counter("refused", w.core.Counters().DropRefused, 1)
	w.counter("destroyed", w.core.Counters().DropDestroyed, 1)
}

func TestWhatANewcomerWasGivenTheOthersAreToldStill(t *testing.T) {
	w := newWorld(t)
	w.have("one", `"n":1`)
	w.core.Begin(w.now)
	w.pass(0)
	w.hear(hostA, greetingA)
	w.core.Receive(w.now, hostB, []byte(strings.Replace(helloA, "10.0.0.1", "10.0.0.2", 1)))
	w.hear(hostB, asks)
	w.took()
	w.pass(backfillAfter + time.Minute)
	w.wantSent(`all: {"dataset":{"sid":"one"`)
}

// Ten thousand sessions on each side, while an original joins: all are told of and all are taken, in time, and nothing is sent that originals die of.
func TestTenThousandSessionsOnEachSide(t *testing.T) {
	const many = 10_000
	w := newWorld(t)
	for i := range many {
		w.have(fmt.Sprint("ours", i), `"n":1`)
	}
	w.core.Begin(w.now)
	w.pass(0)
	w.hear(hostA, greetingA)
	for i := range many {
		w.core.Receive(w.now, hostA, []byte(newSession(fmt.Sprint("theirs", i), `"n":2`)))
		if i == many/2 {
			w.hear(hostB, helloA)
			w.core.Receive(w.now, hostB, []byte(strings.Replace(helloA, "10.0.0.1", "10.0.0.2", 1)))
		}
		w.pass(time.Millisecond)
	}
	began := w.now
	for limit := 0; len(w.core.givings) > 0 || w.core.backfill != nil || len(w.core.queue) > 0; limit++ {
		if limit > 3600 {
			t.Fatal("not within an hour")
		}
		w.pass(time.Second)
	}
	t.Logf("the bridge has told of all %v after the last came", w.now.Sub(began))
	n := w.core.Counters()
	w.counter("taken", n.Taken, many)
	w.counter("dropped", n.DropRate+n.DropSession+n.DropMalformed+n.DropRefused, 0)
	all, given := map[string]int{}, map[string]int{}
	for _, d := range w.sent {
		m, err := Parse(d.Data)
		if err != nil {
			t.Fatalf("%v: %.200s", err, d.Data)
		}
		if m.Dataset != nil {
			all[m.Dataset.SID]++
		}
		for _, s := range m.Sessions {
			if d.To == hostB {
				given[s.SID]++
			}
		}
	}
	for i := range many {
		sid := fmt.Sprint("ours", i)
		if all[sid] != 1 || given[sid] != 1 {
			t.Fatalf("%s was told %d times to all and %d times to the newcomer", sid, all[sid], given[sid])
		}
		if _, there := w.store.m[fmt.Sprint("theirs", i)]; !there {
			t.Fatalf("theirs%d was not taken", i)
		}
	}
}

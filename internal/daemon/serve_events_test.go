package daemon

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// reported is what a daemon logs of the events, without the times.
func reported(events ...engine.Event) string {
	var b bytes.Buffer
	d := &daemon{options: &Options{}, log: newLogger(&b, &Options{LogLevel: "info", LogFormat: "text"}), key: FoundKey{}}
	for _, e := range events {
		d.report(e)
	}
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		if _, rest, found := strings.Cut(line, " "); found {
			lines[i] = rest
		}
	}
	return strings.Join(lines, "\n")
}

var (
	webOrigin = record.Origin{Node: record.NodeID{0xab, 0xcd}}
	webAddr   = netip.MustParseAddrPort("10.0.1.5:4000")
)

func entered(s wire.MemberState, left bool) engine.Event {
	m := engine.Member{Origin: webOrigin, Name: "web-2", State: s, Silence: 3 * time.Second, Sessions: 7, Left: s == wire.Dead && left}
	return engine.Event{Kind: engine.EventMember, State: s, Member: m, Addr: webAddr}
}

func TestAPeersLifeIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		states []wire.MemberState
		want   []string
	}{
		"comes and leaves": {[]wire.MemberState{wire.Joining, wire.Synced, wire.Leaving, wire.Dead},
			[]string{"INFO  peer heard, joining", "INFO  peer synced", "INFO  peer leaving", "INFO  peer left"}},
		"is heard synced, and dies": {[]wire.MemberState{wire.Synced, wire.Suspect, wire.Dead},
			[]string{"INFO  peer heard, synced", "WARN  peer silent, probing it", "WARN  peer dead"}},
		"comes back": {[]wire.MemberState{wire.Synced, wire.Suspect, wire.Synced, wire.Suspect, wire.Dead, wire.Joining},
			[]string{"INFO  peer heard, synced", "WARN  peer silent, probing it", "INFO  peer heard again, synced", "WARN  peer silent, probing it",
				"WARN  peer dead", "INFO  peer heard again, joining"}},
		"is replaced": {[]wire.MemberState{wire.Synced, wire.Dead}, []string{"INFO  peer heard, synced", "INFO  peer gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			var events []engine.Event
			for _, s := range c.states {
				events = append(events, entered(s, strings.HasSuffix(name, "leaves")))
			}
			lines := strings.Split(strings.TrimSpace(reported(events...)), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("logged %q", lines)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, c.want[i]) || !strings.Contains(line, "peer=web-2 address=10.0.1.5:4000") {
					t.Errorf("line %d: %s, want %s", i, line, c.want[i])
				}
				if again := strings.Contains(line, "again"); again && strings.Contains(line, "sessions=") {
					t.Errorf("line %d tells how many sessions it had before its silence: %s", i, line)
				}
			}
		})
	}
}

func TestHowLongAPeerIsKnown(t *testing.T) {
	var r roster
	r.enter(webOrigin, wire.Synced)
	if r.Known(webOrigin) <= 0 || r.Known(record.Origin{}) != 0 {
		t.Error("how long members are known is wrong")
	}
}

func TestARosterKnowsWhetherMulticastHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r roster
		r.enter(webOrigin, wire.Synced)
		heard := []engine.Member{{Origin: webOrigin, Multicast: true}}
		if r.look(heard); r.Met(webOrigin) {
			t.Error("what both sides suppose of a newcomer is taken for knowledge")
		}
		time.Sleep(metAfter + 1)
		if r.look([]engine.Member{{Origin: webOrigin}}); r.Met(webOrigin) {
			t.Error("nothing has passed")
		}
		r.look(heard)
		if r.look([]engine.Member{{Origin: webOrigin}}); !r.Met(webOrigin) {
			t.Error("what has passed is forgotten")
		}
	})
}

func TestCopiesToAPeerInModeUnicastBlameNoSwitch(t *testing.T) {
	if log := reported(engine.Event{Kind: engine.EventCopies, Member: engine.Member{Name: "web-2"}}); strings.Contains(log, "IGMP") || !strings.Contains(log, "--mode unicast") {
		t.Error(log)
	}
	if log := reported(engine.Event{Kind: engine.EventCopies, Member: engine.Member{Name: "web-2", Multicast: true}}); !strings.Contains(log, "IGMP") {
		t.Error(log)
	}
}

func TestARosterIsBounded(t *testing.T) {
	var r roster
	for i := range 2 * maxRoster {
		r.enter(record.Origin{Node: record.NodeID{byte(i), byte(i >> 8)}}, wire.Synced)
	}
	if n := len(r.members); n > maxRoster+1 {
		t.Errorf("%d members remembered", n)
	}
}

func TestEventsSayWhatToDo(t *testing.T) {
	for kind, want := range map[engine.EventKind]string{
		engine.EventDivergence: "WARN  a peer held other sessions", engine.EventDuplicate: "ERROR two running nodes have one name: give one of them another --name",
		engine.EventFetching:   "INFO  joining: a peer gives this node its sessions  donor=web-2 address=10.0.1.5:4000 sessions=7",
		engine.EventClockAhead: "run an NTP client", engine.EventConfig: "compare sessioncast config show", engine.EventJoining: "INFO  joining",
		engine.EventSetAside: "look for a busy CPU", engine.EventTakenBack: "INFO  a peer keeps up again",
		engine.EventUnheard: "nothing of it arrives here: check the firewalls", engine.EventHeard: "INFO  a peer arrives here again", engine.EventStoodStill: "this node stood still",
		engine.EventCloned:   "ERROR a clone of this machine runs",
		engine.EventDegraded: "WARN  writes return without the confirmations", engine.EventConfirmed: "INFO  writes are confirmed again",
	} {
		e := entered(wire.Synced, false)
		e.Kind = kind
		if got := reported(e); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("event %d: %s", kind, got)
		}
	}
}

func TestAnotherKeyIsSaidOncePerAddress(t *testing.T) {
	other := engine.Event{Kind: engine.EventOtherKey, Addr: webAddr}
	again := engine.Event{Kind: engine.EventOtherKey, Addr: netip.AddrPortFrom(webAddr.Addr(), 4001)}
	elsewhere := engine.Event{Kind: engine.EventOtherKey, Addr: netip.MustParseAddrPort("10.0.1.6:4000")}
	if got := reported(other, again, elsewhere, other); strings.Count(got, "another cluster key") != 2 {
		t.Error(got)
	}
}

func TestEventsNeverWaitForTheLog(t *testing.T) {
	d := &daemon{events: make(chan engine.Event, 2), log: slog.New(slog.DiscardHandler)}
	for range 5 {
		d.tell(engine.Event{})
	}
	if n := d.eventsLost.Load(); n != 3 {
		t.Errorf("%d events counted as lost, want 3", n)
	}
}

func TestFindingsAreToldOnceAndOnlyWhenTheyLast(t *testing.T) {
	var w worries
	loss, insecure := admin.Finding{Key: "loss web-2", Text: "loss"}, admin.Finding{Key: "insecure", Text: "insecure"}
	for i, step := range []struct {
		there []admin.Finding
		want  int
	}{{[]admin.Finding{loss, insecure}, 0}, {[]admin.Finding{loss, insecure}, 1}, {[]admin.Finding{loss}, 0}, {nil, 0}, {[]admin.Finding{loss}, 0}, {[]admin.Finding{loss}, 1}} {
		if got := w.look(step.there); len(got) != step.want {
			t.Errorf("step %d: told %q, want %d", i, got, step.want)
		}
	}
}

func TestWhatADonorTookWithItIsTold(t *testing.T) {
	member := engine.Member{Origin: webOrigin, Name: "web-2"}
	got := reported(
		engine.Event{Kind: engine.EventSynced},
		engine.Event{Kind: engine.EventIncomplete, Member: member, Addr: webAddr, Missing: 1203, Sessions: 1100},
		engine.Event{Kind: engine.EventRegained, Member: member, Addr: webAddr},
		engine.Event{Kind: engine.EventSynced, Member: member, Addr: webAddr},
		engine.Event{Kind: engine.EventHurried, Behind: 2, Takers: 1},
		engine.Event{Kind: engine.EventHurried, Behind: 2},
	)
	want := []string{
		"INFO  synced: no synced node answered", "WARN  this node serves, and lacks sessions: a peer went away", "INFO  the sessions that were missing here have come",
		"INFO  synced: this node has every session  donor=web-2", "ERROR leaving although joining nodes", "WARN  leaving although peers have not confirmed",
		"WARN  leaving although peers have not confirmed",
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != len(want) {
		t.Fatalf("told:\n%s", got)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("line %d is %q, want %q", i+1, line, want[i])
		}
	}
	if !strings.Contains(got, "changes=1203") || !strings.Contains(got, "sessions=1100") {
		t.Errorf("told:\n%s", got)
	}
}

func TestNodesThatDoNotAnswerOrHearAreTold(t *testing.T) {
	member := engine.Member{Origin: webOrigin, Name: "web-2"}
	got := reported(
		engine.Event{Kind: engine.EventUnproven, Member: member, Addr: webAddr},
		engine.Event{Kind: engine.EventNotHeard, Member: member, Addr: webAddr},
		engine.Event{Kind: engine.EventHeardThere, Member: member, Addr: webAddr},
	)
	for _, direction := range []engine.Member{{ShutIn: true, ShutOut: true}, {ShutIn: true}, {ShutOut: true}} {
		direction.Origin, direction.Name = webOrigin, "web-2"
		got += reported(engine.Event{Kind: engine.EventShut, Member: direction, Addr: webAddr})
	}
	got += reported(engine.Event{Kind: engine.EventShutNoMore, Member: member, Addr: webAddr})
	want := []string{
		"ERROR a node of this cluster is heard, but answers by unicast do not arrive", "WARN  a peer that is heard here hears nothing of this node",
		"INFO  a peer hears this node again", "ERROR between a peer and this node only multicast passes, unicast in neither direction",
		"ERROR unicast of a peer does not arrive here", "ERROR unicast of this node does not arrive at a peer", "INFO  unicast between a peer and this node passes again",
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != len(want) {
		t.Fatalf("told:\n%s", got)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) || !strings.Contains(line, "web-2") {
			t.Errorf("line %d is %q, want %q", i+1, line, want[i])
		}
	}
}

func TestTheAlarmOfTwoNodesWithOneNameNamesBothPlaces(t *testing.T) {
	e := engine.Event{Kind: engine.EventDuplicate, Member: engine.Member{Name: "web-2"}, Addr: webAddr}
	if log := reported(e); !strings.Contains(log, "name=web-2 address=10.0.1.5:4000 other=\"this node\"") {
		t.Error(log)
	}
	e.Other = netip.MustParseAddrPort("10.0.1.6:4000")
	if log := reported(e); !strings.Contains(log, "address=10.0.1.5:4000 other=10.0.1.6:4000") {
		t.Error(log)
	}
}

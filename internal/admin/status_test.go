package admin

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestVerdictSaysInOneSentenceHowTheClusterIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Reading)
		want   string
	}{
		{"all is well", func(*Reading) {}, "3 of 3 members synced, 18,204 sessions, no loss."},
		{"starting", func(r *Reading) { r.State = 0 }, "Starting."},
		{"joining", func(r *Reading) { r.State = wire.Joining }, "Joining: fetching the sessions of the cluster, 18,204 sessions so far."},
		{"joining from somebody", func(r *Reading) { r.State, r.Members[1].Giving, r.Members[1].Sessions = wire.Joining, true, 41_000 },
			"Joining: fetching the sessions of the cluster from web-2, 18,204 of about 41,000 so far."},
		{"asking", func(r *Reading) {
			r.State, r.Members, r.Lookups = wire.Joining, r.Members[:1], []string{"the peer name n has no address yet (server misbehaving)"}
		}, "Joining, with 18,204 sessions so far; not ready: it has found nobody yet: the peer name n has no address yet (server misbehaving)."},
		{"waiting for who does not answer", shutOut,
			"Joining, with 18,204 sessions so far; not ready: it hears web-2 at 10.0.1.2:4000 and 10.0.1.3:4000, and gets no answer: open UDP and TCP port 4000 between the nodes."},
		{"leaving", func(r *Reading) { r.State = wire.Leaving }, "Leaving the cluster."},
		{"alone, one session", func(r *Reading) { r.Members, r.Counts.Table.Sessions = r.Members[:1], 1 },
			"Synced, but alone: no other node is heard. 1 session."},
		{"loss", func(r *Reading) { r.Members[1].Loss = 0.0214 }, "3 of 3 members synced, 18,204 sessions, loss up to 2.1 % (repaired)."},
		{"the loss of the dead counts no more", func(r *Reading) { r.Members[1].Loss, r.Members[1].State = 0.5, wire.Dead },
			"2 of 3 members synced, 18,204 sessions, no loss; web-2 is dead, last heard 400 ms ago."},
		{"who has no room for all is not synced", func(r *Reading) { r.Members[1].Lacking = true },
			"2 of 3 members synced, 18,204 sessions, no loss; web-2 has no room for all sessions."},
		{"nor is who lacks what its donor took with it", func(r *Reading) { r.Members[1].Incomplete = true },
			"2 of 3 members synced, 18,204 sessions, no loss; web-2 lacks sessions that another took with it."},
		{"also where that is this node", func(r *Reading) { r.Members[0].Incomplete = true },
			"2 of 3 members synced, 18,204 sessions, no loss; web-1 lacks sessions that another took with it."},
		{"which says why where it is not ready", func(r *Reading) {
			r.Members[0].Lacking, r.Full.Lacks = true, noon.Add(-time.Second)
		}, "2 of 3 members synced, 18,204 sessions, no loss; not ready: memory is full: sessions of other nodes found no room here."},
		{"a member is known by others only", func(r *Reading) { r.Members[1].ViaOthers = true },
			"3 of 3 members synced, 18,204 sessions, no loss; nothing of web-2 arrives at web-1."},
		{"a member that left is not missing", func(r *Reading) { r.Members[2].State, r.Members[2].Left = wire.Dead, true },
			"2 of 2 members synced, 18,204 sessions, no loss."},
		{"full", func(r *Reading) { r.Counts.Table.Bytes = 5 << 30 },
			"3 of 3 members synced, 18,204 sessions, no loss; not ready: memory is full: there is no room for sessions of other nodes."},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := healthy()
			test.change(r)
			if got := r.Status().Verdict; got != test.want {
				t.Errorf("verdict\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestFiguresOfWhoIsNotHeardHaveAnAge(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*engine.Member)
		old    bool
	}{
		{"heard", func(*engine.Member) {}, false},
		{"it does not hear us", func(m *engine.Member) { m.Unheard = true }, false},
		{"dead", func(m *engine.Member) { m.State = wire.Dead }, true},
		{"suspect", func(m *engine.Member) { m.State = wire.Suspect }, true},
		{"known by others only", func(m *engine.Member) { m.ViaOthers = true }, true},
	} {
		r := healthy()
		m := &r.Members[1]
		m.Loss, m.Silence = 0.25, 40*time.Second
		test.change(m)
		s := r.Status()
		for i := range s.Members {
			if got := &s.Members[i]; got.Name == "web-2" && ((got.FiguresAgeMS != nil) != test.old || test.old && *got.FiguresAgeMS != 40_000) {
				t.Errorf("%s: age %v", test.name, got.FiguresAgeMS)
			}
		}
		if (s.Counters.Loss == 0) != test.old {
			t.Errorf("%s: the loss of now is %v", test.name, s.Counters.Loss)
		}
	}
}

func TestFindingsNameWhatIsWrongAndNothingElse(t *testing.T) {
	if got := healthy().Findings(); len(got) != 0 {
		t.Errorf("a healthy cluster has findings: %v", got)
	}
	for _, test := range []struct {
		key    string
		change func(*Reading)
		want   string // a part of the only finding
	}{
		{"insecure", func(r *Reading) { r.Insecure = true }, "--insecure is on"},
		{"key 10.0.1.9", func(r *Reading) { r.Strange = []netip.Addr{netip.MustParseAddr("10.0.1.9")} }, "10.0.1.9 uses another cluster key"},
		{"full", func(r *Reading) { r.Counts.Table.Bytes = r.Counts.Table.Limit / 1000 * 975 }, "97 % full"},
		{"full", func(r *Reading) { r.Full.Crowded, r.Full.Nearly = true, 2 }, "nearly full on 2 members of the cluster"},
		{"lacking web-2", func(r *Reading) { r.Members[1].Lacking = true }, "web-2 lacks sessions for which it has no room"},
		{"lacks", func(r *Reading) { r.State, r.Full.Lacks = wire.Joining, noon.Add(-time.Second) }, "carries out logouts"},
		{"lacks", func(r *Reading) { r.Full.Lacks = noon.Add(-90 * time.Second) }, "for 1 min this node has lacked sessions of others"},
		{"incomplete", func(r *Reading) {
			r.Lost = engine.Incomplete{Since: noon.Add(-90 * time.Second), Changes: 1203, Sessions: 1100, Donor: engine.Member{Name: "web-9"}}
		}, "for 1 min: web-9 went away while this node fetched them (1,203 changes, up to about 1,100 sessions)"},
		{"incomplete", func(r *Reading) {
			r.Lost = engine.Incomplete{Since: noon.Add(-90 * time.Second), Donor: engine.Member{Name: "web-9"}}
		}, "for 1 min: web-9 gave this node its sessions, and lacks some itself"},
		{"acks", func(r *Reading) {
			r.Acks.Since, r.Acks.Minute = noon.Add(-30*time.Second), engine.AckShare{Waited: 1_512, Unconfirmed: 1_000}
			r.Acks.Listening = 0
		}, "For 30 s, writes have returned before --ack 1 peers had confirmed them (1,000 of 1,512 in the last minute): were this node to die at once, they could be lost. A peer is slow"},
		{"acks", func(r *Reading) { r.Acks.Since = noon.Add(-30 * time.Second) }, "By now as many peers answer as are asked."},
		{"short", func(r *Reading) { r.Ack, r.Acks.Asked = "3", 3 }, "Writes ask for 3 peers (--ack), and only 2 peers are there"},
		{"unanswering web-2", func(r *Reading) { r.Members[1].Deaf, r.Acks.Listening = true, 1 }, "web-2 confirms no writes of this node"},
		{"kernel", func(r *Reading) { r.Counts.Link.KernelDrops = 7 }, "dropped 7 datagrams"},
		{"kernel", func(r *Reading) { r.Counts.Link.KernelDrops, r.Counts.Engine.StoodStill = 7, 1 }, "dropped 7 datagrams in the last minute, in which this node stood still"},
		{"foreign", func(r *Reading) {
			r.Foreign = []netip.Addr{netip.MustParseAddr("10.0.1.77"), netip.MustParseAddr("10.0.1.78")}
			r.Counts.Engine.DropForeign, r.Counts.Engine.DropTag, r.Counts.Link.Oversize, r.Before.Engine.DropForeign = 1000, 20, 3, 400
		}, "623 datagrams of the last minute were no frames of this cluster, or damaged ones; most say that they come from 10.0.1.77, 10.0.1.78."},
		{"cloned", func(r *Reading) { r.Counts.Engine.ClonesFound = 1 }, "running twice, 1 time: its machine was cloned"},
		{"diverged", func(r *Reading) { r.Counts.Engine.Divergences = 1 }, "differed 1 time in"},
		{"silent web-3", func(r *Reading) { r.Members[2].State, r.Members[2].Silence = wire.Suspect, 3200*time.Millisecond }, "silent for 3 s"},
		{"dead web-3", func(r *Reading) {
			r.Members[2].State, r.Members[2].Silence = wire.Dead, 200*time.Second
		}, "web-3 at 10.0.1.3:4000 has been dead for 3 min, since 11:56:40 UTC: nothing of it has arrived since"},
		{"dead web-3", func(r *Reading) { m := &r.Members[2]; m.State, m.Killed = wire.Dead, true }, "its process ended without a goodbye"},
		{"incomplete web-2", func(r *Reading) { r.Members[1].Incomplete = true }, "web-2 lacks sessions: who gave them to it went away"},
		{"copies [web-2]", func(r *Reading) { m := &r.Members[1]; m.HearsUs, m.Copies, m.Unreached = false, true, true }, "Multicast of this node does not arrive at web-2, and unicast copies are sent"},
		{"no-multicast [web-2 web-3]", func(r *Reading) {
			for i := 1; i <= 2; i++ {
				m := &r.Members[i]
				m.HearsUs, m.Copies, m.Unreached, m.Multicast, m.Copied = false, true, true, false, true
			}
		}, "Multicast passes no more between this node and web-2 and web-3, in either direction"},
		{"unheard web-2", func(r *Reading) {
			m := &r.Members[1]
			m.HearsUs, m.Copies, m.Unreached, m.Unheard = false, true, true, true
		}, "Nothing of this node arrives at web-2, multicast or unicast"},
		{"copied [web-2]", func(r *Reading) { m := &r.Members[1]; m.Multicast, m.Copied = false, true }, "Multicast of web-2 does not arrive here, only unicast copies do"},
		{"lookup the peer name n has no address yet", func(r *Reading) { r.Lookups = []string{"the peer name n has no address yet"} }, "The peer name n has no address yet."},
		{"one-way web-2", func(r *Reading) { r.Members[1].HearsUs = false }, "web-2 does not hear this node's multicast"},
		{"one-way web-2", func(r *Reading) { r.Mode, r.Members[1].HearsUs = "multicast", false }, "--mode multicast sends it no copies"},
		{"no-copies web-2", func(r *Reading) { r.Mode, r.Members[2].Copied = "unicast", true }, "web-2 sends no copies of its changes to this node"},
		{"loss web-2", func(r *Reading) { r.Members[1].Loss = 0.3 }, "30 % of web-2's datagrams"},
		{"slow web-2", func(r *Reading) { r.Members[1].Aside = true }, "web-2 receives far worse than the others"},
		{"late", func(r *Reading) { r.Members[0].Late, r.Members[0].Stretch = 700*time.Millisecond, 1 }, "This node ran late by up to 700 ms within the last seconds: it, or its host"},
		{"late", func(r *Reading) { r.Members[0].Late, r.Members[0].Stretch = 700*time.Millisecond, 3 }, "This node ran late by up to 700 ms within the last seconds, and gives its peers 3 times"},
		{"late", func(r *Reading) { r.Members[0].Late, r.Members[0].Stretch = 13*time.Second, 1 }, "This node stood still for 13 s within the last seconds: it was stopped"},
		{"deaf web-2", func(r *Reading) { r.Members[1].ViaOthers, r.Members[1].Multicast = true, false }, "Nothing of web-2 arrives here"},
		{"no-multicast web-2", func(r *Reading) { r.Members[1].Loss, r.Members[1].Multicast = 0.9, false }, "only unicast"},
		{"clock web-2", func(r *Reading) { r.Members[1].Offset = -700 * time.Millisecond }, "700 ms behind this node's"},
		{"clock web-2", func(r *Reading) { r.Members[1].Offset = 8 * time.Second }, "more than the limit of 5 s: who is ahead of most others refuses writes"},
		{"own clock", func(r *Reading) { r.Clock = table.ErrClockStamps }, "Writes are refused here: this node's clock was too far ahead"},
		{"alone", func(r *Reading) { r.Members = r.Members[:1] }, "No other node is heard"},
		{"alone", func(r *Reading) { r.Members, r.Counts.Link.KernelDrops = r.Members[:1], 9 }, "No other node is heard"},
		{"joining", func(r *Reading) { r.State, r.Counts.Engine.FetchesFailed = wire.Joining, 4 }, "4 failed transfers. Its peers' sessions come by TCP from 10.0.1.2:4000 or 10.0.1.3:4000"},
		{"unproven", shutOut, "Frames of web-2 at 10.0.1.2:4000 and 10.0.1.3:4000 have arrived here for 1 min, but answers by unicast do not, there or here: open UDP and TCP port 4000"},
		{"unproven", func(r *Reading) { shutOut(r); r.State = wire.Synced }, "Frames of web-2 at 10.0.1.2:4000 and 10.0.1.3:4000"},
		{"unheard web-2", func(r *Reading) { r.Members[1].Unheard = true }, "Nothing of this node arrives at web-2"},
		{"unheard web-2", func(r *Reading) { r.Members[1].Unheard, r.Members[1].State = true, wire.Dead }, "Nothing of this node arrives at web-2"},
		{"shut", func(r *Reading) {
			m, n := &r.Members[1], &r.Members[2]
			m.Deaf, m.ShutIn, m.ShutOut, m.Shut = true, true, true, 90*time.Second
			n.Deaf, n.ShutIn, n.ShutOut, n.Shut = true, true, true, 80*time.Second
			r.Acks.Listening = 0
		}, "Between this node and web-2 at 10.0.1.2:4000 and web-3 at 10.0.1.3:4000 only multicast has passed for 1 min, unicast in neither direction"},
		{"shut in", func(r *Reading) { m := &r.Members[1]; m.Deaf, m.ShutIn, m.Shut = true, true, 5*time.Second },
			"Unicast of web-2 at 10.0.1.2:4000 has not arrived here for 5 s, only multicast: no writes of this node are confirmed from there, and none waits for that. Open UDP and TCP port 4000 in this node's firewall"},
		{"shut out", func(r *Reading) { m := &r.Members[1]; m.ShutOut, m.Shut = true, 5*time.Second },
			"Unicast of this node has not arrived at web-2 at 10.0.1.2:4000 for 5 s, only multicast: this node cannot confirm the writes made there. Open UDP and TCP port 4000 in the firewall there"},
		{"name web-2", func(r *Reading) { r.Members[2].Name = "web-2" }, "Two running nodes have the name web-2"},
		{"socket small buffer; sysctl -w x=1", func(r *Reading) { r.Advice = []string{"small buffer; sysctl -w x=1"} }, "Small buffer; sysctl -w x=1"},
	} {
		t.Run(test.key, func(t *testing.T) {
			r := healthy()
			test.change(r)
			got := r.Findings()
			if len(got) != 1 || got[0].Key != test.key || !strings.Contains(got[0].Text, test.want) {
				t.Errorf("findings %q, want one %q with %q", got, test.key, test.want)
			}
		})
	}
}

func TestOneWayMulticastIsNotSaidOfNewcomers(t *testing.T) {
	r := healthy()
	r.Members[1].HearsUs, r.Roster = false, newcomers{}
	if got := r.Findings(); len(got) != 0 {
		t.Errorf("findings %v about a member that had no time for a heartbeat", got)
	}
}

type newcomers struct{}

func (newcomers) Known(record.Origin) time.Duration { return time.Millisecond }
func (newcomers) Met(record.Origin) bool            { return true }

// strangers have been there for long, and no multicast ever passed.
type strangers struct{}

func (strangers) Known(record.Origin) time.Duration { return time.Hour }
func (strangers) Met(record.Origin) bool            { return false }

func TestAPeerInModeUnicastIsNoFaultOfASwitch(t *testing.T) {
	r := healthy()
	m := &r.Members[1]
	m.Multicast, m.Copied, m.HearsUs, m.Copies, m.Unreached = false, true, false, true, true
	r.Roster = strangers{}
	list := r.Findings()
	if len(list) != 1 || list[0].Key != "apart [web-2]" || strings.Contains(list[0].Text, "IGMP") || !strings.Contains(list[0].Text, "--mode unicast") {
		t.Errorf("findings %v", list)
	}
	m.HearsUs = true // so it has a multicast socket
	if list = r.Findings(); len(list) == 0 || !strings.Contains(list[len(list)-1].Text, "IGMP") {
		t.Errorf("where it passes one way: %v", list)
	}
}

func TestOfSeveralRunsOfOneNodeTheLivingIsShown(t *testing.T) {
	r := healthy()
	dead := peer("web-2", 2)
	dead.Origin, dead.State, dead.Silence = origin(2, 0), wire.Dead, time.Minute
	long := peer("web-9", 9)
	long.State, long.Silence = wire.Dead, time.Hour
	r.Members = append([]engine.Member{r.Members[0], dead, long}, r.Members[1:]...)
	s := r.Status()
	if len(s.Members) != 3 || !s.Members[0].Self || s.Members[1].Name != "web-2" || s.Members[1].State != "synced" {
		t.Errorf("members %+v", s.Members)
	}
}

func TestNamesOfOtherHostsCannotDriveTheTerminal(t *testing.T) {
	r := healthy()
	r.Members[1].Name = "\x1b[2Jweb\n\xff"
	if got := r.Status().Members[2].Name + r.Status().Members[1].Name; strings.ContainsAny(got, "\x1b\n") || !utf8.ValidString(got) {
		t.Errorf("name shown as %q", got)
	}
}

func TestFiguresAreWrittenForPeople(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Thousands(999), "999"}, {Thousands(1_000), "1,000"}, {Thousands(-1_234_567), "-1,234,567"},
		{Percent(0), "0 %"}, {Percent(0.0002), "<0.1 %"}, {Percent(0.021), "2.1 %"}, {Percent(1), "100 %"},
		{Bytes(0), "0 B"}, {Bytes(1 << 20), "1.0 MiB"}, {Bytes(150 << 20), "150 MiB"},
		{Ago(30 * time.Millisecond), "30 ms"}, {Ago(90 * time.Second), "1 min"}, {Ago(26 * time.Hour), "1 d 2 h"}, {Ago(125 * time.Minute), "2 h 5 min"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// shutOut makes a reading of a node that starts where multicast passes and unicast is shut.
func shutOut(r *Reading) {
	r.State, r.Members = wire.Joining, r.Members[:1]
	since := noon.Add(-90 * time.Second)
	r.Unproven = []engine.Unproven{
		{Node: record.NodeID{2}, Name: "web-2", Addr: netip.MustParseAddrPort("10.0.1.2:4000"), State: wire.Synced, Since: since},
		{Node: record.NodeID{3}, Addr: netip.MustParseAddrPort("10.0.1.3:4000"), Since: since},
	}
}

func TestWhoDoesNotAnswerIsNamedInStatusAndReadiness(t *testing.T) {
	r := healthy()
	shutOut(r)
	s := r.Status()
	if s.Ready || len(s.Unproven) != 2 || s.Unproven[0].Name != "web-2" || s.Unproven[0].State != "synced" || s.Unproven[0].Seconds != 90 ||
		s.Unproven[1].Address != "10.0.1.3:4000" || s.Unproven[1].State != "" || !strings.Contains(s.Reason, "10.0.1.3:4000") {
		t.Errorf("%+v", s)
	}
	r.Unproven[0].State, r.Unproven[1].State = wire.Joining, wire.Joining // then this node waits for nobody
	if got := r.Status().Reason; got != "fetching the sessions of the cluster" {
		t.Error(got)
	}
}

func TestOfManyWhoDoNotAnswerAFewAreNamed(t *testing.T) {
	var list []engine.Unproven
	for i := range 5 {
		list = append(list, engine.Unproven{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 4000)})
	}
	if got := named(list); got != "10.0.0.0:4000, 10.0.0.1:4000, 10.0.0.2:4000 and 2 more" {
		t.Error(got)
	}
}

func TestUnconfirmedWritesNameTheFirewall(t *testing.T) {
	r := healthy()
	for i := range 2 {
		m := &r.Members[1+i]
		m.Deaf, m.ShutIn = true, true
	}
	r.Acks.Listening = 0
	if got, want := r.Status().Acks.Reason, "0 of 2 peers answer; unicast of web-2 and web-3 does not arrive here: open UDP port 4000"; got != want {
		t.Errorf("degraded: %q, want %q", got, want)
	}
	r.Acks.Since, r.Acks.Minute = noon.Add(-30*time.Second), engine.AckShare{Waited: 472, Unconfirmed: 425}
	r.Acks.Recent = engine.AckShare{Waited: 150, Unconfirmed: 150}
	s := r.Status()
	if want := "for 30 s, 425 of 472 writes in the last minute unconfirmed; unicast of web-2 and web-3 does not arrive here: open UDP port 4000"; s.Acks.Reason != want {
		t.Errorf("degraded: %q, want %q", s.Acks.Reason, want)
	}
	if want := "3 of 3 members synced, 18,204 sessions, no loss; unicast with web-2 and web-3 is shut; 150 of 150 writes in the last ten seconds unconfirmed."; s.Verdict != want {
		t.Errorf("verdict %q, want %q", s.Verdict, want)
	}
	if len(s.Findings) != 2 || !strings.Contains(s.Findings[0], "Unicast is shut, as said below.") || !s.Members[1].ShutIn || s.Members[1].ShutOut {
		t.Errorf("findings %q", s.Findings)
	}
}

// Who looks at lost frames is sent to who floods, not to buffers and cables.
func TestAFloodOfForeignDatagramsIsBlamedForWhatIsLost(t *testing.T) {
	r := healthy()
	r.Counts.Engine.DropShort, r.Counts.Link.KernelDrops, r.Members[1].Loss = foreignWarn, 5, 0.1
	var keys []string
	for _, f := range r.Findings() {
		keys = append(keys, f.Key)
		if strings.Contains(f.Text, "Wi-Fi") || strings.Contains(f.Text, "rmem_max") {
			t.Errorf("%s: %s", f.Key, f.Text)
		}
	}
	if want := []string{"foreign", "kernel", "loss web-2"}; !slices.Equal(keys, want) {
		t.Errorf("findings %v, want %v", keys, want)
	}
	r.Counts.Engine.DropShort--
	if f := r.Findings(); !strings.Contains(f[0].Text, "rmem_max") {
		t.Errorf("strays are blamed: %v", f)
	}
}

package daemon

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sessioncast/sessioncast/internal/admin"
)

var update = flag.Bool("update", false, "write the golden files anew")

func healthyStatus() *admin.Status {
	return &admin.Status{
		Schema: admin.Schema, Verdict: "3 of 3 members synced, 18,204 sessions, no loss.", Node: "web-1", ID: "3f2a9c0111223344",
		Group: "228.0.0.5:4000", Address: "10.0.1.1:4000", State: "synced", Ready: true, Uptime: 7500, Version: "v1.2.3",
		Interface: "eth0", Clients: []string{"127.0.0.1:6379"}, Admin: "http://127.0.0.1:4080", Ack: "1",
		Members: []admin.Member{
			{Name: "web-1", Address: "10.0.1.1:4000", State: "synced", Self: true, Sessions: 18204, Bytes: 19 << 20},
			{Name: "web-2", Address: "10.0.1.2:4000", State: "synced", Lag: 3, Sessions: 18204, Bytes: 19 << 20},
			{Name: "web-3", Address: "10.0.1.3:4000", State: "synced", Lacks: 1, Sessions: 18203, Bytes: 19 << 20},
		},
		Sessions: 18204, Tombstones: 12, Bytes: 19 << 20, Limit: 4 << 30,
		Acks:     admin.Acks{Live: 2, Answering: 2},
		Counters: admin.Counters{Repairs: 7, RepairsSent: 2},
	}
}

func TestStatusReadsWellIn80Columns(t *testing.T) {
	for name, change := range map[string]func(*admin.Status){
		"healthy": func(*admin.Status) {},
		"starting": func(s *admin.Status) {
			*s = admin.Status{Verdict: "Starting.", Node: "web-1", State: "starting", Ack: "1"}
		},
		"trouble": func(s *admin.Status) {
			s.Cluster, s.Clients, s.Admin = "shop", []string{"127.0.0.1:6379", "unix:///run/sessioncast/redis.sock", "127.0.0.1:6380"}, ""
			s.Verdict = "1 of 3 members synced, 18,204 sessions, loss up to 12 % (repaired); web-2 is suspect, last heard 3 s ago, web-3 is dead, last heard 12 s ago."
			s.Members[1].State, s.Members[1].Loss = "suspect", 0.12
			s.Members[2].State = "dead"
			s.Counters.DegradedAcks, s.Counters.Divergences = 1234567, 1
			s.Acks = admin.Acks{Degraded: true, Reason: "for 12 s, 1,300 of 1,512 writes in the last minute unconfirmed", Live: 1}
			s.Counters.Drops = map[string]uint64{"key": 20, "foreign": 1500, "kernel": 3, "tag": 0}
			s.Findings = []string{"A node at 10.0.1.9 uses another cluster key. If it belongs here, copy this node's key file there; if not, give the clusters different ports (--port).",
				"The kernel gave a receive buffer of 425984 bytes instead of 8388608: larger bursts are lost and repaired; sysctl -w net.core.rmem_max=8388608"}
		},
		"shut out": func(s *admin.Status) {
			s.State, s.Ready, s.Members = "joining", false, s.Members[:1]
			s.Reason = "it hears web-2 at 10.0.1.2:4000, and gets no answer: open UDP and TCP port 4000 between the nodes"
			s.Verdict = "Joining, with 0 sessions so far; not ready: " + s.Reason + "."
			s.Unproven = []admin.Unproven{{Name: "web-2", Address: "10.0.1.2:4000", State: "synced", Seconds: 12}}
			s.Counters.Drops = map[string]uint64{"unproven": 31, "original": 1}
			s.Findings = []string{"Frames of web-2 at 10.0.1.2:4000 have arrived here for 12 s, but answers by unicast do not, there or here: open UDP and TCP port 4000 between the nodes, in both directions, as \"sessioncast serve\" prints at its start. Until then this node waits, since it would start without their sessions."}
		},
		"unicast shut": func(s *admin.Status) {
			s.Verdict = "2 of 3 members synced, 18,204 sessions, no loss; unicast with web-2 is shut; 150 of 150 writes in the last ten seconds unconfirmed; web-3 is dead, last heard 3 min ago."
			s.Acks = admin.Acks{Degraded: true, Live: 1, Reason: "for 30 s, 425 of 472 writes in the last minute unconfirmed; unicast of web-2 does not arrive here: open UDP port 4000"}
			s.Counters.DegradedAcks, s.Members[2].State = 425, "dead"
			s.Findings = []string{"Unicast of web-2 at 10.0.1.2:4000 has not arrived here for 27 s, only multicast: no writes of this node are confirmed from there, and none waits for that. Open UDP and TCP port 4000 in this node's firewall, and let it out there.",
				"web-3 at 10.0.1.3:4000 has been dead for 3 min, since 11:56:40 UTC: its process ended without a goodbye."}
		},
		"long names": func(s *admin.Status) {
			s.Members[1].Name = strings.Repeat("web-in-a-very-long-stateful-set-", 2)
			s.Members[2].Address = "[fd00:1234:5678:9abc:def0:1234:5678:9abc]:4000"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthyStatus()
			change(s)
			got := renderStatus(s)
			for i, line := range strings.Split(got, "\n") {
				if utf8.RuneCountInString(line) > statusWidth {
					t.Errorf("line %d is longer than %d: %s", i+1, statusWidth, line)
				}
			}
			golden(t, filepath.Join("testdata", "status", strings.ReplaceAll(name, " ", "-")+".txt"), got)
		})
	}
}

func TestFiguresOfWhoIsNotHeardAreNotShownAsFresh(t *testing.T) {
	age := int64(40_000)
	m := admin.Member{Name: "web-2", State: "synced", Loss: 0.25, Sessions: 1_204, Bytes: 4096, FiguresAgeMS: &age}
	if cells := memberCells(&m); cells[5] != "-" || cells[6] != "-" || cells[7] != "-" {
		t.Errorf("%q", cells)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update writes it anew\n%s", path, diff)
	}
}

func TestManyMembersFit(t *testing.T) {
	s := healthyStatus()
	for i := range 100 {
		s.Members = append(s.Members, admin.Member{Name: fmt.Sprintf("web-%d", i), Address: "10.0.1.9:4000", State: "synced", Lag: 1 << 40, Bytes: 1 << 50})
	}
	for line := range strings.Lines(renderStatus(s)) {
		if utf8.RuneCountInString(line) > statusWidth+1 {
			t.Errorf("too long: %s", line)
		}
	}
}

package memory

import (
	"flag"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/test/rig"
)

var sessions = flag.Int("sessions", 1_000_000, "how many sessions are held and transferred")

// BenchmarkBesideRedis fills a Redis and a daemon with the same sessions, of 37 bytes of key, 1 KiB of value and a
// lifetime, looks at what they hold of the machine's memory, then lets a replica and a joiner come and takes the time
// until they hold everything.
func BenchmarkBesideRedis(b *testing.B) {
	value := strings.Repeat("v", 1024)
	n := float64(*sessions)
	for b.Loop() {
		primary := startRedis(b, "primary")
		primary.fill(b, value)
		theirs := float64(primary.rss(b)) / n
		began := time.Now()
		replica := startRedis(b, "replica", "--replicaof", strings.Replace(primary.addr, ":", " ", 1))
		rig.Within(b, patience, "the replica holds all", func() bool {
			return strings.Contains(replica.ask("INFO", "replication"), "master_link_status:up") && replica.holds(*sessions)
		})
		synced := time.Since(began)
		b.ReportMetric(float64(replica.rss(b))/n, "replica-B/session")
		replica.Kill()
		primary.Kill()

		c := newCluster(b)
		donor := c.start(b, "donor", "--max-memory", "4GB")
		donor.fill(b, value)
		ours := float64(donor.rss(b)) / n
		began = time.Now()
		joiner := c.start(b, "joiner", "--max-memory", "4GB")
		rig.Within(b, patience, "the joiner holds all", func() bool { return joiner.holds(*sessions) })
		joined := time.Since(began)
		b.ReportMetric(theirs, "redis-B/session")
		b.ReportMetric(ours, "B/session")
		b.ReportMetric(ours/theirs, "memory-ratio")
		b.ReportMetric(float64(joiner.rss(b))/n, "joiner-B/session")
		b.ReportMetric(synced.Seconds(), "redis-sync-s")
		b.ReportMetric(joined.Seconds(), "join-s")
		b.ReportMetric(joined.Seconds()/synced.Seconds(), "join-ratio")
		donor.flood(b, 0, *sessions, value)
		b.ReportMetric(float64(donor.rss(b))/n, "rewritten-B/session")
		joiner.Kill()
		donor.Kill()
		b.ReportMetric(0, "ns/op")
	}
}

func (s *server) fill(b *testing.B, value string) {
	b.Helper()
	if refused := s.flood(b, 0, *sessions, value); refused > 0 {
		b.Fatalf("%d writes were refused", refused)
	}
}

func (s *server) holds(sessions int) bool { return s.ask("DBSIZE") == ":"+strconv.Itoa(sessions) }

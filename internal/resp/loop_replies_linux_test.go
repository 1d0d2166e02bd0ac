package resp

import (
	"strings"
	"testing"
	"time"
)

// What a client that reads nothing is told is made in slices: the limit that all share ends it long before half of MaxOutput, and others
// are served between the slices.
func TestRepliesThatNobodyReadsAreMadeInSlices(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.stall = time.Hour })
	dial(t, s.Addrs()[0]).want("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<20))
	limitBuffers(s, 4<<20)
	before := s.Stats().Commands
	dial(t, s.Addrs()[0]).send(strings.Repeat(encode("GET", "k"), 200))
	eventually(t, "it is closed", func() bool { return s.Stats().ClosedOutput == 1 })
	// The kernel takes some 10 MiB on the way.
	if made := s.Stats().Commands - before; made > 24 {
		t.Errorf("%d replies of 1 MiB were made for a client that reads none, with room for 4 MiB", made)
	}
}

package resp

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// limitBuffers lowers what all clients together may have wait.
func limitBuffers(s *Server, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffers = bytes
}

func TestUnfinishedCommandsOfAllClientsAreLimited(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		for name, commands := range map[string]string{
			"unfinished": "*2\r\n$4\r\nECHO\r\n$200000\r\n" + strings.Repeat("x", 100_000),
			"queued":     encode("MULTI") + encode("SET", "k", strings.Repeat("v", 100_000)),
			"watched":    encode(append([]string{"WATCH"}, distinct(800)...)...),
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, mover)
				limitBuffers(s, 400_000)
				for range 8 {
					k := dial(t, s.Addrs()[0])
					go func() { _, _ = io.WriteString(k.nc, commands) }()
				}
				eventually(t, "those beyond the limit are closed", func() bool {
					st := s.Stats()
					return st.ClosedInput >= 2 && st.Clients+int64(st.ClosedInput) == 8 && st.Input > 0 && st.Input <= 400_000
				})
				dial(t, s.Addrs()[0]).want("+PONG\r\n", "PING")
			})
		}
	})
}

func distinct(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(strings.Repeat("name", 25), i))
	}
	return names
}

func TestRepliesThatWaitForAllClientsAreLimited(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.stall = time.Hour })
		other := dial(t, s.Addrs()[0])
		other.want("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<19))
		limitBuffers(s, 24<<20)
		reads := encode(append([]string{"MGET"}, strings.Fields(strings.Repeat("k ", 32))...)...) // 16 MiB
		for range 4 {
			dial(t, s.Addrs()[0]).send(reads)
		}
		eventually(t, "those beyond the limit are closed", func() bool {
			other.want("+PONG\r\n", "PING")
			return s.Stats().ClosedOutput >= 2 && s.Stats().Output <= 24<<20
		})
	})
}

// Each client alone may have half of MaxOutput made at a time: of many, no more than one that is not counted yet.
func TestManyClientsThatReadNothingTakeLittleMoreThanTheLimit(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.stall = time.Hour })
	dial(t, s.Addrs()[0]).want("+OK\r\n", "SET", "k", strings.Repeat("v", 1<<20))
	const limit, clients = 24 << 20, 12
	limitBuffers(s, limit)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	reads := strings.Repeat(encode("GET", "k"), 200)
	for range clients {
		dial(t, s.Addrs()[0]).send(reads)
	}
	eventually(t, "those beyond the limit are closed", func() bool { return s.Stats().ClosedOutput >= clients-3 })
	runtime.ReadMemStats(&after)
	// HeapSys is the most that the heap has had. Buffers that grow leave others behind; all clients at once would have 384 MiB, and those.
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 10*limit {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func TestWhatIsWatchedAndQueuedByOneClientIsLimited(t *testing.T) {
	s := serve(t)
	k := dial(t, s.Addrs()[0])
	if got := k.do(append([]string{"WATCH"}, distinct(maxWatched+1)...)...); !strings.HasPrefix(got, "-ERR too many") {
		t.Errorf("too many watched keys are answered %q", got)
	}
	k.want("+OK\r\n", "MULTI")
	value := strings.Repeat("v", 1<<20)
	for range maxQueuedBytes/len(value) - 1 { // the keys count too
		k.do("SET", "k", value)
	}
	k.want("-"+errQueueLimit+"\r\n", "SET", "k", value)
	k.want("-"+errExecAbort+"\r\n", "EXEC")
	if got := s.Stats().Failed; got != 3 {
		t.Errorf("%d refusals counted", got)
	}
}

func TestWhatClientsHoldFollowsFromTheMemory(t *testing.T) {
	for _, c := range []struct {
		memory, buffers int64
		tracked         int
	}{{0, maxBuffers, maxTracked}, {1 << 20, minBuffers, minTracked}, {256 << 20, 128 << 20, 1 << 17}, {64 << 30, maxBuffers, maxTracked}} {
		cfg := Config{MaxMemory: c.memory}
		if b, n := cfg.buffers(), cfg.tracked(); b != c.buffers || n != c.tracked {
			t.Errorf("of %d: %d bytes and %d keys, want %d and %d", c.memory, b, n, c.buffers, c.tracked)
		}
	}
}

package resp

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

func push(keys ...string) (all string) {
	for _, key := range keys {
		all += fmt.Sprintf(">2\r\n$10\r\ninvalidate\r\n*1\r\n$%d\r\n%s\r\n", len(key), key)
	}
	return all
}

const forgetAll = ">2\r\n$10\r\ninvalidate\r\n_\r\n"

func tracker(t *testing.T, s *Server, options ...string) *talk {
	k := dial(t, s.Addrs()[0])
	k.do("HELLO", "3")
	k.want("+OK\r\n", append([]string{"CLIENT", "TRACKING", "ON"}, options...)...)
	return k
}

func TestWhoReadAKeyIsToldThatItChanged(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		for name, change := range map[string][]string{
			"SET": {"SET", "k", "w"}, "DEL": {"DEL", "k"}, "EXPIRE": {"EXPIRE", "k", "50"}, "FLUSHALL": {"FLUSHALL"},
			"GETDEL": {"GETDEL", "k"}, "PERSIST": {"PERSIST", "k"},
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, mover)
				other := dial(t, s.Addrs()[0])
				other.do("SET", "k", "v", "EX", "100")
				k := tracker(t, s)
				k.want("$1\r\nv\r\n", "GET", "k")
				other.do(change...)
				if got := k.reply(); got != push("k") {
					t.Errorf("told %q", got)
				}
				other.do("SET", "k", "again", "NX") // read no more: no message
				other.do("SET", "k", "again")
				k.want("+PONG\r\n", "PING")
			})
		}
	})
}

func TestChangesFromElsewhereInvalidateToo(t *testing.T) {
	s := serve(t)
	k := tracker(t, s)
	k.want("_\r\n", "GET", "k")
	// Not through this server: the library, or another node's change being merged.
	if _, err := s.cfg.Table.Put(time.Now().UnixMilli(), record.Key{Name: "k"}, &table.Write{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	if got := k.reply(); got != push("k") {
		t.Errorf("told %q", got)
	}
	k.want("$1\r\nv\r\n", "GET", "k")
}

// The conversation of rueidis and valkey-go.
func TestTrackingOptIn(t *testing.T) {
	s := serve(t)
	other := dial(t, s.Addrs()[0])
	other.do("MSET", "a", "1", "b", "2")
	k := tracker(t, s, "OPTIN")
	k.do("GET", "b") // not opted in
	k.want("+OK\r\n", "CLIENT", "CACHING", "YES")
	k.want("+OK\r\n", "MULTI")
	k.want("+QUEUED\r\n", "PTTL", "a")
	k.want("+QUEUED\r\n", "GET", "a")
	k.want("*2\r\n:-1\r\n$1\r\n1\r\n", "EXEC")
	k.do("GET", "b") // CACHING was for the transaction
	other.do("SET", "b", "3")
	other.do("SET", "a", "4")
	if got := k.reply(); got != push("a") {
		t.Errorf("told %q", got)
	}
}

func TestTrackingOptOutAndBroadcast(t *testing.T) {
	s := serve(t)
	other := dial(t, s.Addrs()[0])
	out, all := tracker(t, s, "OPTOUT"), tracker(t, s, "BCAST", "PREFIX", "user:", "PREFIX", "x")
	out.want("+OK\r\n", "CLIENT", "CACHING", "NO")
	out.do("GET", "user:1")
	out.do("GET", "user:2")
	other.do("SET", "user:1", "v")
	other.do("SET", "other", "v")
	other.do("SET", "user:2", "v")
	if got := out.reply(); got != push("user:2") {
		t.Errorf("OPTOUT is told %q", got)
	}
	if got := all.reply() + all.reply(); got != push("user:1", "user:2") {
		t.Errorf("BCAST is told %q", got)
	}
}

func TestWhenTooMuchHappensClientsForgetAll(t *testing.T) {
	s := serve(t)
	k := tracker(t, s)
	k.do("GET", "k")
	s.changed(change{}, true)
	if got := k.reply(); got != forgetAll {
		t.Errorf("told %q", got)
	}
	if got := s.Stats().TrackingLost; got != 1 {
		t.Errorf("%d counted", got)
	}
}

// limitTracking lowers how much may be tracked.
func limitTracking(s *Server, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.track.limit = limit
}

// tracked is how much is tracked.
func tracked(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.track.pairs
}

// A push message within an array would be taken for one of its elements.
func TestWhatIsTooMuchToTrackIsSaidAfterTheReply(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		for name, c := range map[string]struct{ commands, reply string }{
			"one read":    {encode("GET", "c"), "_\r\n"},
			"many keys":   {encode("MGET", "a", "b", "c", "d"), "*4\r\n_\r\n_\r\n_\r\n_\r\n"},
			"transaction": {encode("MULTI") + encode("GET", "c") + encode("MGET", "d", "e") + encode("EXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n_\r\n*2\r\n_\r\n_\r\n"},
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, mover)
				limitTracking(s, 2)
				k, other := tracker(t, s), tracker(t, s)
				other.do("GET", "a")
				k.do("GET", "b")
				k.send(c.commands + encode("PING"))
				want := c.reply + forgetAll + "+PONG\r\n"
				got := make([]byte, len(want))
				if _, err := io.ReadFull(k.r, got); err != nil || string(got) != want {
					t.Errorf("%v\n got %q\nwant %q", err, got, want)
				}
				if got := other.reply(); got != forgetAll {
					t.Errorf("the other is told %q", got)
				}
				if n := s.Stats().TrackingLost; n != 1 || tracked(s) != 0 {
					t.Errorf("lost %d times, %d tracked", n, tracked(s))
				}
				k.do("GET", "c") // there is room again
				other.do("SET", "c", "v")
				if got := k.reply(); got != push("c") {
					t.Errorf("told %q", got)
				}
			})
		}
	})
}

func TestWhatIsTrackedAlreadyTakesNoRoom(t *testing.T) {
	s := serve(t)
	limitTracking(s, 2)
	k := tracker(t, s)
	k.want("*4\r\n_\r\n_\r\n_\r\n_\r\n", "MGET", "a", "b", "a", "b")
	k.want("_\r\n", "GET", "a")
	k.want("+PONG\r\n", "PING")
	if got := s.Stats().TrackingLost; got != 0 || tracked(s) != 2 {
		t.Errorf("lost %d times, %d tracked", got, tracked(s))
	}
}

func TestTrackingEndsWithTheClient(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := tracker(t, s)
		k.do("GET", "k")
		k.want("+OK\r\n", "CLIENT", "TRACKING", "OFF")
		tracker(t, s).nc.Close()
		eventually(t, "nobody tracks", func() bool { return s.Stats().Tracking == 0 })
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.track.watcher != nil || len(s.track.readers) != 0 {
			t.Error("the table is still watched")
		}
	})
}

func TestTrackingNeedsRESP3(t *testing.T) {
	s := serve(t)
	k := dial(t, s.Addrs()[0])
	if got := k.do("CLIENT", "TRACKING", "ON"); !strings.HasPrefix(got, "-ERR") {
		t.Errorf("RESP2 gets %q", got)
	}
	k = tracker(t, s)
	k.do("HELLO", "2")
	if got := s.Stats().Tracking; got != 0 {
		t.Error("still tracking after HELLO 2, which has no push messages")
	}
}

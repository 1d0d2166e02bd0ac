package resp

import (
	"fmt"
	"strings"
	"testing"
)

// Replies of one turn lie side by side until they are sent: everybody gets just their own, whatever their sizes.
func TestRepliesOfOneTurnDoNotMix(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover, func(cfg *Config) { cfg.MaxValue = 1 << 20 })
		var clients []*talk
		var values []string
		for i := range 24 {
			c := dial(t, s.Addrs()[0])
			c.do("HELLO", "3")
			c.do("CLIENT", "TRACKING", "ON")
			clients = append(clients, c)
			values = append(values, strings.Repeat(string(rune('a'+i)), 1+(i*i*i*i)%400_000))
			c.want("+OK\r\n", "SET", fmt.Sprint("key", i), values[i])
		}
		for range 5 {
			s.mu.Lock()       // so that many are served in one turn
			s.track.limit = 5 // so that all are told something while their replies wait
			for i, c := range clients {
				c.send(encode("GET", fmt.Sprint("key", i)) + encode("ECHO", fmt.Sprint(i)) + encode("GET", "shared") + encode("SET", "shared", fmt.Sprint(i)))
			}
			s.mu.Unlock()
			for i, c := range clients {
				want := fmt.Sprintf("$%d\r\n%s\r\n", len(values[i]), values[i])
				if got := c.answer(); got != want {
					t.Fatalf("client %d got %d bytes %.40q, want %d bytes %.40q", i, len(got), got, len(want), want)
				}
				if got, want := c.answer(), fmt.Sprintf("$%d\r\n%d\r\n", len(fmt.Sprint(i)), i); got != want {
					t.Fatalf("client %d got %.40q, want %q", i, got, want)
				}
				c.answer()
				if got := c.answer(); got != "+OK\r\n" {
					t.Fatalf("client %d got %.40q", i, got)
				}
			}
		}
	})
}

// answer is the next reply that is no message about what was read and has changed.
func (k *talk) answer() string {
	k.t.Helper()
	for {
		if r := k.reply(); !strings.HasPrefix(r, ">") {
			return r
		}
	}
}

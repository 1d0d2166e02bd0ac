package resp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/table"
)

const oom = "-OOM command not allowed when used memory > 'maxmemory'.\r\n"

// fill writes sessions until one is refused.
func (k *talk) fill(size int) (n int) {
	for ; ; n++ {
		k.send(encode("SET", fmt.Sprint("s", n), strings.Repeat("v", size), "EX", "60"))
		if k.reply() != "+OK\r\n" {
			return n
		}
	}
}

// What a server that is full still does: everything but logins.
func TestAFullServerReadsExtendsAndLogsOut(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.Table = newTable(func(tc *table.Config) { tc.MaxBytes = 100_000 }) })
	k := dial(t, s.Addrs()[0])
	n := k.fill(1000)
	if n < 50 || n > 95 {
		t.Fatalf("%d sessions of 1000 bytes fit into 100,000", n)
	}
	k.want(oom, "SET", "new", strings.Repeat("v", 1000), "NX")
	k.want(oom, "SETEX", "new", "10", strings.Repeat("v", 1000))
	k.want("$-1\r\n", "GET", "new")
	k.want("$1000\r\n"+strings.Repeat("v", 1000)+"\r\n", "GET", "s0")
	k.want("+OK\r\n", "SET", "s0", strings.Repeat("w", 1000), "EX", "60")
	k.want("+OK\r\n", "SET", "s0", strings.Repeat("w", 2000), "EX", "60") // the last twentieth is for those that are there
	k.want(":1\r\n", "EXPIRE", "s0", "120")
	k.want(oom, "SET", "s1", strings.Repeat("w", 50_000), "EX", "60")
	k.want("$1000\r\n"+strings.Repeat("v", 1000)+"\r\n", "GET", "s1")
	for i := range 10 {
		k.want(":1\r\n", "DEL", fmt.Sprint("s", i))
	}
	k.want("+OK\r\n", "SET", "new", strings.Repeat("v", 1000), "EX", "60")
}

// MSET writes all or none.
func TestMsetWritesAllOrNone(t *testing.T) {
	s := serve(t, func(cfg *Config) {
		cfg.Table = newTable(func(tc *table.Config) { tc.MaxBytes = 20_000; tc.Hold = 60_000_000_000 })
	})
	k := dial(t, s.Addrs()[0])
	large := strings.Repeat("v", 7000)
	k.want("+OK\r\n", "SET", "there", "1")
	k.want(oom, "MSET", "a", large, "there", "2", "b", large, "c", large) // any two would fit
	k.want("*4\r\n$-1\r\n$1\r\n1\r\n$-1\r\n$-1\r\n", "MGET", "a", "there", "b", "c")
	k.want("+OK\r\n", "MSET", "a", large, "b", large)

	k.want("+OK\r\n", "SET", "gone", "1", "EX", "60")
	k.want(":1\r\n", "DEL", "gone")
	other := dial(t, s.Addrs()[0]) // which has not seen that it is gone
	other.send(encode("MSET", "x", "1", "gone", "2", "y", "3"))
	if got := other.reply(); !strings.HasPrefix(got, "-DESTROYED") {
		t.Errorf("got %q", got)
	}
	other.want("*3\r\n$-1\r\n$-1\r\n$-1\r\n", "MGET", "x", "gone", "y") // now it has
	other.want("+OK\r\n", "MSET", "x", "1", "gone", "2", "y", "3")
	other.want("*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n", "MGET", "x", "gone", "y")
	k.want("-ERR a key is longer than 512 bytes\r\n", "MSET", "first", "1", strings.Repeat("k", 513), "2")
	k.want("$-1\r\n", "GET", "first")
}

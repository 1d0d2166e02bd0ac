package resp

import (
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

func serveHold(t *testing.T) *Server {
	return serve(t, func(cfg *Config) {
		cfg.Table = newTable(func(tc *table.Config) { tc.Hold = time.Minute })
	})
}

func refused(t *testing.T, k *talk, words ...string) {
	t.Helper()
	if got := k.do(words...); !strings.HasPrefix(got, "-DESTROYED ") || !strings.Contains(got, "--logout-hold") {
		t.Errorf("%q answered %q", words, got)
	}
}

func TestASessionLoggedOutIsNotWrittenAnew(t *testing.T) {
	for _, logout := range []string{"DEL", "UNLINK", "GETDEL"} {
		t.Run(logout, func(t *testing.T) {
			s := serveHold(t)
			app, racing := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
			app.want("+OK\r\n", "SET", "k", "v", "EX", "100")
			racing.want("$1\r\nv\r\n", "GET", "k")
			app.do(logout, "k")
			refused(t, racing, "SET", "k", "v2", "EX", "100")
			refused(t, racing, "SETEX", "k", "100", "v2")
			refused(t, racing, "PSETEX", "k", "100000", "v2")
			refused(t, racing, "GETSET", "k", "v2")
			refused(t, racing, "MSET", "k", "v2")
			racing.want("$-1\r\n", "SET", "k", "v2", "XX")
			if got := s.Stats().Destroyed; got != 5 {
				t.Errorf("%d refusals counted", got)
			}
			racing.want("+OK\r\n", "SET", "k", "v2", "NX") // states creation
		})
	}
}

func TestWhoHasSeenItGoneMayCreateItAnew(t *testing.T) {
	for _, look := range []string{"GET", "GETEX", "MGET", "EXISTS"} {
		t.Run(look, func(t *testing.T) {
			s := serveHold(t)
			k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
			k.do("SET", "k", "v", "EX", "100")
			k.do("DEL", "k")
			k.do("TTL", "k") // says nothing
			refused(t, k, "SET", "k", "w", "EX", "100")
			k.do(look, "k")
			refused(t, other, "SET", "k", "w", "EX", "100") // that was another connection
			k.want("+OK\r\n", "SET", "k", "w", "EX", "100")
		})
	}
}

func TestHavingSeenItGoneBeforeCountsForNothing(t *testing.T) {
	s := serveHold(t)
	k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
	other.do("SET", "k", "v", "EX", "100")
	other.do("DEL", "k")
	k.want("$-1\r\n", "GET", "k")
	other.want("+OK\r\n", "SET", "k", "again", "EX", "100", "NX")
	other.do("DEL", "k")
	refused(t, k, "SET", "k", "w", "EX", "100")
}

func TestWhatStartsNoHold(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(k *talk)
	}{
		{"deleting a key without a lifetime", func(k *talk) { k.do("PERSIST", "k"); k.do("DEL", "k") }},
		{"FLUSHDB", func(k *talk) { k.do("FLUSHDB") }},
		{"FLUSHALL", func(k *talk) { k.do("FLUSHALL") }},
		{"an expire time in the past", func(k *talk) { k.do("EXPIRE", "k", "-1") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serveHold(t)
			k, other := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
			k.do("SET", "k", "v", "EX", "100")
			tt.end(k)
			other.want("+OK\r\n", "SET", "k", "w", "EX", "100")
		})
	}
}

func TestSightingsAreBounded(t *testing.T) {
	var m missing
	for i := range uint64(3 * maxMissing) {
		m.note(sighting{key: i, tomb: 1})
	}
	if len(m.ring) != maxMissing || m.has(sighting{key: 0, tomb: 1}) || !m.has(sighting{key: 2 * maxMissing, tomb: 1}) {
		t.Errorf("%d are kept, and not the last", len(m.ring))
	}
}

func TestSetAndExpireInATransactionAreOneWrite(t *testing.T) {
	s := serve(t)
	k := dial(t, s.Addrs()[0])
	dots := func() uint64 { return s.cfg.Table.OwnHigh() }
	transact := func(commands ...string) (replies string, writes uint64) {
		before := dots()
		k.do("MULTI")
		for _, c := range commands {
			k.do(strings.Fields(c)...)
		}
		replies = k.do("EXEC")
		return replies, dots() - before
	}
	for _, tt := range []struct {
		commands []string
		replies  string
		writes   uint64
	}{
		{[]string{"SET k v", "PEXPIREAT k 99999999999999", "PEXPIRETIME k"}, "*3\r\n+OK\r\n:1\r\n:99999999999999\r\n", 1},
		{[]string{"SET k v EX 5", "EXPIREAT k 99999999999", "EXPIRETIME k"}, "*3\r\n+OK\r\n:1\r\n:99999999999\r\n", 1},
		{[]string{"SETEX k 5 v", "PEXPIREAT k 99999999999999", "PEXPIRETIME k"}, "*3\r\n+OK\r\n:1\r\n:99999999999999\r\n", 1},
		{[]string{"SET k v", "PEXPIREAT other 99999999999999", "TTL k"}, "*3\r\n+OK\r\n:0\r\n:-1\r\n", 1},
		{[]string{"SET k v", "GET k", "PEXPIREAT k 99999999999999"}, "*3\r\n+OK\r\n$1\r\nv\r\n:1\r\n", 2},
		{[]string{"SET k v", "EXPIRE k -1", "GET k"}, "*3\r\n+OK\r\n:1\r\n$-1\r\n", 2},
		{[]string{"SET new v XX", "EXPIRE new 100"}, "*2\r\n$-1\r\n:0\r\n", 0},
		{[]string{"SET k v EX 0", "EXPIRE k 100"}, "*2\r\n-ERR invalid expire time in 'set' command\r\n:0\r\n", 0},
	} {
		k.do("FLUSHDB")
		if replies, writes := transact(tt.commands...); replies != tt.replies || writes != tt.writes {
			t.Errorf("%q: %d writes, answered %q; want %d and %q", tt.commands, writes, replies, tt.writes, tt.replies)
		}
	}
}

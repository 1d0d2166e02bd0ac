package resp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// parts are the bulk strings of a reply, and its numbers.
func parts(reply string) (list []string) {
	lines := strings.Split(strings.TrimSuffix(reply, "\r\n"), "\r\n")
	for i := 0; i < len(lines); i++ {
		switch lines[i][0] {
		case '$':
			i++
			list = append(list, lines[i])
		case ':':
			list = append(list, lines[i][1:])
		}
	}
	return list
}

func TestASessionIsWrittenWholeAndFieldByField(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		k := dial(t, s.Addrs()[0])
		at := parts(k.do("SESSION", "SET", "sess:1", "60000", `{"cookie":{},"views":1}`, "OWNER", "ann"))[0]
		got := parts(k.do("SESSION", "GET", "sess:1"))
		if len(got) != 5 || got[0] != `{"cookie":{},"views":1}` || got[2] != "ann" || got[3] != at {
			t.Fatalf("%q, written at %s", got, at)
		}
		if ms := got[1]; len(ms) != 5 || ms > "60000" || got[4] != ms {
			t.Errorf("lives for %s ms, is shown for %s", ms, got[4])
		}
		k.want(":1\r\n", "SESSION", "TOUCH", "sess:1", "70000")
		if touched := parts(k.do("SESSION", "GET", "sess:1")); touched[1] > "70000" || touched[4] <= "72000" || touched[4] > "74375" || len(touched[4]) != 5 {
			t.Errorf("after a touch it lives for %s ms, and is shown for %s", touched[1], touched[4])
		}
		next := parts(k.do("SESSION", "PATCH", "sess:1", "0", at, "2", "views", "2", "cart", `["x"]`, "1", "nothing"))
		if len(next) != 1 || next[0] <= at {
			t.Errorf("%q after %s", next, at)
		}
		k.want(bulk(`{"cookie":{},"views":2,"cart":["x"]}`), "GET", "sess:1")
		k.want(fmt.Sprintf(":%d\r\n", len(`{"cookie":{},"views":2,"cart":["x"]}`)), "STRLEN", "sess:1")
		if got := parts(k.do("SESSION", "PATCH", "sess:1", "0", at, "1", "views", "9", "1", "cart", "OWNER", "bob")); len(got) != 3 || got[1] != "views" || got[2] != "cart" {
			t.Errorf("in conflict: %q", got)
		}
		if got := parts(k.do("SESSION", "GET", "sess:1")); got[0] != `{"cookie":{},"views":9}` || got[1] != "-1" || got[2] != "bob" {
			t.Errorf("%q", got)
		}
		k.want(":1\r\n", "SESSION", "TOUCH", "sess:1", "5000")
		k.want(":1\r\n", "SESSION", "DESTROY", "sess:1")
		k.want(":0\r\n", "SESSION", "DESTROY", "sess:1")
		k.want(":0\r\n", "SESSION", "TOUCH", "sess:1", "5000")
		k.want("$-1\r\n", "SESSION", "GET", "sess:1")
		if got := k.do("SESSION", "PATCH", "sess:1", "0", "", "1", "views", "1", "0"); !strings.HasPrefix(got, "-DESTROYED ") {
			t.Errorf("a session that was logged out: %q", got)
		}
		if s.Stats().Destroyed != 1 {
			t.Errorf("%d refused writes counted", s.Stats().Destroyed)
		}
		if got := parts(k.do("SESSION", "SET", "sess:1", "0", "{}")); len(got) != 1 {
			t.Errorf("who creates may create it anew: %q", got)
		}
	})
}

func TestBadSessionCommandsSayWhatIsWrong(t *testing.T) {
	s := serve(t)
	k := dial(t, s.Addrs()[0])
	k.do("SESSION", "SET", "s", "0", "{}")
	k.do("SET", "t", "no object")
	long := strings.Repeat("x", 1025)
	for want, words := range map[string][]string{
		errLife:                      {"SET", "s", "-1", "{}"},
		errLife + " ":                {"SET", "s", "9223372036854775807", "{}"},
		errNoObject:                  {"SET", "s", "0", "[]"},
		errNoObject + " ":            {"SET", "s", "0", `{"a":}`},
		errSyntax:                    {"SET", "s", "0", "{}", "BY", "ann"},
		errSyntax + " ":              {"PATCH", "s", "0", "", "0", "0", "OWNER"},
		errSince:                     {"PATCH", "s", "0", "xyz", "0", "0"},
		errSince + " ":               {"PATCH", "s", "0", strings.Repeat("g", 16), "0", "0"},
		errFields:                    {"PATCH", "s", "0", "", "2", "a", "1", "0"},
		errFields + " ":              {"PATCH", "s", "0", "", "0", "1"},
		errFields + "  ":             {"PATCH", "s", "0", "", "-1", "0"},
		errFields + "   ":            {"PATCH", "s", "0", "", "9223372036854775807", "0"},
		"ERR a field's value is not": {"PATCH", "s", "0", "", "1", "a", "{", "0"},
		"ERR a field's name has 102": {"PATCH", "s", "0", "", "1", long, "1", "0"},
		"ERR a field's name has 10":  {"PATCH", "s", "0", "", "0", "1", long},
		"ERR the session is not a J": {"PATCH", "t", "0", "", "1", "a", "1", "0"},
		"ERR SESSION WATCH needs R":  {"WATCH"},
		"ERR wrong number of argum":  {"GET"},
	} {
		if got := k.do(append([]string{"SESSION"}, words...)...); !strings.HasPrefix(got, "-"+strings.TrimRight(want, " ")) {
			t.Errorf("%.80q answered %q, want %q", words, got, want)
		}
	}
	k.want(bulk("{}"), "GET", "s")
	many := append([]string{"SESSION", "PATCH", "s", "0", "", "1025"}, make([]string, 2051)...)
	for i := range 1025 {
		many[6+2*i], many[7+2*i] = fmt.Sprint(i), "1"
	}
	many[len(many)-1] = "0"
	k.want("-"+errManyField+"\r\n", many...)
}

func told(kind, key string) string { return ">3\r\n" + bulk("session") + bulk(kind) + bulk(key) }

func TestWhoWatchesSessionsIsToldWhatHappensToThem(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		w, k := dial(t, s.Addrs()[0]), dial(t, s.Addrs()[0])
		w.do("HELLO", "3")
		w.want("+OK\r\n", "SESSION", "WATCH", "sess:")
		k.do("SET", "other:1", "x")
		k.do("SESSION", "SET", "sess:1", "60000", "{}")
		k.do("SESSION", "PATCH", "sess:1", "60000", "", "1", "a", "1", "0")
		k.do("EXPIRE", "sess:1", "1000")
		k.do("SELECT", "1")
		k.do("SET", "sess:1", "in another database")
		k.do("SELECT", "0")
		k.do("DEL", "sess:1")
		for _, want := range []string{"created", "changed", "touched", "destroyed"} {
			if got := w.reply(); got != told(want, "sess:1") {
				t.Errorf("told %q, want %s", got, want)
			}
		}
		w.want("+OK\r\n", "SESSION", "UNWATCH")
		k.do("SESSION", "SET", "sess:2", "0", "{}")
		w.want("+PONG\r\n", "PING")
		if s.Stats().Tracking != 0 || s.Stats().SessionEvents != 4 {
			t.Errorf("%d watch, %d events", s.Stats().Tracking, s.Stats().SessionEvents)
		}
	})
}

func TestWhoWatchesSessionsIsToldThatTooMuchHappened(t *testing.T) {
	s := serve(t)
	w := dial(t, s.Addrs()[0])
	w.do("HELLO", "3")
	w.want("+OK\r\n", "SESSION", "WATCH")
	w.want("+OK\r\n", "CLIENT", "TRACKING", "ON", "BCAST")
	s.changed(change{}, true)
	if got := w.reply() + w.reply(); got != forgetAll+">2\r\n"+bulk("session")+bulk("lost") {
		t.Errorf("told %q", got)
	}
	w.want("+OK\r\n", "CLIENT", "TRACKING", "OFF")
	if s.Stats().Tracking != 1 {
		t.Error("it watches no more")
	}
	w.nc.Close()
	eventually(t, "it is forgotten", func() bool { return s.Stats().Tracking == 0 })
}

// A session made by SESSION SET is no upsert: the logout hold of another id's tombstone that is on its way does not take it.
func TestASessionThatIsSetIsCreated(t *testing.T) {
	tbl := newTable(func(cfg *table.Config) { cfg.Hold = time.Minute })
	s := serve(t, func(cfg *Config) { cfg.Table = tbl })
	k := dial(t, s.Addrs()[0])
	k.do("SESSION", "SET", "s", "60000", "{}")
	k.do("SESSION", "DESTROY", "s")
	if got := dial(t, s.Addrs()[0]).do("SET", "s", "{}"); !strings.HasPrefix(got, "-DESTROYED ") {
		t.Errorf("an upsert: %q", got)
	}
	if got := dial(t, s.Addrs()[0]).do("SESSION", "SET", "s", "60000", "{}"); !strings.HasPrefix(got, "$16\r\n") {
		t.Errorf("a creation: %q", got)
	}
}

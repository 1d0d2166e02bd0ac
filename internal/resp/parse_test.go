package resp

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

func newParser() *parser {
	return &parser{maxBulk: 1000, usual: 1500, total: func([]byte) int { return 4000 }}
}

// parseAll feeds input in pieces of the given size and describes what comes out.
func parseAll(p *parser, input string, size int) (out []string) {
	var buf []byte
	for len(input) > 0 || len(buf) > 0 {
		n := min(size, len(input))
		buf = append(buf, input[:n]...)
		input = input[n:]
		for {
			used, ok, err := p.next(buf)
			if err != nil {
				return append(out, err.Error())
			}
			if ok && p.tooBig > 0 {
				out = append(out, fmt.Sprintf("too big: %d", p.tooBig))
			} else if ok {
				out = append(out, fmt.Sprintf("%q", p.argv))
			}
			buf = buf[used:]
			if !ok || len(buf) == 0 {
				break
			}
		}
		if n == 0 {
			return append(out, fmt.Sprintf("and %d bytes", len(buf)))
		}
	}
	return out
}

func TestParser(t *testing.T) {
	long := strings.Repeat("x", 1001)
	for _, tt := range []struct{ name, input, want string }{
		{"a command", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", `["GET" "k"]`},
		{"two commands", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPONG\r\n", `["PING"] ["PONG"]`},
		{"an empty argument", "*2\r\n$3\r\nGET\r\n$0\r\n\r\n", `["GET" ""]`},
		{"bytes of any kind", "*1\r\n$4\r\n\x00\r\n\xff\r\n", `["\x00\r\n\xff"]`},
		{"nothing to do", "*0\r\n*-1\r\n\r\n   \r\nPING\r\n", `[] [] [] [] ["PING"]`},
		{"inline", "SET k \"a b\" 'c d'\n", `["SET" "k" "a b" "c d"]`},
		{"inline escapes", `"\x41\n\r\t\b\a\q\"\\" 'it\'s \n'` + "\r\n", `["A\n\r\t\b\aq\"\\" "it's \\n"]`},
		{"inline quotes that end a word", "a\"b c\"\r\n", `["ab c"]`},
		{"inline quotes never closed", "\"abc\r\n", "Protocol error: unbalanced quotes in request"},
		{"inline quotes and no space after", "\"a\"b\r\n", "Protocol error: unbalanced quotes in request"},
		{"inline too long", strings.Repeat("x", maxInline+1), "Protocol error: too big inline request"},
		{"a length beyond any", "*1\r\n$9223372036854775807\r\nabc\r\n", "Protocol error: invalid bulk length"},
		{"a count beyond any", "*9223372036854775807\r\n", "Protocol error: invalid multibulk length"},
		{"a count beyond ours", "*65537\r\n", "Protocol error: invalid multibulk length"},
		{"a count beyond 64 bits", "*99999999999999999999\r\n", "Protocol error: invalid multibulk length"},
		{"a null argument", "*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
		{"a length that is none", "*1\r\n$abc\r\n", "Protocol error: invalid bulk length"},
		{"a length with a zero before", "*1\r\n$01\r\n", "Protocol error: invalid bulk length"},
		{"a length without digits", "*1\r\n$\r\n", "Protocol error: invalid bulk length"},
		{"a count that is none", "*abc\r\n", "Protocol error: invalid multibulk length"},
		{"an array in an array", "*1\r\n*1\r\n$4\r\nPING\r\n", "Protocol error: expected '$', got '*'"},
		{"an integer as argument", "*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"},
		{"no argument at all", "*1\r\n\r\n", "Protocol error: expected '$', got ' '"},
		{"a count line without end", "*" + strings.Repeat("1", maxInline+1), "Protocol error: too big mbulk count string"},
		{"a length line without end", "*1\r\n$" + strings.Repeat("1", maxInline+1), "Protocol error: too big bulk count string"},
		{"a value too long is read past", "*2\r\n$3\r\nSET\r\n$1001\r\n" + long + "\r\nPING\r\n", `too big: 1001 ["PING"]`},
		{"so is what follows it", "*3\r\n$1001\r\n" + long + "\r\n$1\r\na\r\n$2000\r\n" + long + long[:999] + "\r\nPING\r\n", `too big: 2000 ["PING"]`},
		{"a command too long is read past", "*6\r\n$1\r\na\r\n" + strings.Repeat("$1000\r\n"+long[:1000]+"\r\n", 5) + "PING\r\n", `too big: 4047 ["PING"]`},
		{"an unfinished command", "*2\r\n$3\r\nGET\r\n$1\r\n", "and 17 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 100, 1 << 20} {
				if got := strings.Join(parseAll(newParser(), tt.input, size), " "); got != tt.want {
					t.Errorf("in pieces of %d:\n got %s\nwant %s", size, got, tt.want)
				}
			}
		})
	}
}

func TestParserBeforeAuth(t *testing.T) {
	for _, tt := range []struct{ name, input, want string }{
		{"ten items", "*10\r\n" + strings.Repeat("$1\r\na\r\n", 10), `["a" "a" "a" "a" "a" "a" "a" "a" "a" "a"]`},
		{"eleven items", "*11\r\n", "Protocol error: unauthenticated multibulk length"},
		{"16 KiB and one byte", "*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"},
		{"16 KiB in two", "*3\r\n$1\r\na\r\n$900\r\n" + strings.Repeat("x", 900) + "\r\n$15900\r\n", "Protocol error: unauthenticated bulk length"},
		{"a long line", strings.Repeat("x", maxBulkNoAuth+1), "Protocol error: too big inline request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newParser()
			p.noAuth = true
			if got := strings.Join(parseAll(p, tt.input, 1<<20), " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParserAllocatesNothing(t *testing.T) {
	p := newParser()
	in := []byte(encode("SET", "key", strings.Repeat("v", 512), "EX", "1800") + "GET key\r\n")
	allocs := testing.AllocsPerRun(100, func() {
		for b := in; len(b) > 0; {
			n, ok, err := p.next(b)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			b = b[n:]
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestParserLooksAtNoByteTwice(t *testing.T) {
	// A line of 64 KiB in single bytes is 2 billion looks if each starts anew.
	p := newParser()
	line := bytes.Repeat([]byte("x"), maxInline)
	for i := range line {
		if _, ok, err := p.next(line[:i+1]); ok || err != nil {
			t.Fatal(ok, err)
		}
		if i > 0 && p.seen != i+1 {
			t.Fatalf("after %d bytes %d are known to hold no line end", i+1, p.seen)
		}
	}
}

func TestParseInt(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "-1": -1, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
	} {
		if got, ok := parseInt([]byte(s)); !ok || got != want {
			t.Errorf("%s gives %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "9223372036854775808", "-9223372036854775809",
		"99999999999999999999", "18446744073709551616", "1e3", "0x1", "-9223372036854775808000"} {
		if got, ok := parseInt([]byte(s)); ok {
			t.Errorf("%q gives %d", s, got)
		}
	}
}

// FuzzParser checks that the parser never panics, never hangs, holds no more than its limits, and finds the same however the bytes
// are cut.
func FuzzParser(f *testing.F) {
	for _, s := range rawConversations {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		whole := parseAll(newParser(), string(in), len(in)+1)
		pieces := parseAll(newParser(), string(in), int(size)+1)
		if strings.Join(whole, " ") != strings.Join(pieces, " ") {
			t.Errorf("whole %q, in pieces of %d %q", whole, size+1, pieces)
		}
	})
}

// rawConversations are bytes, good and bad. Redis and we must answer the same and close alike.
var rawConversations = []string{
	"PING\r\n",
	"ping\n",
	"\r\n\r\nPING\r\n",
	"  PING  hello  \r\n",
	"ECHO \"a b\"\r\nECHO 'c d'\r\nECHO \"\\x41\\n\"\r\n",
	"ECHO \"abc\r\n",
	"ECHO 'abc\r\nPING\r\n",
	"ECHO \"a\"b\r\n",
	"GET\tk\r\n",
	"SET k v\r\nGET k\r\nDEL k\r\n",
	"QUIT\r\nPING\r\n",
	"*1\r\n$4\r\nPING\r\n",
	"*0\r\nPING\r\n",
	"*-1\r\nPING\r\n",
	"*-10\r\nPING\r\n",
	"*1\r\n$4\r\nPINGxxPING\r\n",
	"*1\rx$4\rxPING\r\n",
	"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n",
	"*1\r\n$9223372036854775807\r\nabc\r\n",
	"*9223372036854775807\r\n",
	"*99999999999999999999\r\n",
	"*1\r\n$-1\r\n",
	"*1\r\n$-10\r\nPING\r\n",
	"*1\r\n$abc\r\n",
	"*1\r\n$04\r\nPING\r\n",
	"*abc\r\n",
	"*\r\n",
	"*1\r\n*1\r\n$4\r\nPING\r\n",
	"*1\r\n:1\r\n",
	"*1\r\n\r\n",
	"*1\r\nPING\r\n",
	"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n_\r\n",
	"*2\r\n$3\r\nGET\r\n#t\r\n",
	"*1\r\n$536870913\r\n",
	"POST / HTTP/1.1\r\nHost: localhost:6379\r\n\r\nSET k v\r\n",
	"GET / HTTP/1.1\r\nHost: localhost:6379\r\n\r\n",
	"host: x\r\n",
	"\xff\xfe\xfd\r\n",
	"MULTI\r\nGET k\r\n*1\r\n$x\r\n",
}

func TestBadBytesAreAnsweredAsByRedis(t *testing.T) {
	redis := startRedis(t)
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		s := serve(t, mover)
		for _, raw := range rawConversations {
			want, got := converse(t, redis, raw), converse(t, s.Addrs()[0], raw)
			if got != want {
				t.Errorf("%.100q\n got %q\nwant %q", raw, got, want)
			}
		}
	})
}

// converse sends raw, then a PING that tells whether the connection is still open, and gives all that is answered.
func converse(t *testing.T, addr, raw string) string {
	t.Helper()
	k := dial(t, addr)
	io.WriteString(k.nc, raw) // the server may close before it took everything
	io.WriteString(k.nc, "\r\nECHO end-of-test\r\n")
	var out strings.Builder
	for {
		line, err := k.r.ReadString('\n')
		out.WriteString(line)
		if err != nil {
			if err == io.EOF || strings.Contains(err.Error(), "reset") {
				return out.String() + "closed"
			}
			t.Fatalf("%.100q: %v after %q", raw, err, out.String())
		}
		if strings.HasPrefix(line, "end-of-test") || strings.Contains(line, "end-of-test'") {
			return out.String() + "open"
		}
	}
}

package resp

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

// FuzzClient carries out whatever comes, and checks that every byte answered belongs to a whole reply and that nothing outgrows its
// limit.
func FuzzClient(f *testing.F) {
	for _, s := range rawConversations {
		f.Add([]byte(s))
	}
	for _, script := range conversations {
		var all strings.Builder
		for line := range strings.Lines(script) {
			if words := strings.Fields(line); len(words) > 0 {
				all.WriteString(encode(words...))
			}
		}
		f.Add([]byte(all.String()))
	}
	f.Add([]byte("HELLO 3\r\nCLIENT TRACKINGINFO\r\nGET none\r\nCONFIG GET *\r\nCOMMAND DOCS\r\nINFO\r\nCLIENT LIST\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := loose(newTable())
		defer func() { c.gone() }()
		for len(in) > 0 && !c.stuck() {
			n := min(len(in), 100)
			c.feed(in[:n])
			in = in[n:]
		}
		if len(c.watched) > maxWatched || len(c.multi.queue) > maxQueued || len(c.name) > maxName {
			t.Error("a limit is exceeded")
		}
		r := bufio.NewReader(bytes.NewReader(c.out))
		var reply bytes.Buffer
		for {
			reply.Reset()
			err := readReply(r, &reply)
			if err == io.EOF && reply.Len() == 0 {
				return
			}
			if err != nil {
				t.Fatalf("after %q: %v", reply.String(), err)
			}
		}
	})
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "a", true}, {"a*c", "abbc", true}, {"a*c", "abcd", false},
		{"*b*", "abc", true}, {"?", "", false}, {"?", "a", true}, {"a?c", "abc", true}, {"[ab]", "b", true}, {"[^ab]", "b", false},
		{"[^ab]", "c", true}, {"[a-c]x", "bx", true}, {"[c-a]x", "bx", true}, {"[a-", "a", true}, {"[", "a", false}, {"[^", "a", true},
		{`\*`, "*", true}, {`\*`, "a", false}, {`a\`, `a\`, true}, {`[\]]`, "]", true}, {"[]a]", "]a]", false}, {"a*b*c", "aXbYc", true},
		{"a*b*c", "acb", false}, {"**a", "a", true}, {"user:*:session", "user:1:2:session", true},
	} {
		if got := match([]byte(tt.pattern), []byte(tt.s)); got != tt.want {
			t.Errorf("%q on %q gives %v", tt.pattern, tt.s, got)
		}
	}
}

// Redis's own matcher takes exponential time for this one; ours must not, since one client's KEYS holds up all.
func TestMatchOfManyStarsIsQuick(t *testing.T) {
	pattern := []byte(strings.Repeat("a*", 200) + "b")
	if match(pattern, bytes.Repeat([]byte("a"), 10_000)) {
		t.Error("matched")
	}
}

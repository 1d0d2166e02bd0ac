package bridge

import (
	"strings"
	"testing"
)

func TestTheUserOfASessionIsItsOwner(t *testing.T) {
	for text, want := range map[string]string{
		`{"passport":{"user":"alice"}}`: "alice", `{"passport":{"user":42}}`: "42", `{"passport":{"user":"42"}}`: "42", `{"passport":{"user":1e+21}}`: "1e+21",
		`{"passport":{"user":null}}`: "", `{"passport":{"user":{"id":1}}}`: "", `{"passport":{"user":[1]}}`: "", `{"passport":{"user":true}}`: "",
		`{"passport":7}`: "", `{}`: "", `{"passport":{"user":"` + strings.Repeat("x", MaxOwner+1) + `"}}`: "",
	} {
		if got := ownerOf([]byte(text), []string{"passport", "user"}); got != want {
			t.Errorf("%.60s: %q, want %q", text, got, want)
		}
	}
}

package daemon

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNodeNameIsTheHostsMadeFit(t *testing.T) {
	for host, want := range map[string]NodeName{
		"web1": "web1", "web1.example.org": "web1.example.org", "bad host/é": "bad-host--", "": "node", "..": "node",
		strings.Repeat("a", 80): NodeName(strings.Repeat("a", 64)),
	} {
		h := Host{Hostname: func() (string, error) { return host, nil }}
		if got := h.nodeName(); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
	h := Host{Hostname: func() (string, error) { return "x", errors.New("no name") }}
	if got := h.nodeName(); got != "node" {
		t.Errorf("no name: %q", got)
	}
}

func TestAdminSocketStandsInTheRuntimeFolder(t *testing.T) {
	for name, c := range map[string]struct {
		uid  int
		env  string
		dirs string
		want string
	}{
		"a user's session":        {1000, "XDG_RUNTIME_DIR=/run/user/1000", "/run /run/user/1000", "/run/user/1000/sessioncast/n.sock /tmp/sessioncast-1000/sessioncast/n.sock /run/sessioncast/n.sock"},
		"a user without session":  {1000, "", "/run /run/user/1000", "/run/user/1000/sessioncast/n.sock /tmp/sessioncast-1000/sessioncast/n.sock /run/sessioncast/n.sock"},
		"a service user":          {990, "", "/run", "/tmp/sessioncast-990/sessioncast/n.sock /run/sessioncast/n.sock"},
		"a folder that is gone":   {1000, "XDG_RUNTIME_DIR=/gone", "", "/tmp/sessioncast-1000/sessioncast/n.sock"},
		"a relative folder":       {1000, "XDG_RUNTIME_DIR=run", "run", "/tmp/sessioncast-1000/sessioncast/n.sock"},
		"root":                    {0, "", "/run", "/run/sessioncast/n.sock /tmp/sessioncast-0/sessioncast/n.sock"},
		"root in a session":       {0, "XDG_RUNTIME_DIR=/run/user/0", "/run /run/user/0", "/run/user/0/sessioncast/n.sock /run/sessioncast/n.sock /tmp/sessioncast-0/sessioncast/n.sock"},
		"the one folder":          {0, "SESSIONCAST_RUNTIME_DIR=/var/sc", "/run", "/var/sc/sessioncast/n.sock"},
		"a system without number": {-1, "", "", "/tmp/sessioncast--1/sessioncast/n.sock"},
	} {
		h := Host{UID: c.uid, Env: []string{c.env}, TempDir: "/tmp", IsDir: func(dir string) bool { return slices.Contains(strings.Fields(c.dirs), dir) }}
		if got := strings.Join(h.AdminSockets("n"), " "); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

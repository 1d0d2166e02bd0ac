package daemon

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/table"
)

// shelf is a store of two sessions.
type shelf struct {
	partial, degraded bool
	asked             *admin.LogoutRequest
}

func (s *shelf) Owned(_ int, owner string, _ uint64, emit func(name, tag string, v table.View)) uint64 {
	if owner == "alice" {
		emit("sess:secret", "1f2e3d4c", table.View{Value: make([]byte, 1234), Due: time.Now().Add(30*time.Minute + 50*time.Second).UnixMilli()})
		emit("sess:other", "00aa11bb", table.View{})
	}
	return 0
}

func (s *shelf) LogOut(_ context.Context, r *admin.LogoutRequest) (admin.LogoutResult, error) {
	s.asked = r
	return admin.LogoutResult{Destroyed: 2 - len(r.Except), Peers: 1, Partial: s.partial, Degraded: s.degraded}, nil
}

func (s *shelf) Partial() bool { return s.partial }

// shelved is a daemon of which there are only the sessions.
func shelved(t *testing.T, host Host, s *shelf) {
	t.Helper()
	read := func() *admin.Reading { return &admin.Reading{At: time.Now(), Node: "a"} }
	server, err := admin.Open(admin.Config{Socket: host.AdminSockets("a")[0], Listen: "off", Read: read,
		Store: func() admin.Store { return s }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsAreShownByTheirTags(t *testing.T) {
	host, stdout, stderr := runtimeHost(t)
	s := new(shelf)
	shelved(t, host, s)
	for _, c := range []struct {
		args        string
		code        int
		says, never string
	}{
		{"--owner alice", ExitOK, "1f2e3d4c        1,234  30 min\n", "sess:"},
		{"--owner alice", ExitOK, "00aa11bb            0  never\n", "sess:"},
		{"--owner alice --show-ids", ExitOK, `30 min  "sess:secret"`, "zzz"},
		{"--owner alice --json", ExitOK, `"tag": "1f2e3d4c"`, "sess:"},
		{"--owner alice --json --show-ids", ExitOK, `"id": "sess:secret"`, "zzz"},
		{"--owner bob", ExitOK, "No sessions of bob.\n", "TAG"},
		{"--owner alice --destroy", ExitOK, "2 sessions of alice destroyed; 1 peer confirmed it.\n", "sess:"},
		{"--owner alice --destroy --except 1f2e3d4c --json", ExitOK, `"destroyed": 1,`, "sess:"},
	} {
		stdout.Reset()
		stderr.Reset()
		code := Main(t.Context(), append([]string{"sessions"}, strings.Fields(c.args)...), host)
		if code != c.code || !strings.Contains(stdout.String(), c.says) || strings.Contains(stdout.String(), c.never) || stderr.Len() > 0 {
			t.Errorf("%s: code %d: %s%s", c.args, code, stdout, stderr)
		}
	}
	if s.asked.Owner != "alice" || s.asked.Except[0] != "1f2e3d4c" {
		t.Errorf("asked for %+v", s.asked)
	}
}

// Whoever asks must not take for all what may be a part, nor for done what is on its way.
func TestSessionsThatMayBeAPartEndWith1(t *testing.T) {
	host, stdout, stderr := runtimeHost(t)
	s := &shelf{partial: true}
	shelved(t, host, s)
	for _, args := range []string{"--owner alice", "--owner alice --destroy"} {
		stderr.Reset()
		code := Main(t.Context(), append([]string{"sessions"}, strings.Fields(args)...), host)
		if code != ExitFailed || !strings.Contains(stderr.String(), "does not hold every session") || stdout.Len() == 0 {
			t.Errorf("%s: code %d: %s%s", args, code, stdout, stderr)
		}
	}
	s.partial, s.degraded = false, true
	stderr.Reset()
	if code := Main(t.Context(), []string{"sessions", "--owner", "alice", "--destroy"}, host); code != ExitFailed || !strings.Contains(stderr.String(), "confirmed") {
		t.Errorf("code %d: %s%s", code, stdout, stderr)
	}
}

func TestWrongFlagsOfSessionsAreNamed(t *testing.T) {
	for args, want := range map[string]string{
		"":                                    "missing flag --owner",
		"--owner=":                            "--owner: an empty label",
		"--owner a --db 16":                   "--db: 16 is out of range",
		"--owner a --db -1":                   "--db: -1 is out of range",
		"--owner a --except x":                "--except: it says what --destroy leaves",
		"--owner a --destroy --show-ids":      "--show-ids: nothing is listed",
		"--owner " + strings.Repeat("x", 257): "--owner: 257 bytes are too long",
	} {
		host, _, stderr := runtimeHost(t)
		code := Main(t.Context(), append([]string{"sessions"}, strings.Fields(args)...), host)
		if code != ExitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: code %d: %s", args, code, stderr)
		}
	}
}

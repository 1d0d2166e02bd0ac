package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// runtimeHost is a host with a runtime folder of its own, and what its commands print.
func runtimeHost(t *testing.T) (host Host, stdout, stderr *bytes.Buffer) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sc") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	host = testHost([]string{"XDG_RUNTIME_DIR=" + dir}, nil)
	host.Stdout, host.Stderr, host.IsDir, host.TempDir = stdout, stderr, isDir, filepath.Join(dir, "tmp")
	host.UID = -1
	return host, stdout, stderr
}

// answering is a daemon of which there is only the admin API.
func answering(t *testing.T, host Host, name NodeName, state wire.MemberState, peers ...wire.MemberState) {
	t.Helper()
	read := func() *admin.Reading {
		r := &admin.Reading{At: time.Now(), Node: string(name), State: state, Members: []engine.Member{{Name: string(name), State: state, Self: true}}}
		for i, p := range peers {
			m := engine.Member{Name: "peer", State: p, HearsUs: true, Multicast: true}
			m.Origin.Node[0] = byte(i + 1)
			r.Members = append(r.Members, m)
		}
		return r
	}
	s, err := admin.Open(admin.Config{Socket: host.AdminSockets(name)[0], Listen: "off", Read: read, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestStatusOfANodeThatIsNotReadyEndsWith3(t *testing.T) {
	for state, want := range map[wire.MemberState]int{0: ExitUnready, wire.Joining: ExitUnready, wire.Synced: ExitOK, wire.Leaving: ExitUnready} {
		host, stdout, stderr := runtimeHost(t)
		answering(t, host, "a", state)
		for _, args := range [][]string{{"status"}, {"status", "--json"}, {"status", "--name", "a"}} {
			stdout.Reset()
			if code := Main(t.Context(), args, host); code != want || stdout.Len() == 0 || stderr.Len() > 0 {
				t.Errorf("%v in state %d: code %d, want %d: %s%s", args, state, code, want, stdout, stderr)
			}
		}
	}
}

func TestWaitCountsWhoIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		own   wire.MemberState
		peers []wire.MemberState
		args  []string
		want  int
		says  string
	}{
		"itself":                        {wire.Synced, nil, nil, ExitOK, ""},
		"two are there":                 {wire.Synced, []wire.MemberState{wire.Joining}, []string{"--members", "2"}, ExitOK, ""},
		"two are not synced":            {wire.Synced, []wire.MemberState{wire.Joining}, []string{"--members", "2", "--synced"}, ExitFailed, "peer is joining"},
		"it is not synced itself":       {wire.Joining, []wire.MemberState{wire.Synced}, []string{"--synced"}, ExitFailed, "Joining"},
		"the dead and silent count not": {wire.Synced, []wire.MemberState{wire.Dead, wire.Suspect}, []string{"--members", "2"}, ExitFailed, "1 of 3 members"},
	} {
		t.Run(name, func(t *testing.T) {
			host, _, stderr := runtimeHost(t)
			answering(t, host, "a", c.own, c.peers...)
			args := append([]string{"wait", "--timeout", "250ms"}, c.args...)
			if code := Main(t.Context(), args, host); code != c.want || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("code %d, want %d: %s", code, c.want, stderr)
			}
		})
	}
}

func TestWaitIsPatientWithADaemonThatIsNotThereYet(t *testing.T) {
	host, _, stderr := runtimeHost(t)
	code := make(chan int)
	go func() { code <- Main(t.Context(), []string{"wait", "--timeout", "20s"}, host) }()
	answering(t, host, "a", wire.Synced)
	if c := <-code; c != ExitOK {
		t.Errorf("code %d: %s", c, stderr)
	}
}

func TestSeveralDaemonsMustBeToldApart(t *testing.T) {
	host, _, stderr := runtimeHost(t)
	answering(t, host, "a", wire.Synced)
	answering(t, host, "b", wire.Synced)
	for _, command := range []string{"status", "wait"} {
		stderr.Reset()
		if code := Main(t.Context(), []string{command}, host); code != ExitUsage || !strings.Contains(stderr.String(), "2 daemons run on this host: say which by --name: a or b") {
			t.Errorf("%s: code %d: %s", command, code, stderr)
		}
	}
}

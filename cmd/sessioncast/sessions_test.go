//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast"
	"github.com/sessioncast/sessioncast/internal/admin"
)

// library is a member of the cluster inside of this process: an app in Go.
func (w *world) library(name string) *sessioncast.Node {
	w.t.Helper()
	arg := func(flag string) string { return w.args[slices.Index(w.args, flag)+1] }
	port, _ := strconv.Atoi(arg("--port"))
	n, err := sessioncast.Open(w.t.Context(), sessioncast.Config{
		Name: name, Interface: "lo", Group: netip.MustParseAddr(arg("--group")), Port: port,
		KeyFile: filepath.Join(w.dir, "config", "sessioncast", "key"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = n.Close() })
	return n
}

// sessions runs "sessioncast sessions".
func (d *process) sessions(args ...string) string {
	d.w.t.Helper()
	out, err := d.w.command(nil, append([]string{"sessions", "--name", d.name}, args...)...).CombinedOutput()
	if err != nil {
		d.w.t.Fatalf("sessions %v: %v: %s", args, err, out)
	}
	return string(out)
}

// A user's sessions are found and ended on any node, whoever made them where, by the command line and by Redis's protocol.
func TestAUserIsLoggedOutEverywhere(t *testing.T) {
	w := newWorld(t)
	w.args = append(w.args, "--ack-timeout", "10s") // on a busy machine peers take their time
	list := w.cluster("a", "b")
	a, b := list[0], list[1]
	app := w.library("app")
	alice := sessioncast.WithOwner(t.Context(), "alice")
	for i := range 5 {
		if _, err := app.Create(alice, fmt.Sprint("sess:secret-", i), []byte("content"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := app.Create(sessioncast.WithOwner(t.Context(), "bob"), "sess:his", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	var told admin.OwnedSessions
	w.eventually("a tells all of alice's sessions", func() bool {
		out := a.sessions("--owner", "alice", "--json")
		if strings.Contains(out, "secret") {
			t.Fatalf("ids are shown: %s", out)
		}
		told = admin.OwnedSessions{}
		return json.Unmarshal([]byte(out), &told) == nil && len(told.Sessions) == 5
	})
	client := b.client()
	w.eventually("so does b", func() bool {
		keys, err := client.Do(t.Context(), "SESSION", "OWNED", "alice").StringSlice()
		return err == nil && len(keys) == 5
	})
	kept := told.Sessions[2].Tag
	for _, d := range list {
		d.waitFor(3)
	}
	if out := a.sessions("--owner", "alice", "--destroy", "--except", kept); !strings.HasPrefix(out, "4 sessions of alice destroyed; 2 peers ") {
		t.Errorf("%s", out)
	}
	w.eventually("b shows what is left", func() bool {
		out := b.sessions("--owner", "alice")
		return strings.Count(out, "\n") == 4 && strings.Contains(out, kept)
	})
	w.eventually("the app has what is left", func() bool { return app.Len() == 2 })
	if n, err := client.Do(t.Context(), "SESSION", "DESTROYOWNED", "alice").Int(); n != 1 || err != nil {
		t.Errorf("%d destroyed, %v", n, err)
	}
	w.eventually("the app has heard of it", func() bool { return app.Len() == 1 })
	for _, d := range list {
		if strings.Contains(d.log.String(), "secret") || strings.Contains(d.log.String(), "alice") {
			t.Errorf("the log of %s tells of the sessions", d.name)
		}
	}
}

//go:build linux

package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// servers of a cluster, each in a network namespace.
const servers = 3

// kind is a package with a store.
type kind struct {
	name    string
	options map[string]any
}

// web are servers with the store of one kind.
type web struct {
	*testing.T
	kind kind
	net  *nstest.Net
	app  string
	dirs [servers]string // a runtime folder for each, since namespaces share the files
	on   [servers]*rig.Script
}

func newWeb(t *testing.T, n *nstest.Net, app string, k kind) *web {
	w := &web{T: t, kind: k, net: n, app: app}
	for i := range w.dirs {
		dir, err := os.MkdirTemp("", "scw") // short: names of sockets are limited
		if err != nil {
			t.Fatal(err)
		}
		w.dirs[i] = dir
		t.Cleanup(func() {
			w.killEngine(i)
			_ = os.RemoveAll(dir)
		})
	}
	return w
}

// start starts an app on a server, with the engine that the store starts.
func (w *web) start(i int) {
	w.Helper()
	options, err := json.Marshal(w.kind.options)
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.Command("node", "store.js", w.kind.name, string(options))
	cmd.Dir = w.app
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SESSIONCAST_") && !strings.HasPrefix(v, "XDG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "SESSIONCAST_RUNTIME_DIR="+w.dirs[i], "SESSIONCAST_ACK_TIMEOUT=5s")
	w.on[i] = rig.StartScript(w.T, rig.In(w.net, i), fmt.Sprint(w.kind.name, " on server ", i), cmd)
}

// kill ends all of a server's processes as a power failure does.
func (w *web) kill(i int) {
	w.Helper()
	w.on[i].Kill()
	w.killEngine(i)
}

// killEngine ends the engine that was started for a server, which is nobody's child.
func (w *web) killEngine(i int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")) // it may have ended
		if text := string(line); strings.Contains(text, "\x00serve\x00") && strings.Contains(text, w.dirs[i]) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// fields is a session without its cookie.
type fields map[string]any

// do has a server's app do something.
func (w *web) do(i int, op string, line map[string]any) json.RawMessage {
	w.Helper()
	return w.begin(i, op, line)()
}

// begin is do for who waits later.
func (w *web) begin(i int, op string, line map[string]any) func() json.RawMessage {
	w.Helper()
	all := map[string]any{"op": op}
	maps.Copy(all, line)
	answer := w.on[i].Tell(all)
	return func() json.RawMessage {
		w.Helper()
		var r struct {
			Value json.RawMessage
			Error string
		}
		if answer(&r); r.Error != "" {
			w.Fatalf("%s: %s: %s", w.on[i].Name, op, r.Error)
		}
		return r.Value
	}
}

func (w *web) create(i int, sid string, f fields) {
	w.Helper()
	w.do(i, "create", map[string]any{"sid": sid, "fields": f})
}

// read reads sessions; nil stands for those that are not there.
func (w *web) read(i int, sids ...string) (list []fields) {
	w.Helper()
	if err := json.Unmarshal(w.do(i, "read", map[string]any{"sids": sids}), &list); err != nil {
		w.Fatal(err)
	}
	return list
}

// fenceTries is how often a fence is looked for before another one is made: an original that is busy loses datagrams.
const fenceTries = 100

// fence waits until what server i did before has come to the others: a datagram of one sender overtakes no other here.
func (w *web) fence(i int, name string) {
	w.Helper()
	w.create(i, name, fields{"fence": true})
	for k := range servers {
		if w.on[k] == nil || !w.on[k].Running() {
			continue
		}
		tries := 0
		rig.Eventually(w, fmt.Sprintf("%s: a session made last on server %d is on server %d", w.kind.name, i, k), func() bool {
			if tries++; tries%fenceTries == 0 {
				name += " again"
				w.create(i, name, fields{"fence": true})
			}
			return w.read(k, name)[0] != nil
		})
	}
}

// datagram sends one from a server to the group of all.
func (w *web) datagram(i int, text string) {
	w.Helper()
	rig.In(w.net, i).Do(func() {
		c, err := net.Dial("udp4", "228.0.0.5:4000")
		if err != nil {
			w.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(text)); err != nil {
			w.Fatal(err)
		}
	})
}

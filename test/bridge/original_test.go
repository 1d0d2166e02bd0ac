//go:build linux

package bridge

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if fetched.dir != "" {
		_ = os.RemoveAll(fetched.dir)
	}
	rig.Remove()
	os.Exit(code)
}

// folderVariable names a folder with the packages, for tests that run again inside unshare, from where no registry is reached.
const folderVariable = "SESSIONCAST_BRIDGE_ORIGINALS"

var fetched struct {
	sync.Once
	dir string
	err error
}

// originals is a folder with the original and what it needs, from npm; the test is skipped, aloud, without them.
func originals(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv(folderVariable); dir != "" {
		return dir
	}
	if testing.Short() {
		t.Skip("SKIPPED, original nodes not tested: -short")
	}
	rig.Need(t, "node", "nodejs")
	rig.Need(t, "npm", "npm")
	fetched.Do(func() { fetched.err = fetch() })
	if fetched.err != nil {
		if os.Getenv(rig.Strict) != "" {
			t.Fatal(fetched.err)
		}
		t.Skipf("SKIPPED, original nodes not tested: %v", fetched.err)
	}
	t.Setenv(folderVariable, fetched.dir)
	return fetched.dir
}

func fetch() (err error) {
	if fetched.dir, err = os.MkdirTemp("", "originals"); err != nil {
		return err
	}
	out, err := exec.Command("npm", "install", "--prefix", fetched.dir, "--no-audit", "--no-fund", "--loglevel=error",
		"express-session-multicast@0.0.2", "express-session@1.18.1").CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm install: %w: %s", err, out)
	}
	script, err := os.ReadFile("testdata/original.js")
	if err != nil {
		return err
	}
	return os.WriteFile(fetched.dir+"/original.js", script, 0o644)
}

// original is a running node of the original.
type original struct {
	*rig.Script
	t *testing.T
}

// reply is what it answers.
type reply struct {
	Session json.RawMessage
	Count   int
}

// startOriginal starts one on a host, which has the route that it needs to join its group.
func startOriginal(t *testing.T, n *nstest.Net, host int, dir, use string) *original {
	t.Helper()
	cmd := exec.Command("node", "original.js", use)
	cmd.Dir = dir
	return &original{rig.StartScript(t, rig.In(n, host), fmt.Sprint("original ", host), cmd), t}
}

// ask has it do something and waits for its answer.
func (o *original) ask(line map[string]any) (r reply) {
	o.t.Helper()
	o.Ask(line, &r)
	return r
}

func (o *original) set(sid, session string) {
	o.t.Helper()
	o.ask(map[string]any{"op": "set", "sid": sid, "session": json.RawMessage(session), "maxAge": 3_600_000})
}

// get is what it holds, less what it puts there itself; "" where it holds nothing.
func (o *original) get(sid string) string {
	o.t.Helper()
	r := o.ask(map[string]any{"op": "get", "sid": sid})
	if r.Session == nil || string(r.Session) == "null" {
		return ""
	}
	return plain(o.t, string(r.Session))
}

func (o *original) destroy(sid string) {
	o.t.Helper()
	o.ask(map[string]any{"op": "destroy", "sid": sid})
}

func (o *original) count() int { return o.ask(map[string]any{"op": "count"}).Count }

func (o *original) copies(sid string) int {
	return o.ask(map[string]any{"op": "copies", "sid": sid}).Count
}

// plain is a session without its cookie and what originals add, its names sorted.
func plain(t *testing.T, text string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if _, there := m["cookie"].(map[string]any); !there {
		t.Errorf("a session without a cookie: %s", text)
	}
	delete(m, "cookie")
	delete(m, "save")
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

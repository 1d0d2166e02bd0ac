//go:build linux

package bridge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
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
	*rig.Process
	t     *testing.T
	stdin io.Writer
	mu    sync.Mutex
	next  int
	got   map[int]chan reply
	ready chan struct{}
	ends  chan string // why it died
}

// reply is what it answers.
type reply struct {
	ID      int             `json:"id"`
	Ready   bool            `json:"ready"`
	Died    string          `json:"died"`
	Trace   string          `json:"trace"`
	Session json.RawMessage `json:"session"`
	Expires string          `json:"expires"`
	Count   int             `json:"count"`
}

// startOriginal starts one on a host, which has the route that it needs to join its group.
func startOriginal(t *testing.T, n *nstest.Net, host int, dir, use string) *original {
	t.Helper()
	o := &original{t: t, got: map[int]chan reply{}, ready: make(chan struct{}), ends: make(chan string, 1)}
	cmd := exec.Command("node", "original.js", use)
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, writer := io.Pipe()
	o.stdin = in
	go o.read(out)
	o.Process = rig.StartTee(t, rig.In(n, host), fmt.Sprint("original ", host), cmd, writer)
	rig.Eventually(t, o.Name+" listens", func() bool {
		select {
		case <-o.ready:
			return true
		default:
			return false
		}
	})
	return o
}

func (o *original) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r reply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		switch {
		case r.Ready:
			close(o.ready)
		case r.Died != "":
			o.ends <- r.Died
		case r.ID != 0:
			o.mu.Lock()
			c := o.got[r.ID]
			delete(o.got, r.ID)
			o.mu.Unlock()
			if c != nil {
				c <- r
			}
		}
	}
}

// ask has it do something and waits for its answer.
func (o *original) ask(line map[string]any) reply {
	o.t.Helper()
	o.mu.Lock()
	o.next++
	c := make(chan reply, 1)
	line["id"], o.got[o.next] = o.next, c
	o.mu.Unlock()
	text, err := json.Marshal(line)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.stdin.Write(append(text, '\n')); err != nil {
		o.t.Fatalf("%s: %v\n%s", o.Name, err, o.Log())
	}
	var r reply
	rig.Eventually(o.t, fmt.Sprint(o.Name, " answers ", string(text[:min(len(text), 80)])), func() bool {
		select {
		case r = <-c:
			return true
		default:
			if !o.Running() {
				o.t.Fatalf("%s died:\n%s", o.Name, o.Log())
			}
			return false
		}
	})
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

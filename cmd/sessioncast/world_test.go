//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/admin"
)

// patience is how long real processes on a busy machine may take for what normally takes milliseconds.
const patience = time.Minute

// world is a cluster of daemons on loopback, apart from all others by its group, port, key and folders.
type world struct {
	t    *testing.T
	dir  string
	args []string
	env  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs daemons as processes")
	}
	dir, err := os.MkdirTemp("", "sc") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Parallel()
	w := &world{t: t, dir: dir}
	for _, sub := range []string{"run", "config"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	group := netip.AddrFrom4([4]byte{239, 255, byte(1 + rand.IntN(200)), byte(1 + rand.IntN(200))})
	w.args = []string{"--interface", "lo", "--group", group.String(), "--port", freePort(t), "--log-level", "debug"}
	w.env = append(os.Environ(), runAsBinary+"=1", "COLUMNS=80",
		"SESSIONCAST_RUNTIME_DIR="+filepath.Join(dir, "run"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	return w
}

// freePort finds a port for a group, which the nodes' own ports follow. No other package that is tested at the same time uses these for nodes.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := 25_000 + rand.IntN(5_000)
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		if err == nil {
			_ = conn.Close()
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no free port found")
	return ""
}

// process is one daemon that runs.
type process struct {
	w    *world
	name string
	cmd  *exec.Cmd
	log  lockedBuffer
	done chan struct{} // closed when it ended
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (w *world) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(w.env[:len(w.env):len(w.env)], env...)
	return cmd
}

// serve starts a daemon and returns at once.
func (w *world) serve(name string, env []string, args ...string) *process {
	w.t.Helper()
	all := append([]string{"serve", "--name", name}, w.args...)
	if !strings.Contains(strings.Join(args, " "), "--resp") {
		all = append(all, "--resp", "127.0.0.1:0")
	}
	d := &process{w: w, name: name, cmd: w.command(env, append(all, args...)...), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait()
		close(d.done)
	}()
	w.t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.done
		if w.t.Failed() {
			w.t.Logf("log of %s:\n%s", name, d.log.String())
		}
	})
	return d
}

// cluster starts daemons and waits until all hear all.
func (w *world) cluster(names ...string) []*process {
	w.t.Helper()
	var list []*process
	for _, name := range names {
		list = append(list, w.serve(name, nil))
	}
	for _, d := range list {
		d.waitFor(len(names))
	}
	return list
}

// waitFor runs "sessioncast wait", as a boot script would.
func (d *process) waitFor(members int) {
	d.w.t.Helper()
	out, err := d.w.command(nil, "wait", "--name", d.name, "--members", fmt.Sprint(members), "--synced", "--timeout", patience.String()).CombinedOutput()
	if err != nil {
		d.w.t.Fatalf("waiting for %d members on %s: %s", members, d.name, out)
	}
}

// status asks as "sessioncast status --json" does.
func (d *process) status() *admin.Status {
	d.w.t.Helper()
	out, err := d.w.command(nil, "status", "--name", d.name, "--json").Output()
	var s admin.Status
	if err := json.Unmarshal(out, &s); err != nil {
		d.w.t.Fatalf("status of %s: %v: %s", d.name, err, out)
	}
	if (err == nil) != s.Ready {
		d.w.t.Errorf("status of %s: ready %v, but %v", d.name, s.Ready, err)
	}
	return &s
}

// healthy waits until a daemon of two says that nothing is wrong: on a machine that is busy with other things it may have lost datagrams, or have
// missed a few heartbeats, just before.
func (w *world) healthy(d *process) (s *admin.Status) {
	w.t.Helper()
	defer func() {
		if w.t.Failed() && s != nil {
			w.t.Logf("%s says %q, with the members %+v", d.name, s.Verdict, s.Members)
		}
	}()
	w.eventually(d.name+" sees two members, both well", func() bool {
		s = d.status()
		return len(s.Members) == 2 && s.Verdict == "2 of 2 members synced, 0 sessions, no loss."
	})
	return s
}

// client is a Redis client of the daemon.
func (d *process) client() *redis.Client {
	d.w.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: d.status().Clients[0], MaxRetries: -1})
	d.w.t.Cleanup(func() { _ = c.Close() })
	return c
}

// stop sends a signal and returns the exit code, -1 where the signal itself ended the process.
func (d *process) stop(s syscall.Signal) int {
	d.w.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.w.t.Fatal(err)
	}
	d.ended()
	return d.cmd.ProcessState.ExitCode()
}

// ended waits for the process to end.
func (d *process) ended() {
	d.w.t.Helper()
	select {
	case <-d.done:
	case <-time.After(patience):
		d.w.t.Fatalf("%s does not end", d.name)
	}
}

// eventually polls real processes until something holds.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("not within %s: %s", patience, what)
		case <-tick.C:
		}
	}
}

// has waits until the client reads the value; a missing key is an empty one.
func (w *world) has(c *redis.Client, key, value string) {
	w.t.Helper()
	w.eventually(key+" is "+value, func() bool {
		got, err := c.Get(w.t.Context(), key).Result()
		return got == value && (err == nil || err == redis.Nil)
	})
}

package rig

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/internal/admin"
	_ "github.com/sessioncast/sessioncast/internal/daemon" // what Binary builds: a change of it must run the tests anew
)

var built struct {
	sync.Once
	dir  string // to be removed; empty if somebody else built it
	path string
	err  error
}

// Main runs the tests of a package that uses Binary, and removes the binary afterwards: call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	Remove()
	os.Exit(code)
}

// Remove removes the binary, for a program that ends otherwise.
func Remove() {
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}

// BinaryVariable names a sessioncast built before. Binary sets it for tests that run themselves again inside unshare,
// where modules may be out of reach.
const BinaryVariable = "SCTEST_BINARY"

// Binary builds sessioncast, once, and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		if built.path = os.Getenv(BinaryVariable); built.path == "" {
			built.err = build()
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func build() (err error) {
	if built.dir, err = os.MkdirTemp("", "sessioncast-bin"); err != nil {
		return err
	}
	if err = os.Chmod(built.dir, 0o755); err != nil {
		return err
	}
	built.path = filepath.Join(built.dir, "sessioncast")
	cmd := exec.Command("go", "build", "-o", built.path, "github.com/sessioncast/sessioncast/cmd/sessioncast")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building sessioncast: %w\n%s", err, out)
	}
	return os.Setenv(BinaryVariable, built.path)
}

// Site is what the daemons of one test share: a key and the folders.
type Site struct {
	t   testing.TB
	dir string
	bin string
}

// NewSite makes a key and folders of the test's own.
func NewSite(t testing.TB) *Site {
	t.Helper()
	dir, err := os.MkdirTemp("", "sc") // short: names of Unix sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Site{t: t, dir: dir, bin: Binary(t)}
	for _, sub := range []string{"run", "config"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.NewKey("key")
	return s
}

// NewKey makes a key file and returns its path.
func (s *Site) NewKey(name string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if _, err := Run(Here, s.command("key", "new", "--out", path)); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// command is the binary with arguments, in an environment without options of whoever runs the tests.
func (s *Site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SESSIONCAST_") && !strings.HasPrefix(v, "XDG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "SESSIONCAST_RUNTIME_DIR="+filepath.Join(s.dir, "run"), "XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"))
	return cmd
}

// Daemon is a running sessioncast serve.
type Daemon struct {
	*Process
	Place Place
	site  *Site
	args  []string
	logs  []string // of the runs before this one
}

// Serve starts a daemon with the site's key; args may override it, as later flags do.
func (s *Site) Serve(at Place, name string, args ...string) *Daemon {
	s.t.Helper()
	return s.start(at, "serve", name, args)
}

// Bridge starts a bridge to express-session-multicast nodes, as Serve does.
func (s *Site) Bridge(at Place, name string, args ...string) *Daemon {
	s.t.Helper()
	return s.start(at, "bridge", name, args)
}

// Command runs the binary to its end and returns what it printed.
func (s *Site) Command(at Place, args ...string) (string, error) { return Run(at, s.command(args...)) }

// KeyFile is the site's key.
func (s *Site) KeyFile() string { return filepath.Join(s.dir, "key") }

func (s *Site) start(at Place, command, name string, args []string) *Daemon {
	s.t.Helper()
	d := &Daemon{Place: at, site: s}
	d.args = []string{command, "--name", name, "--log-level", "debug"}
	if !hasFlag(args, "--key-file") {
		d.args = append(d.args, "--key-file", filepath.Join(s.dir, "key"))
	}
	d.args = append(d.args, args...)
	d.Process = Start(s.t, at, name, s.command(d.args...))
	return d
}

func hasFlag(args []string, flag string) bool {
	for _, a := range args {
		if a == flag {
			return true
		}
	}
	return false
}

// Restart starts it again after its end, as it was started before.
func (d *Daemon) Restart() {
	d.site.t.Helper()
	d.Kill()
	d.logs = append(d.logs, d.Log())
	d.Process = Start(d.site.t, d.Place, d.Name, d.site.command(d.args...))
}

// AllLogs is what all its runs printed.
func (d *Daemon) AllLogs() string { return strings.Join(append(d.logs, d.Log()), "") }

// Wait is "sessioncast wait --synced": it returns when the daemon sees so many synced members, itself counted. A daemon
// that has just been started may not answer yet.
func (d *Daemon) Wait(members int) {
	d.site.t.Helper()
	var err error
	Eventually(d.site.t, fmt.Sprintf("%s sees %d synced members", d.Name, members), func() bool {
		if !d.Running() {
			d.site.t.Fatalf("%s ended:\n%s", d.Name, d.log.Tail())
		}
		_, err = Run(d.Place, d.site.command("wait", "--name", d.Name, "--members", fmt.Sprint(members), "--synced", "--timeout", "2s"))
		return err == nil
	})
}

// WaitAll waits until all these daemons see each other synced.
func WaitAll(daemons []*Daemon) {
	for _, d := range daemons {
		d.site.t.Helper()
		d.Wait(len(daemons))
	}
}

// Status is "sessioncast status --json", asked again where the machine is so busy that the daemon does not answer in time.
func (d *Daemon) Status() (s *admin.Status) {
	d.site.t.Helper()
	var err error
	Eventually(d.site.t, d.Name+" tells its status", func() bool {
		s, err = d.tryStatus()
		if err != nil && !d.Running() {
			d.site.t.Fatalf("%s ended: %v\n%s", d.Name, err, d.log.Tail())
		}
		return err == nil
	})
	return s
}

// notReady is what status exits with when it has told of a node that is not ready.
const notReady = 3

func (d *Daemon) tryStatus() (*admin.Status, error) {
	out, err := Run(d.Place, d.site.command("status", "--name", d.Name, "--json"))
	if exit := new(exec.ExitError); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == notReady) {
		return nil, err
	}
	s := new(admin.Status)
	if err := json.Unmarshal([]byte(out), s); err != nil {
		return nil, err
	}
	if s.Schema != admin.Schema {
		return nil, errors.New("status of schema " + s.Schema)
	}
	return s, nil
}

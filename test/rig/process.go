package rig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Place is where processes are started and connections made: a host.
type Place interface {
	// Do runs f there and waits for it.
	Do(f func())
}

// Here is this host, in the network namespace of the test.
var Here Place = here{}

type here struct{}

func (here) Do(f func()) { f() }

// Patience bounds every wait for something that a healthy machine does in a fraction of it.
const Patience = time.Minute

// Process is a running program.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  Log
	done chan struct{} // closed when it ended and was waited for
}

// Start starts a program at a place; its output goes to the Log.
func Start(t testing.TB, at Place, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	return StartTee(t, at, name, cmd, io.Discard)
}

// StartTee is Start for a program whose standard output is also read as it comes.
func StartTee(t testing.TB, at Place, name string, cmd *exec.Cmd, reader io.Writer) *Process {
	t.Helper()
	p := &Process{Name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&p.log, reader), &p.log
	dieWithParent(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the process dies with the thread that started it, so that must outlive it
		at.Do(func() {
			err := cmd.Start()
			started <- err
			if err == nil {
				_ = cmd.Wait()
			}
		})
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, p.log.Tail())
		}
	})
	return p
}

// Kill ends it as kill -9 does, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Stop sends it a signal, SIGTERM as systemd does or SIGINT as a terminal does, and returns its exit code.
func (p *Process) Stop(t testing.TB, signal os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		t.Fatalf("%s ignores a signal: %v", p.Name, signal)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends it a signal and waits for nothing.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// PID is its number; it may have ended.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Log is what it printed so far.
func (p *Process) Log() string { return p.log.String() }

// Run runs a command at a place to its end and returns what it printed on standard output; a failure is an error that
// holds the rest.
func Run(at Place, cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var err error
	at.Do(func() { err = cmd.Run() })
	if err != nil {
		err = fmt.Errorf("%v: %w: %s", cmd.Args, err, errs.String())
	}
	return out.String(), err
}

// Log collects what a process prints.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const tail = 8 << 10

// Tail is the end of it, enough to see why something failed.
func (l *Log) Tail() string {
	all := l.String()
	return all[max(0, len(all)-tail):]
}

// Eventually is the one wait of the tests with real programs: it polls a condition until it holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	Within(t, Patience, what, holds)
}

// Within is Eventually with a limit of its own.
func Within(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(limit), time.NewTicker(10*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

// Strict is the variable that makes a missing tool a failure instead of a skipped test, for CI.
const Strict = "SCTEST_STRICT"

// Need skips the test, aloud, where a tool is missing.
func Need(t testing.TB, tool, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv(Strict) != "" {
		t.Fatalf("%s is not installed (package %s), and %s asks for everything", tool, pkg, Strict)
	}
	t.Skipf("SKIPPED: %s is not installed (package %s)", tool, pkg)
}

//go:build linux

package link

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

const originalsVariable = "SESSIONCAST_ORIGINALS"

// originals is a folder with the original's package and what it needs, from npm; the test is skipped without them.
// It must be called outside of namespaces, from which there is no way to a registry.
func originals(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(originalsVariable)
	if dir == "" {
		if testing.Short() {
			t.Skip("SKIPPED, original nodes not tested: -short")
		}
		var err error
		if dir, err = installed(); err != nil {
			t.Skipf("SKIPPED, original nodes not tested: %v", err)
		}
		t.Setenv(originalsVariable, dir) // for the run inside unshare
	}
	return dir
}

// installed fetches the packages once for all tests; TestMain removes them.
var installed = sync.OnceValues(func() (string, error) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%s is not installed", tool)
		}
	}
	dir, err := os.MkdirTemp("", "originals")
	if err != nil {
		return "", err
	}
	cleanups = append(cleanups, func() { _ = os.RemoveAll(dir) })
	out, err := exec.Command("npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--loglevel=error",
		"express-session-multicast@0.0.2", "express-session@1.18.1").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("npm install: %w: %s", err, out)
	}
	script, err := os.ReadFile("testdata/original.js")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(dir+"/original.js", script, 0o644)
})

// original is a running original node.
type original struct {
	cmd    *exec.Cmd
	exited chan error
	out    struct {
		sync.Mutex
		bytes.Buffer
	}
}

func (o *original) Write(b []byte) (int, error) {
	o.out.Lock()
	defer o.out.Unlock()
	return o.out.Write(b)
}

func (o *original) said(what string) bool {
	o.out.Lock()
	defer o.out.Unlock()
	return strings.Contains(o.out.String(), what)
}

func (o *original) alive() bool {
	select {
	case err := <-o.exited:
		o.exited <- err
		return false
	default:
		return true
	}
}

func startOriginal(t *testing.T, n *nstest.Net, i int, dir, use string) *original {
	t.Helper()
	o := &original{exited: make(chan error, 1)}
	o.cmd = exec.Command("node", "original.js", use)
	o.cmd.Dir, o.cmd.Stdout, o.cmd.Stderr = dir, o, o
	if err := n.Start(i, o.cmd); err != nil {
		t.Fatal(err)
	}
	go func() { o.exited <- o.cmd.Wait() }()
	t.Cleanup(func() { _ = o.cmd.Process.Kill(); <-o.exited })
	eventually(t, "original node ready:\n"+o.out.String(), func() bool { return o.said("ready") })
	return o
}

// network is hosts with the route that an original needs to join its group.
func network(t *testing.T, hosts int, body func(t *testing.T, n *nstest.Net)) {
	t.Helper()
	nstest.Run(t, hosts, func(t *testing.T, n *nstest.Net) {
		for i := range hosts {
			n.Output(i, "ip", "route", "add", "default", "dev", "eth0")
		}
		body(t, n)
	})
}

func probe(t *testing.T, n *nstest.Net, i int, c Config) (found bool, from netip.Addr, took time.Duration) {
	t.Helper()
	var err error
	n.Do(i, func() {
		var r Resolved
		if r, err = c.Resolve(); err == nil {
			begin := time.Now()
			found, from, err = ProbeOriginal(context.Background(), r, nil)
			took = time.Since(begin)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, from, took
}

// probeUntilFound gives an original a few chances: on a busy machine it may not get to answer within one window.
func probeUntilFound(t *testing.T, n *nstest.Net, i int, c Config) (found bool, from netip.Addr, took time.Duration) {
	t.Helper()
	for range 10 {
		if found, from, took = probe(t, n, i, c); found {
			break
		}
	}
	return found, from, took
}

func TestOriginalNodesAreFoundAndLive(t *testing.T) {
	dir := originals(t)
	for _, use := range []string{"v4", "v6"} {
		for where := range 2 {
			t.Run(fmt.Sprintf("%s on host %d", use, where), func(t *testing.T) {
				network(t, 2, func(t *testing.T, n *nstest.Net) {
					o := startOriginal(t, n, where, dir, use)
					for round := range 3 {
						found, from, took := probeUntilFound(t, n, 0, Config{Use: use})
						if !found || took > probeWindow {
							t.Fatalf("round %d: found %v from %v in %v; it said:\n%s", round, found, from, took, &o.out)
						}
						if where == 1 && from != n.Addr4(1) && from != n.Addr6(1) {
							t.Errorf("found at %v", from)
						}
					}
					eventually(t, "told of our goodbye", func() bool { return o.said("self-destruct notification") })
					if !o.alive() || o.said("trace") {
						t.Errorf("the probe harmed it; it said:\n%s", &o.out)
					}
					if where == 1 { // the check can fail: what is not its JSON does end it
						var c net.Conn
						n.Do(0, func() { c, _ = net.Dial("udp", netip.AddrPortFrom(n.Addr4(1), DefaultPort).String()) })
						_, _ = c.Write([]byte("x"))
						_ = c.Close()
						eventually(t, "dead of one datagram", func() bool { return !o.alive() })
					}
				})
			})
		}
	}
}

func TestAnOriginalOnThisHostIsNamedAsTheCause(t *testing.T) {
	dir := originals(t)
	network(t, 1, func(t *testing.T, n *nstest.Net) {
		o := startOriginal(t, n, 0, dir, "v4")
		n.Do(0, func() {
			l, err := Open(Config{})
			if err == nil {
				_ = l.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "express-session-multicast") {
				t.Errorf("Open beside an original: %v", err)
			}
		})
		if !o.alive() {
			t.Error("Open alone ended it")
		}
	})
}

// recorder hears the default group without a word.
func recorder(t *testing.T, n *nstest.Net, i int) func() []string {
	t.Helper()
	var conn *net.UDPConn
	var err error
	n.Do(i, func() {
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: DefaultPort}); err != nil {
			return
		}
		iface, _ := net.InterfaceByName("eth0")
		err = ipv4.NewPacketConn(conn).JoinGroup(iface, &net.UDPAddr{IP: defaultGroupV4.AsSlice()})
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var heard []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, maxDatagram)
		for {
			size, err := conn.Read(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			heard = append(heard, string(buffer[:size]))
			mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return func() []string { mu.Lock(); defer mu.Unlock(); return heard }
}

func TestTheProbeSaysNothingAnOriginalDoesNotKnow(t *testing.T) {
	network(t, 2, func(t *testing.T, n *nstest.Net) {
		heard := recorder(t, n, 1)
		n.Output(0, "nft", "add table inet seen; add chain inet seen out { type filter hook output priority 0; };"+
			"add rule inet seen out oifname eth0 meta l4proto { udp, tcp } counter")
		if found, from, took := probe(t, n, 0, Config{}); found || took < probeWindow {
			t.Errorf("found %v (%v) after %v, where there is none", found, from, took)
		}
		eventually(t, "two hellos and a goodbye", func() bool { return len(heard()) == 3 })
		for i, text := range heard() {
			var m originalMessage
			err := json.Unmarshal([]byte(text), &m)
			hello := m.Status == "new" && m.Address == n.Addr4(0).String() && m.Port != 0 && m.Port != DefaultPort
			if err != nil || m.Type != "node" || i < 2 && !hello || i == 2 && (m != originalMessage{Status: "destroy", Type: "node"}) {
				t.Errorf("datagram %d: %s", i, text)
			}
		}
		if out := n.Output(0, "nft", "list", "table", "inet", "seen"); !strings.Contains(out, "packets 3 ") {
			t.Errorf("more left the host than the three:\n%s", out)
		}
		n.Do(0, func() {
			l, err := Open(Config{})
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
		})
		if out := n.Output(0, "nft", "list", "table", "inet", "seen"); !strings.Contains(out, "packets 3 ") {
			t.Errorf("opening a Link sent something:\n%s", out)
		}
	})
}

func TestOurOwnNodesAreNoOriginals(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		t.Run(use, func(t *testing.T) {
			network(t, 2, func(t *testing.T, n *nstest.Net) {
				startIn(t, n, 0, Config{Use: use})
				startIn(t, n, 1, Config{Use: use})
				if found, from, _ := probe(t, n, 0, Config{Use: use}); found {
					t.Errorf("found %v", from)
				}
			})
		})
	}
}

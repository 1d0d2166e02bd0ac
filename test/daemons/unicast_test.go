//go:build linux

package daemons

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sessioncast/sessioncast/internal/dnstest"
	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

// Three daemons on hosts that no multicast reaches, told of each other in each of the ways there are; one of them is killed, and
// comes back.
func TestDaemonsWithoutMulticastFindEachOther(t *testing.T) {
	for name, told := range map[string]func(t *testing.T, n *nstest.Net) []string{
		"by a list": byList, "by a file": byFile, "by a name": byName,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			rig.Namespaces(t, members, func(t *testing.T, n *nstest.Net) {
				for i := range members {
					n.Multicast(i, false)
				}
				comeAndGo(t, n, append(told(t, n), "--mode", "unicast"))
			})
		})
	}
}

// One of three hears no multicast, and nobody was told where the others are.
func TestADaemonThatHearsNoMulticastIsAMember(t *testing.T) {
	t.Parallel() // it mostly waits
	rig.Namespaces(t, members, func(t *testing.T, n *nstest.Net) {
		n.Multicast(members-1, false)
		daemons := comeAndGo(t, n, nil)
		rig.Eventually(t, "the others name who gets copies", func() bool {
			for _, m := range daemons[0].Status().Members {
				if m.Name == daemons[members-1].Name {
					return !m.HearsUs && m.State == "synced"
				}
			}
			return false
		})
	})
}

func byList(_ *testing.T, n *nstest.Net) []string {
	return []string{"--peers", fmt.Sprintf("%s,%s:4000", n.Addr4(0), n.Addr4(1))}
}

// byFile is a file that all of them read.
func byFile(t *testing.T, n *nstest.Net) []string {
	path := filepath.Join(t.TempDir(), "peers")
	text := fmt.Sprintf("# the first two\n%s\n%s:4000\n", n.Addr4(0), n.Addr4(1))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--peers-file", path}
}

// byName is a name that stands for all, answered on every host where its resolver is configured to ask.
func byName(t *testing.T, n *nstest.Net) []string {
	at := nameserver()
	for i := range members {
		if !at.IsLoopback() {
			n.Output(i, "ip", "addr", "add", at.String(), "dev", "lo")
		}
		var dns *dnstest.Server
		n.Do(i, func() { dns = dnstest.Start(t, netip.AddrPortFrom(at, 53).String()) })
		dns.Set("nodes.sessioncast.test", n.Addr4(0), n.Addr4(1), n.Addr4(2))
	}
	return []string{"--peers", "nodes.sessioncast.test."}
}

// nameserver is the first that this host's resolver asks.
func nameserver() netip.Addr {
	text, _ := os.ReadFile("/etc/resolv.conf")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			if addr, err := netip.ParseAddr(f[1]); err == nil {
				return addr
			}
		}
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// comeAndGo starts the daemons, has each write what all read, kills the last and starts it again.
func comeAndGo(t *testing.T, n *nstest.Net, flags []string) []*rig.Daemon {
	t.Helper()
	site := rig.NewSite(t)
	var daemons []*rig.Daemon
	for i := range members {
		all := append([]string{"--ack", "all", "--ack-timeout", "5s"}, flags...)
		daemons = append(daemons, site.Serve(rig.In(n, i), fmt.Sprint("node", i), all...))
	}
	rig.WaitAll(daemons)
	everyoneWrites(t, daemons, "first")
	last, rest := daemons[members-1], daemons[:members-1]
	last.Kill()
	everyoneWrites(t, rest, "meanwhile")
	if gone, err := clientIn(t, rest[0].Place).Del(background(t), "first of "+last.Name).Result(); gone != 1 {
		t.Errorf("DEL: %d, %v", gone, err)
	}
	last.Restart()
	rig.WaitAll(daemons)
	c := clientIn(t, last.Place)
	for _, d := range rest {
		if got := c.Get(background(t), "meanwhile of "+d.Name).Val(); got != "meanwhile" {
			t.Errorf("after its restart %s answers %q", last.Name, got)
		}
	}
	if err := c.Get(background(t), "first of "+last.Name).Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("after its restart %s answers %v for what was deleted meanwhile", last.Name, err)
	}
	everyoneWrites(t, daemons, "again")
	return daemons
}

// everyoneWrites sets a key on each daemon, confirmed by all others, and reads it on all.
func everyoneWrites(t *testing.T, daemons []*rig.Daemon, round string) {
	t.Helper()
	ctx := background(t)
	for _, d := range daemons {
		if err := clientIn(t, d.Place).Set(ctx, round+" of "+d.Name, round, time.Hour).Err(); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		for _, other := range daemons {
			c := clientIn(t, other.Place)
			rig.Eventually(t, fmt.Sprintf("%s has what %s wrote", other.Name, d.Name), func() bool {
				return c.Get(ctx, round+" of "+d.Name).Val() == round
			})
		}
	}
}

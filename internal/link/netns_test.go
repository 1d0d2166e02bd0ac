//go:build linux

package link

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

// inside is the System of one host of a Net: the goroutines of a Link run outside of it.
type inside struct {
	net *nstest.Net
	i   int
}

func (s inside) Interfaces() (list []Interface, err error) {
	s.net.Do(s.i, func() { list, err = host{}.Interfaces() })
	return list, err
}

func (s inside) Interface(name string) (i Interface, found bool) {
	s.net.Do(s.i, func() { i, found = host{}.Interface(name) })
	return i, found
}

func (s inside) RouteSource(v6 bool) (a netip.Addr) {
	s.net.Do(s.i, func() { a = host{}.RouteSource(v6) })
	return a
}

func startIn(t *testing.T, n *nstest.Net, i int, c Config) (out *node) {
	t.Helper()
	c.System, c.watchInterval = inside{n, i}, 20*time.Millisecond
	n.Do(i, func() { out = start(t, c) })
	return out
}

// families are the Configs that every test of real networks runs with.
var families = map[string]Config{
	"v4":            {},
	"v6":            {Use: "v6"},
	"v4 cluster":    {Cluster: "shop"},
	"v6 cluster":    {Use: "v6", Cluster: "shop"},
	"v6 link scope": {Use: "v6", Group: netip.MustParseAddr("ff12::8000:1")},
}

func TestHostsOnABridgeHearEachOther(t *testing.T) {
	for name, c := range families {
		t.Run(name, func(t *testing.T) {
			nstest.Run(t, 3, func(t *testing.T, n *nstest.Net) {
				nodes := []*node{startIn(t, n, 0, c), startIn(t, n, 1, c), startIn(t, n, 2, c), startIn(t, n, 2, c)}
				meet(t, nodes)
				if nodes[2].Addr().Port() != nodes[0].Group().Port() || nodes[3].Addr().Port() == nodes[2].Addr().Port() {
					t.Errorf("ports of the nodes of one host: %v, %v", nodes[2].Addr(), nodes[3].Addr())
				}
			})
		})
	}
}

// meet lets every node hear every other by the group and by unicast.
func meet(t *testing.T, nodes []*node) {
	t.Helper()
	for i, a := range nodes {
		a.send(t, toGroup(string(rune('a'+i))))
		for _, b := range nodes {
			a.send(t, Datagram{Data: []byte{byte('a' + i)}, To: b.Addr()})
		}
	}
	for _, a := range nodes {
		eventually(t, "everybody heard", func() bool { m, u := a.counts(); return m == len(nodes) && u == len(nodes) })
	}
}

func TestLinkLocalAddressesWork(t *testing.T) {
	nstest.Run(t, 2, func(t *testing.T, n *nstest.Net) {
		var nodes []*node
		for i := range 2 {
			n.Output(i, "ip", "addr", "del", n.Addr6(i).String()+"/64", "dev", "eth0")
			nodes = append(nodes, startIn(t, n, i, Config{Use: "v6"})) // while the address may still be tentative
		}
		if a := nodes[0].Addr().Addr(); !a.IsLinkLocalUnicast() || a.Zone() != "" {
			t.Fatalf("address %v", a)
		}
		meet(t, nodes)
		var c net.Conn
		var err error
		n.Do(0, func() { c, err = net.Dial("tcp", nodes[0].Zoned(nodes[1].Addr()).String()) })
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	})
}

func TestTwoClustersOnOneNetworkDoNotHearEachOther(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		t.Run(use, func(t *testing.T) {
			nstest.Run(t, 2, func(t *testing.T, n *nstest.Net) {
				a, b := Config{Use: use, Cluster: "a"}, Config{Use: use, Cluster: "b"}
				a1, a2, b1, b2 := startIn(t, n, 0, a), startIn(t, n, 1, a), startIn(t, n, 0, b), startIn(t, n, 1, b)
				for range 10 {
					a1.send(t, toGroup("a"))
					b1.send(t, toGroup("b"))
				}
				for want, c := range map[string]*node{"a": a2, "b": b2} {
					eventually(t, "ten heard", func() bool { m, _ := c.counts(); return m >= 10 })
					if all := string(bytes.Join(c.heard.multicast, nil)); all != strings.Repeat(want, 10) {
						t.Errorf("cluster %s heard %s", want, all)
					}
				}
			})
		})
	}
}

func TestADatagramAboveTheMTUIsNotFragmented(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		t.Run(use, func(t *testing.T) {
			nstest.Run(t, 2, func(t *testing.T, n *nstest.Net) {
				a, b := startIn(t, n, 0, Config{Use: use}), startIn(t, n, 1, Config{Use: use})
				n.Output(0, "ip", "link", "set", "eth0", "mtu", "1300")
				err := a.Send([]Datagram{{Data: make([]byte, 1400), Multicast: true}, {Data: make([]byte, 1400), Multicast: true}, {Data: make([]byte, 1400), To: b.Addr()}})
				var size *SizeError
				if !errors.As(err, &size) || size.Size != 1400 || size.Limit != payloadFor(1300, use == "v6") || a.MTUPayload() != size.Limit {
					t.Fatalf("err = %v, payload %d", err, a.MTUPayload())
				}
				a.send(t, Datagram{Data: make([]byte, size.Limit), Multicast: true}, Datagram{Data: make([]byte, size.Limit), To: b.Addr()})
				eventually(t, "what fits", func() bool { m, u := b.counts(); return m == 1 && u == 1 })
			})
		})
	}
}

// changes collects what OnChange says.
type changes struct {
	sync.Mutex
	said []string
}

func (c *changes) add(s string) { c.Lock(); defer c.Unlock(); c.said = append(c.said, s) }

func (c *changes) has(part string) bool {
	c.Lock()
	defer c.Unlock()
	return strings.Contains(strings.Join(c.said, "\n"), part)
}

func TestTheGroupIsJoinedAgainWhenTheInterfaceComesBack(t *testing.T) {
	for name, c := range map[string]Config{"v4": {}, "v6": {Use: "v6"}} {
		t.Run(name, func(t *testing.T) {
			nstest.Run(t, 2, func(t *testing.T, n *nstest.Net) {
				var said changes
				c.OnChange = said.add
				a, b := startIn(t, n, 0, c), startIn(t, n, 1, c)
				again := func(what string) {
					t.Helper()
					eventually(t, "heard "+what, func() bool {
						a.send(t, toGroup("a"))
						b.send(t, toGroup("b"))
						return countOf(a, "b") > 0 && countOf(b, "a") > 0
					})
					forget(a, b)
				}
				again("at first")
				n.Output(0, "ip", "link", "set", "eth0", "down")
				eventually(t, "told of the link", func() bool { return said.has("eth0 is down") })
				_ = a.Send([]Datagram{toGroup("into the void")})
				n.Output(0, "ip", "link", "set", "eth0", "up")
				n.Output(0, "ip", "addr", "replace", n.Addr6(0).String()+"/64", "dev", "eth0", "nodad") // gone with the link
				eventually(t, "told of the joining", func() bool { return said.has("joined") })
				again("after link down and up")
				rebuild(n)
				eventually(t, "told of the loss", func() bool { return said.has("eth0 is gone") || a.Stats().Rejoins > 1 })
				eventually(t, "joined anew", func() bool { return a.Stats().Rejoins > 1 })
				again("on a new interface of the old name")
			})
		})
	}
}

// rebuild takes host 0's interface away and gives it a new one, of another index, with the old name and addresses.
func rebuild(n *nstest.Net) {
	n.Output(0, "ip", "link", "set", "eth0", "name", "old0", "down")
	n.Output(0, "ip", "addr", "flush", "dev", "old0")
	n.Output(0, "ip", "link", "add", "link", "old0", "name", "eth0", "type", "macvlan", "mode", "bridge")
	n.Output(0, "ip", "link", "set", "old0", "up")
	n.Output(0, "ip", "addr", "add", n.Addr4(0).String()+"/24", "dev", "eth0")
	n.Output(0, "ip", "addr", "add", n.Addr6(0).String()+"/64", "dev", "eth0", "nodad")
	n.Output(0, "ip", "link", "set", "eth0", "up")
}

func countOf(n *node, what string) (count int) {
	n.heard.Lock()
	defer n.heard.Unlock()
	for _, d := range n.heard.multicast {
		if string(d) == what {
			count++
		}
	}
	return count
}

func forget(nodes ...*node) {
	for _, n := range nodes {
		n.heard.Lock()
		n.heard.multicast = nil
		n.heard.Unlock()
	}
}

func TestHopLimitIsOneUnlessAsked(t *testing.T) {
	nstest.Run(t, 1, func(t *testing.T, n *nstest.Net) {
		for use, option := range map[string][2]string{"v4": {"ttl", "ip ttl"}, "v6": {"hoplimit", "ip6 hoplimit"}} {
			for hops, ask := range map[string]int{"1": 0, "7": 7} {
				n.Output(0, "nft", "add table inet seen; add chain inet seen out { type filter hook output priority 0; }; flush chain inet seen out;"+
					"add rule inet seen out meta l4proto udp "+option[1]+" "+hops+" counter")
				a := startIn(t, n, 0, Config{Use: use, HopLimit: ask})
				a.send(t, toGroup("x"))
				if out := n.Output(0, "nft", "list", "table", "inet", "seen"); !strings.Contains(out, "packets 1 ") {
					t.Errorf("%s, %s %s:\n%s", use, option[0], hops, out)
				}
			}
		}
	})
}

func TestFullReceiveBuffersAreCounted(t *testing.T) {
	nstest.Run(t, 1, func(t *testing.T, n *nstest.Net) {
		var l *Link
		var err error
		n.Do(0, func() { l, err = Open(Config{System: inside{n, 0}, ReceiveBuffer: 50_000}) })
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for range 300 { // nobody receives
			if err := l.Send([]Datagram{{Data: make([]byte, 1400), Multicast: true}}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the drops are counted", func() bool { return l.Stats().KernelDrops >= 100 })
		if s := l.Stats(); s.KernelDrops > 300 || s.DatagramsOut != 300 {
			t.Errorf("counted %+v", s)
		}
	})
}

func TestFirewallLinesLetANodeThrough(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		t.Run(use, func(t *testing.T) {
			nstest.Run(t, 2, func(t *testing.T, n *nstest.Net) {
				a, b := startIn(t, n, 0, Config{Use: use}), startIn(t, n, 1, Config{Use: use})
				n.Output(0, "nft", "add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }")
				b.send(t, toGroup("closed"), Datagram{Data: []byte("closed"), To: a.Addr()})
				for _, line := range a.FirewallLines() {
					if rule, isNft := strings.CutPrefix(line, "nft "); isNft {
						n.Output(0, "nft", rule)
					} else if _, err := exec.LookPath(strings.Fields(line)[0]); err == nil {
						n.Output(0, strings.Fields(line)[0], strings.Fields(line)[1:]...)
					}
				}
				b.send(t, toGroup("open"), Datagram{Data: []byte("open"), To: a.Addr()})
				// The neighbour's address could not be asked for before: v6 keeps the first datagram until it is known.
				eventually(t, "through the firewall", func() bool { m, u := a.counts(); return m == 1 && u >= 1 })
				if string(a.heard.multicast[0]) != "open" {
					t.Errorf("heard %q", a.heard.multicast)
				}
				var c net.Conn
				var err error
				n.Do(1, func() { c, err = net.Dial("tcp", a.Addr().String()) })
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
				// Its own connections to others get their answers in.
				n.Do(0, func() { c, err = net.DialTimeout("tcp", b.Addr().String(), patience) })
				if err != nil {
					t.Fatalf("from behind the firewall: %v", err)
				}
				_ = c.Close()
			})
		})
	}
}

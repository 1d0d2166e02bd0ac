package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// cleanups run after all tests.
var cleanups []func()

func TestMain(m *testing.M) {
	code := m.Run()
	for _, f := range cleanups {
		f()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// node is a Link that keeps what it hears.
type node struct {
	*Link
	heard struct {
		sync.Mutex
		multicast, unicast [][]byte
		from               netip.AddrPort
	}
	done chan error
}

// loopback is a Config for nodes on lo. Packages are tested side by side: its ports are above those that other packages use for nodes
// (internal/node and the example of the root up to 24,400, cmd/sessioncast from 25,000 to 30,050) and below those that the kernel gives away, as
// tests here hold whole ranges.
func loopback() Config {
	return Config{Interface: "lo", Group: netip.MustParseAddr("239.255.78.1"), Port: 30_100 + rand.IntN(80)*PortRange}
}

func start(t *testing.T, c Config) *node {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Link: l, done: make(chan error, 1)}
	go func() { n.done <- l.Receive(context.Background(), n.keep) }()
	t.Cleanup(func() {
		_ = l.Close()
		if err := <-n.done; err != nil {
			t.Errorf("Receive after Close: %v", err)
		}
	})
	return n
}

func (n *node) keep(packets []Packet) {
	n.heard.Lock()
	defer n.heard.Unlock()
	for _, p := range packets {
		if n.heard.from = p.From; p.Multicast {
			n.heard.multicast = append(n.heard.multicast, bytes.Clone(p.Data))
		} else {
			n.heard.unicast = append(n.heard.unicast, bytes.Clone(p.Data))
		}
	}
}

func (n *node) counts() (multicast, unicast int) {
	n.heard.Lock()
	defer n.heard.Unlock()
	return len(n.heard.multicast), len(n.heard.unicast)
}

func (n *node) send(t *testing.T, batch ...Datagram) {
	t.Helper()
	if err := n.Send(batch); err != nil {
		t.Fatal(err)
	}
}

// patience is how long what has to happen may take on a machine with other things to do.
const patience = time.Minute

// eventually polls: real sockets have no other way to say that they are done.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(2 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("after %v: not %s", patience, what)
		}
	}
}

func toGroup(s string) Datagram { return Datagram{Data: []byte(s), Multicast: true} }

func TestNodesOfOneHostHearTheGroupAndEachItsOwnUnicast(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Run("nodes", func(t *testing.T) { exchange(t, loopback(), 4) })
}

// exchange lets every one of n nodes send to the group and to each other by unicast.
func exchange(t *testing.T, c Config, n int) {
	var nodes []*node
	for range n {
		nodes = append(nodes, start(t, c))
	}
	for i, a := range nodes {
		a.send(t, toGroup(fmt.Sprint("to all from ", i)))
		for k, b := range nodes {
			a.send(t, Datagram{Data: fmt.Appendf(nil, "from %d to %d", i, k), To: b.Addr()})
		}
	}
	for i, a := range nodes {
		eventually(t, fmt.Sprintf("everything at node %d", i), func() bool { m, u := a.counts(); return m == n && u == n })
		for _, u := range a.heard.unicast {
			if !bytes.HasSuffix(u, fmt.Appendf(nil, "to %d", i)) {
				t.Errorf("node %d got %q", i, u)
			}
		}
		if a.heard.from.Addr() != a.Addr().Addr() {
			t.Errorf("From = %v, want the address %v", a.heard.from, a.Addr().Addr())
		}
		if a.Listener().Addr().(*net.TCPAddr).AddrPort().Port() != a.Addr().Port() {
			t.Errorf("TCP listens on %v, UDP on %v", a.Listener().Addr(), a.Addr())
		}
	}
}

func TestClustersOfOnePortDoNotHearEachOther(t *testing.T) {
	a, b := loopback(), loopback()
	b.Port, b.Group = a.Port, netip.MustParseAddr("239.255.78.2")
	a1, a2, b1, b2 := start(t, a), start(t, a), start(t, b), start(t, b)
	for range 20 {
		a1.send(t, toGroup("for a"))
		b1.send(t, toGroup("for b"))
	}
	for name, n := range map[string]*node{"for a": a2, "for b": b2} {
		eventually(t, "20 datagrams "+name, func() bool { m, _ := n.counts(); return m >= 20 })
		for _, d := range n.heard.multicast {
			if string(d) != name {
				t.Errorf("%q heard by the cluster %q", d, name)
			}
		}
	}
}

func TestBatchesOfEqualAndUnequalSizesArriveWhole(t *testing.T) {
	c := loopback()
	a, b := start(t, c), start(t, c)
	var batch []Datagram
	var total int
	for i := range 700 {
		size := 1400
		if i%50 > 40 {
			size = 1 + i // runs of equal size, then some that are not
		}
		batch = append(batch, Datagram{Data: bytes.Repeat([]byte{byte(i)}, size), Multicast: i%100 < 60, To: b.Addr()})
		total += size
	}
	a.send(t, batch...)
	eventually(t, "all of them", func() bool { m, u := b.counts(); return m+u == len(batch) })
	got := 0
	for _, d := range append(b.heard.multicast, b.heard.unicast...) {
		got += len(d)
		if len(bytes.Trim(d, string(d[:1]))) != 0 {
			t.Errorf("a datagram of %d bytes mixes two", len(d))
		}
	}
	if got != total {
		t.Errorf("%d bytes arrived, %d sent", got, total)
	}
	if s := a.Stats(); s.DatagramsOut != 700 || s.SendErrors+s.TooLarge != 0 {
		t.Errorf("sender counted %+v", s)
	}
	if s := b.Stats(); s.DatagramsIn != 700 {
		t.Errorf("receiver counted %+v", s)
	}
}

func TestADatagramTooLargeIsReportedAndTheOthersLeave(t *testing.T) {
	c := loopback()
	a, b := start(t, c), start(t, c)
	err := a.Send([]Datagram{toGroup("before"), {Data: make([]byte, 66000), To: b.Addr()}, toGroup("after")})
	var size *SizeError
	if !errors.As(err, &size) || !errors.Is(err, ErrTooLarge) || size.Size != 66000 {
		t.Fatalf("err = %v, want a SizeError of 66000 bytes", err)
	}
	eventually(t, "both others", func() bool { m, _ := b.counts(); return m == 2 })
	if s := a.Stats(); s.TooLarge != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestUnicastToNobodyIsNoError(t *testing.T) {
	a := start(t, loopback())
	dead := netip.AddrPortFrom(a.Addr().Addr(), a.Addr().Port()+1)
	for range 10 {
		a.send(t, Datagram{Data: []byte("anybody?"), To: dead})
	}
	a.send(t, Datagram{Data: []byte("me"), To: a.Addr()})
	eventually(t, "the datagram to itself", func() bool { _, u := a.counts(); return u == 1 })
}

func TestReceiveBufferIsReadBack(t *testing.T) {
	c := loopback()
	c.ReceiveBuffer = 100_000
	a := start(t, c)
	if asked, got := a.ReceiveBuffer(); asked != 100_000 || got != 100_000 {
		t.Errorf("asked %d, got %d", asked, got)
	}
	if len(a.Advice()) != 0 {
		t.Errorf("advice without need: %q", a.Advice())
	}
	a.gotBuffer = 5
	if len(a.Advice()) != 1 {
		t.Errorf("no advice for a buffer of 5 bytes: %q", a.Advice())
	}
}

func TestAdviceOnTheOriginalsV6Group(t *testing.T) {
	for group, want := range map[string]int{"ffbe::43": 1, "ff15::8000:1": 0, "ff3e::43": 0} {
		l := &Link{resolved: Resolved{V6: true, Group: netip.AddrPortFrom(netip.MustParseAddr(group), 4000)}}
		if got := l.Advice(); len(got) != want {
			t.Errorf("%s: %q", group, got)
		}
	}
}

func TestPortsHeldByOthersAreSkippedAndNamedWhenNoneIsLeft(t *testing.T) {
	c := loopback()
	var held []net.Listener
	for i := range PortRange {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", c.Port+i))
		if err != nil {
			t.Skip("a port of the range is in use:", err)
		}
		defer l.Close()
		held = append(held, l)
	}
	if _, err := Open(c); !errors.Is(err, ErrPortTaken) || !bytes.Contains([]byte(err.Error()), []byte("--port")) {
		t.Errorf("err = %v", err)
	}
	_ = held[7].Close()
	if a := start(t, c); int(a.Addr().Port()) != c.Port+7 {
		t.Errorf("took %v, want port %d, whose TCP is free", a.Addr(), c.Port+7)
	}
}

func TestAPortThatIsNotSharedIsExplained(t *testing.T) {
	c := loopback()
	other, err := net.ListenUDP("udp4", &net.UDPAddr{Port: c.Port}) // as the original binds it
	if err != nil {
		t.Skip("port in use:", err)
	}
	defer other.Close()
	if _, err := Open(c); !errors.Is(err, ErrPortTaken) || !bytes.Contains([]byte(err.Error()), []byte("express-session-multicast")) {
		t.Errorf("err = %v", err)
	}
}

func TestReceiveEndsWithItsContextAndCanBeginAgain(t *testing.T) {
	l, err := Open(loopback())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Receive(ctx, func([]Packet) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	heard := make(chan string, 1)
	done := make(chan error)
	go func() {
		done <- l.Receive(context.Background(), func(p []Packet) { heard <- string(p[0].Data) })
	}()
	if err := l.Send([]Datagram{toGroup("again")}); err != nil || <-heard != "again" {
		t.Error("nothing heard", err)
	}
	_ = l.Close()
	if err := <-done; err != nil {
		t.Errorf("err = %v", err)
	}
	if err := l.Send([]Datagram{toGroup("late")}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
}

func TestOversizeDatagramsAreDropped(t *testing.T) {
	c := loopback()
	a, b := start(t, c), start(t, c)
	a.send(t, Datagram{Data: make([]byte, 3000), Multicast: true}, toGroup("small"))
	eventually(t, "one dropped and one heard", func() bool { m, _ := b.counts(); return m == 1 && b.Stats().Oversize == 1 })
}

func TestWithoutTheGroupUnicastWorksAndTheGroupsPortStaysFree(t *testing.T) {
	for _, use := range []string{"v4", "v6"} {
		t.Run(use, func(t *testing.T) {
			c := loopback()
			c.Use, c.Multicast = use, MulticastOff
			if use == "v6" && !hasLoopbackV6() {
				t.Skip("SKIPPED: no ::1 here")
			}
			if use == "v6" {
				c.Address, c.Group = netip.IPv6Loopback(), netip.MustParseAddr("ff15::77:1")
			}
			a, b := start(t, c), start(t, c)
			a.send(t, Datagram{Data: []byte("x"), To: b.Addr()}, Datagram{Data: []byte("y"), To: b.Addr()})
			eventually(t, "both arrive", func() bool { _, n := b.counts(); return n == 2 })
			for _, line := range a.FirewallLines() {
				if strings.Contains(line, a.Group().Addr().String()) || strings.Contains(line, "igmp") {
					t.Errorf("a line for multicast: %s", line)
				}
			}
		})
	}
}

func hasLoopbackV6() bool {
	conn, err := net.ListenPacket("udp6", "[::1]:0")
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

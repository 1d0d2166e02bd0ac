//go:build linux

package nstest

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// MaxHosts bounds a Net: addresses are numbered by one octet.
const MaxHosts = 100

// Net is hosts 0 to n-1, each with an interface eth0 on one bridge.
type Net struct {
	t      testing.TB
	bridge int   // descriptors of the namespaces
	hosts  []int // the same, by host
	rules  []rules
}

// throttleBurst is what a throttled host takes at once: a few of the largest segments that a veth hands over whole.
const throttleBurst = 256 << 10

// rules is what host i drops of what it receives.
type rules struct {
	lossPerMille int
	tcpBytes     int // a second; 0 is no limit
	noMulticast  bool
	noUnicast    bool
	blocked      map[int]bool
}

// Run builds a Net and runs body with it: directly where this process may make namespaces; else the test runs again by
// itself inside `unshare -Urn`; else it is skipped.
func Run(t *testing.T, hosts int, body func(t *testing.T, n *Net)) {
	t.Helper()
	probe, err := newNamespace()
	switch {
	case err == nil:
		_ = unix.Close(probe)
		requireTools(t)
		body(t, New(t, hosts))
	case os.Getenv(insideVariable) != "":
		t.Fatalf("no namespaces inside unshare -Urn either: %v", err)
	default:
		again(t)
	}
}

func requireTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED, real network not tested: %s is not installed (packages iproute2, nftables)", tool)
		}
	}
}

// insideVariable tells a test that it already runs inside unshare.
const insideVariable = "SESSIONCAST_NSTEST_INSIDE"

// again runs the calling test alone in a user namespace in which it is root.
func again(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("unshare", "-Urn", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, real network not tested: neither root nor `unshare -Urn` (%v: %s)", err, bytes.TrimSpace(out))
	}
	pattern := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	args := []string{"-Urn", os.Args[0], "-test.run=" + pattern, "-test.v", "-test.count=1"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("inside unshare -Urn:\n%s", out)
	switch {
	case err != nil:
		t.Fatal(err)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		t.Skip("skipped inside unshare -Urn, see above")
	}
}

// Possible tells whether this process may make namespaces; else a program runs itself again inside `unshare -Urn`.
func Possible() bool {
	probe, err := newNamespace()
	if err != nil {
		return false
	}
	return unix.Close(probe) == nil
}

// newNamespace makes a network namespace on a thread that ends with it; the descriptor keeps it.
func newNamespace() (fd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
	}()
	<-done
	return fd, err
}

// New builds a Net where this process may make namespaces. It goes with the end of t.
func New(t testing.TB, hosts int) *Net {
	t.Helper()
	if hosts < 1 || hosts > MaxHosts {
		t.Fatalf("%d hosts: a Net has 1 to %d", hosts, MaxHosts)
	}
	n := &Net{t: t, bridge: namespace(t), rules: make([]rules, hosts)}
	for range hosts {
		n.hosts = append(n.hosts, namespace(t))
	}
	var script strings.Builder
	script.WriteString("link set lo up\nlink add br0 type bridge mcast_snooping 0\nlink set br0 up\n")
	for i, fd := range n.hosts {
		fmt.Fprintf(&script, "link add v%d type veth peer name p%d\nlink set p%d netns /proc/%d/fd/%d\n", i, i, i, os.Getpid(), fd)
		fmt.Fprintf(&script, "link set v%d master br0\nlink set v%d up\n", i, i)
	}
	n.batch(n.bridge, script.String())
	for i, fd := range n.hosts {
		n.batch(fd, fmt.Sprintf("link set lo up\nlink set p%d name eth0\naddr add %s/24 dev eth0\naddr add %s/64 dev eth0 nodad\nlink set eth0 up\n",
			i, n.Addr4(i), n.Addr6(i)))
	}
	n.settle(n.bridge, "br0")
	for i := range hosts {
		n.settle(n.bridge, port(i))
		n.settle(n.hosts[i], "eth0")
	}
	return n
}

// settleTime is ample: the kernel takes up to a second to tell an interface of its carrier, more on a busy machine.
const settleTime = 20 * time.Second

// settle waits until an interface carries: until then what it is given vanishes.
func (n *Net) settle(fd int, name string) {
	n.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(settleTime); !running(fd, name); <-tick.C {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s did not come up within %v", name, settleTime)
		}
	}
}

func running(fd int, name string) (yes bool) {
	inside(fd, func() {
		i, err := net.InterfaceByName(name)
		yes = err == nil && i.Flags&net.FlagRunning != 0
	})
	return yes
}

// port is the bridge's end of host i's cable.
func port(i int) string { return fmt.Sprintf("v%d", i) }

func namespace(t testing.TB) int {
	t.Helper()
	fd, err := newNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// Addr4 is host i's IPv4 address, in a /24.
func (n *Net) Addr4(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}) }

// Addr6 is host i's IPv6 address, in a /64.
func (n *Net) Addr6(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0xfd, 0x77, 15: byte(i + 1)})
}

// Do runs f in host i and waits for it. Sockets opened and commands started in f stay in the host; goroutines that f
// starts do not. f may end the test as t.Fatal does.
func (n *Net) Do(i int, f func()) {
	n.t.Helper()
	if !inside(n.hosts[i], f) {
		n.t.FailNow()
	}
}

// inside tells whether f returned, rather than ended its goroutine.
func inside(fd int, f func()) (returned bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, as above
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("entering a namespace of this test: %v", err))
		}
		f()
		returned = true
	}()
	<-done
	return returned
}

// Start starts cmd in host i; when the test ends it is killed if it still runs.
func (n *Net) Start(i int, cmd *exec.Cmd) error {
	n.t.Helper()
	var err error
	n.Do(i, func() { err = cmd.Start() })
	if err == nil {
		n.t.Cleanup(func() { _ = cmd.Process.Kill() })
	}
	return err
}

// Output runs a command in host i to its end and returns what it printed; a failure fails the test.
func (n *Net) Output(i int, name string, args ...string) string {
	n.t.Helper()
	return n.command(n.hosts[i], "", name, args...)
}

// Loss makes host i lose this part of the datagrams it receives; 0 ends it.
func (n *Net) Loss(i int, percent float64) {
	n.t.Helper()
	n.rules[i].lossPerMille = int(percent * 10)
	n.apply(i)
}

// Throttle bounds what host i receives by TCP, in bytes a second, as a thin line does: what is beyond is dropped, and the sender slows
// down. 0 ends it.
func (n *Net) Throttle(i, bytes int) {
	n.t.Helper()
	n.rules[i].tcpBytes = bytes
	n.apply(i)
}

// Multicast makes host i deaf to IP multicast, as behind a switch without querier, or ends it; unicast passes.
func (n *Net) Multicast(i int, passes bool) {
	n.t.Helper()
	n.rules[i].noMulticast = !passes
	n.apply(i)
}

// Unicast shuts host i to unicast, as its firewall may, or ends that: every UDP datagram for one host is dropped as it comes in, and every
// TCP connection; multicast passes.
func (n *Net) Unicast(i int, passes bool) {
	n.t.Helper()
	n.rules[i].noUnicast = !passes
	n.apply(i)
}

// Block makes host i deaf to the given hosts, on every protocol, in addition to those blocked before. One way only.
func (n *Net) Block(i int, from ...int) {
	n.t.Helper()
	if n.rules[i].blocked == nil {
		n.rules[i].blocked = map[int]bool{}
	}
	for _, k := range from {
		n.rules[i].blocked[k] = true
	}
	n.apply(i)
}

// Unblock ends every Block of host i.
func (n *Net) Unblock(i int) {
	n.t.Helper()
	if n.rules[i].blocked != nil {
		n.rules[i].blocked = nil
		n.apply(i)
	}
}

// Partition cuts between the given hosts and all others, both ways. Unblock every host to heal.
func (n *Net) Partition(group ...int) {
	n.t.Helper()
	var rest []int
	for i := range n.hosts {
		if !slices.Contains(group, i) {
			rest = append(rest, i)
		}
	}
	for _, i := range group { // first, since the shorter list is cut sooner
		n.Block(i, rest...)
	}
	for _, i := range rest {
		n.Block(i, group...)
	}
}

// Cable sets host i's cable in or out: its interface keeps its address and loses its carrier.
func (n *Net) Cable(i int, in bool) {
	n.t.Helper()
	state := map[bool]string{true: "up", false: "down"}[in]
	n.command(n.bridge, "", "ip", "link", "set", port(i), state)
	if in {
		n.settle(n.bridge, port(i))
		n.settle(n.hosts[i], "eth0")
	}
}

// apply writes host i's rules anew, in one transaction.
func (n *Net) apply(i int) {
	n.t.Helper()
	var s strings.Builder
	s.WriteString("table inet nstest\ndelete table inet nstest\ntable inet nstest {\nchain in {\ntype filter hook input priority 0;\n")
	if p := n.rules[i].lossPerMille; p > 0 {
		fmt.Fprintf(&s, "meta l4proto udp numgen random mod 1000 < %d drop\n", p)
	}
	if b := n.rules[i].tcpBytes; b > 0 { // of others
		fmt.Fprintf(&s, "iifname eth0 meta l4proto tcp limit rate over %d bytes/second burst %d bytes drop\n", b, throttleBurst)
	}
	if n.rules[i].noMulticast {
		s.WriteString("ip daddr 224.0.0.0/4 drop\nmeta l4proto udp ip6 daddr ff00::/8 drop\n")
	}
	if n.rules[i].noUnicast { // of others: a host speaks to itself over lo
		s.WriteString("iifname eth0 meta pkttype host meta l4proto { tcp, udp } drop\n")
	}
	for k := range n.hosts {
		if n.rules[i].blocked[k] {
			fmt.Fprintf(&s, "ip saddr %s drop\nip6 saddr %s drop\n", n.Addr4(k), n.Addr6(k))
		}
	}
	s.WriteString("}\n}\n")
	n.command(n.hosts[i], s.String(), "nft", "-f", "-")
}

func (n *Net) batch(fd int, script string) {
	n.t.Helper()
	n.command(fd, script, "ip", "-batch", "-")
}

func (n *Net) command(fd int, stdin, name string, args ...string) string {
	n.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var err error
	inside(fd, func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		n.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

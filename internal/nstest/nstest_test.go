//go:build linux

package nstest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestHostsReachEachOtherAndNobodyElse(t *testing.T) {
	Run(t, 3, func(t *testing.T, n *Net) {
		for i := range 3 {
			for k := range 3 {
				reach(t, n, i, k, n.Addr4(k))
				reach(t, n, i, k, n.Addr6(k))
			}
			if out := n.Output(i, "ip", "-o", "link"); strings.Count(out, "\n") != 2 {
				t.Errorf("host %d has more than lo and eth0:\n%s", i, out)
			}
		}
	})
}

// reach connects from host i to an address of host k.
func reach(t *testing.T, n *Net, i, k int, addr netip.Addr) {
	t.Helper()
	var l, c net.Conn
	var listener net.Listener
	var err error
	n.Do(k, func() { listener, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	n.Do(i, func() { c, err = net.DialTimeout("tcp", listener.Addr().String(), time.Minute) })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if l, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

// hears sends count datagrams from host 1 to host 0, waits for the least that must come, and tells how many did.
func hears(t *testing.T, n *Net, count, least int) (heard int) {
	t.Helper()
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.Addr4(0), 4444))
	return hearsAt(t, n, count, least, to, func() (*net.UDPConn, error) { return net.ListenUDP("udp", to) })
}

// hearsGroup is hears by multicast.
func hearsGroup(t *testing.T, n *Net, count, least int) (heard int) {
	t.Helper()
	group := &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 4444}
	return hearsAt(t, n, count, least, group, func() (*net.UDPConn, error) {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return nil, err
		}
		return net.ListenMulticastUDP("udp4", eth0, group)
	})
}

func hearsAt(t *testing.T, n *Net, count int, least int, to *net.UDPAddr, listen func() (*net.UDPConn, error)) (heard int) {
	t.Helper()
	var in, out *net.UDPConn
	var err error
	n.Do(0, func() { in, err = listen() })
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	n.Do(1, func() { out, err = net.DialUDP("udp", nil, to) })
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_ = in.SetReadBuffer(4 << 20)
	for i := range count {
		fmt.Fprint(out, i)
	}
	buffer := make([]byte, 100)
	for {
		wait := time.Minute // for what must come
		if heard >= least {
			wait = 400 * time.Millisecond // for what must not
		}
		_ = in.SetReadDeadline(time.Now().Add(wait))
		if _, err := in.Read(buffer); err != nil {
			return heard
		}
		heard++
	}
}

func TestLossBlocksAndCables(t *testing.T) {
	Run(t, 3, func(t *testing.T, n *Net) {
		check := func(what string, least, most int) {
			t.Helper()
			if got := hears(t, n, 200, least); got < least || got > most {
				t.Errorf("%s: %d of 200 datagrams came", what, got)
			}
		}
		check("at first", 200, 200)
		n.Loss(0, 30)
		check("with 30 % loss", 90, 180)
		n.Loss(0, 0)
		check("after the loss", 200, 200)
		n.Partition(0)
		check("in a partition", 0, 0)
		n.Unblock(0)
		check("healed", 200, 200)
		n.Block(0, 2)
		check("deaf to another", 200, 200)
		n.Cable(0, false)
		check("without cable", 0, 0)
		n.Cable(0, true)
		check("plugged in again", 200, 200)
		n.Output(1, "ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
		n.Multicast(0, false)
		check("deaf to multicast", 200, 200)
		if got := hearsGroup(t, n, 100, 0); got != 0 {
			t.Errorf("deaf to multicast: %d of 100 datagrams to the group came", got)
		}
		n.Multicast(0, true)
		if got := hearsGroup(t, n, 100, 100); got != 100 {
			t.Errorf("by multicast again: %d of 100 datagrams came", got)
		}
		n.Unicast(0, false)
		check("shut to unicast", 0, 0)
		if got := hearsGroup(t, n, 100, 100); got != 100 {
			t.Errorf("shut to unicast: %d of 100 datagrams to the group came", got)
		}
		n.Unicast(0, true)
		check("open to unicast again", 200, 200)
	})
}

func TestDoEndsTheTestWhereItsFunctionDoes(t *testing.T) {
	Run(t, 1, func(t *testing.T, n *Net) {
		if inside(n.hosts[0], runtime.Goexit) {
			t.Error("a function that ended its goroutine seems to have returned")
		}
	})
}

func TestStartedCommandsRunInTheirHost(t *testing.T) {
	Run(t, 2, func(t *testing.T, n *Net) {
		here, _ := os.Readlink("/proc/self/ns/net")
		if there := n.Output(1, "readlink", "/proc/self/ns/net"); strings.TrimSpace(there) == here {
			t.Error("the command ran where the test runs")
		}
	})
}

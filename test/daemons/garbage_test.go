//go:build linux

package daemons

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/net/ipv4"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/nstest"
	"github.com/sessioncast/sessioncast/test/rig"
)

const (
	garbageDatagrams = 100
	respAddress      = "127.0.0.1:6379"
	stranger         = members // the host that sends garbage
)

var group = &net.UDPAddr{IP: net.IPv4(228, 0, 0, 5), Port: 4000}

func TestGarbageMovesCountersAndNothingElse(t *testing.T) {
	rig.Namespaces(t, members+1, func(t *testing.T, n *nstest.Net) {
		site := rig.NewSite(t)
		var daemons []*rig.Daemon
		for i := range members {
			daemons = append(daemons, site.Serve(rig.In(n, i), fmt.Sprint("node", i), "--ack", "all", "--ack-timeout", "5s"))
		}
		rig.WaitAll(daemons)
		clients := make([]*redis.Client, members)
		for i, d := range daemons {
			clients[i] = clientIn(t, d.Place)
		}
		ctx := background(t)
		clients[0].Set(ctx, "s", "before", time.Hour)

		before := statuses(daemons)
		throwDatagrams(t, n)
		for i, d := range daemons {
			throwAtStream(t, n, netip.AddrPortFrom(n.Addr4(i), 4000))
			throwAtClients(t, d.Place)
		}
		for i, d := range daemons {
			var missing string
			t.Cleanup(func() { t.Log(d.Name, missing) })
			rig.Eventually(t, d.Name+" has counted the garbage, and is as it was", func() bool {
				now := d.Status()
				missing = counted(before[i], now) + changed(before[i], now)
				return missing == ""
			})
		}
		for i, c := range clients {
			rig.Eventually(t, fmt.Sprintf("node %d has what was there before", i), func() bool { return c.Get(ctx, "s").Val() == "before" })
			if err := c.Set(ctx, fmt.Sprint("after", i), i, time.Hour).Err(); err != nil {
				t.Errorf("node %d takes no write: %v", i, err)
			}
			for k, other := range clients {
				rig.Eventually(t, fmt.Sprintf("node %d reads what node %d wrote", k, i), func() bool {
					return other.Get(ctx, fmt.Sprint("after", i)).Val() == fmt.Sprint(i)
				})
			}
		}
	})
}

func clientIn(t *testing.T, at rig.Place) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: respAddress, Dialer: func(_ context.Context, network, address string) (net.Conn, error) {
		return dialIn(at, network, address)
	}})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func dialIn(at rig.Place, network, address string) (c net.Conn, err error) {
	at.Do(func() { c, err = net.DialTimeout(network, address, rig.Patience) })
	return c, err
}

func statuses(daemons []*rig.Daemon) (list []*admin.Status) {
	for _, d := range daemons {
		list = append(list, d.Status())
	}
	return list
}

// throwDatagrams sends the stranger's datagrams to the group and to each node: noise of every length, the original's
// hello, real frames with a bit turned and cut short.
func throwDatagrams(t *testing.T, n *nstest.Net) {
	t.Helper()
	caught := catchFrames(t, n)
	dice := rand.New(rand.NewPCG(3, 4))
	targets := []*net.UDPAddr{group}
	for i := range members {
		targets = append(targets, net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.Addr4(i), 4000)))
	}
	conn := strangerSocket(t, n, 0)
	defer conn.Close()
	for _, to := range targets {
		for i := range garbageDatagrams {
			if _, err := conn.WriteTo(garbage(dice, i, caught[i%len(caught)]), to); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// strangerSocket is a socket that sends to the group and hears it.
func strangerSocket(t *testing.T, n *nstest.Net, port int) (conn net.PacketConn) {
	t.Helper()
	var err error
	n.Do(stranger, func() {
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port}); err != nil {
			return
		}
		var eth0 *net.Interface
		if eth0, err = net.InterfaceByName("eth0"); err == nil {
			c := ipv4.NewPacketConn(conn)
			err = errors.Join(c.SetMulticastInterface(eth0), c.JoinGroup(eth0, group))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// packetEnd is where the packet number ends in a frame's header (PROTOCOL.md).
const packetEnd = 42

func garbage(dice *rand.Rand, i int, frame []byte) []byte {
	switch i % 5 {
	case 0:
		return []byte(`{"type":"hello","id":"an original node"}`)
	case 1: // of a number that is yet to come, sealed by nobody
		noise := random(dice, 100+dice.IntN(1300))
		copy(noise, frame[:packetEnd])
		noise[packetEnd-3]++
		return noise
	case 2:
		turned := bytes.Clone(frame)
		turned[dice.IntN(len(turned))] ^= 1 << dice.IntN(8)
		return turned
	case 3:
		return frame[:1+dice.IntN(len(frame)-1)]
	}
	return random(dice, 1+dice.IntN(1400))
}

func random(dice *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(dice.Uint32())
	}
	return b
}

// catchFrames listens to the group, as anyone on the network can, for frames of the last node.
func catchFrames(t *testing.T, n *nstest.Net) (frames [][]byte) {
	t.Helper()
	conn := strangerSocket(t, n, group.Port)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(rig.Patience))
	buffer := make([]byte, 2048)
	for len(frames) < 3 { // heartbeats come once a second
		k, from, err := conn.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if from.(*net.UDPAddr).IP.Equal(n.Addr4(members - 1).AsSlice()) {
			frames = append(frames, bytes.Clone(buffer[:k]))
		}
	}
	return frames
}

const streamAttempts = 8

func throwAtStream(t *testing.T, n *nstest.Net, to netip.AddrPort) {
	t.Helper()
	dice := rand.New(rand.NewPCG(5, 6))
	for i := range streamAttempts {
		noise := random(dice, 1+dice.IntN(5000))
		if i%2 == 1 {
			noise = append([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3}, noise...) // as a TLS hello begins
		}
		conn, err := dialIn(rig.In(n, stranger), "tcp4", to.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(noise) // it may be closed before the end of it
		_ = conn.Close()
	}
}

// Each of these ends its connection.
var clientGarbage = []string{
	"POST / HTTP/1.1\r\nHost: 127.0.0.1:6379\r\n\r\nSET s stolen\r\n",
	"GET / HTTP/1.1\r\nHost: 127.0.0.1:6379\r\n\r\n",
	"*1\r\n$9223372036854775807\r\nabc\r\n",
	"*9223372036854775807\r\n",
	"*-5\r\n*1\r\n!oops\r\n",
	"*1\r\n$-7\r\n",
	"*1\r\n$99999999999999999999\r\n",
}

func throwAtClients(t *testing.T, at rig.Place) {
	t.Helper()
	for _, text := range clientGarbage {
		conn, err := dialIn(at, "tcp4", respAddress)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(rig.Patience))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("%q does not end the connection; answered %q", text, answer)
		}
		_ = conn.Close()
	}
	dice := rand.New(rand.NewPCG(7, 8))
	for range 10 {
		conn, err := dialIn(at, "tcp4", respAddress)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(random(dice, 1+dice.IntN(100_000)))
		_ = conn.Close()
	}
}

// counted tells what is missing until every datagram and every connection is in a counter.
func counted(before, now *admin.Status) (missing string) {
	moved := func(names ...string) (n uint64) {
		for _, name := range names {
			n += now.Counters.Drops[name] - before.Counters.Drops[name]
		}
		return n
	}
	for _, c := range []struct {
		of    string
		got   uint64
		least uint64
	}{
		{"datagrams", moved("short", "original", "own", "foreign", "key", "replay", "tag"), 2 * garbageDatagrams},
		{"forgeries", moved("tag", "own"), 2 * garbageDatagrams / 5},
		{"of an original node", moved("original"), 2 * garbageDatagrams / 5},
		{"streams", moved("stream_garbage", "stream_hung_up", "stream_foreign", "stream_slow", "stream_refused"), streamAttempts},
		{"HTTP", moved("client_http"), 2},
		{"clients", moved("client_protocol"), uint64(len(clientGarbage) - 2)},
	} {
		if c.got < c.least {
			missing += fmt.Sprintf("%s: %d of %d; ", c.of, c.got, c.least)
		}
	}
	if missing != "" {
		missing += fmt.Sprint(now.Counters.Drops)
	}
	return missing
}

// changed tells what else has changed, which must be nothing. A member may be suspected for a moment where the machine is busy.
func changed(before, now *admin.Status) (what string) {
	if now.Sessions != before.Sessions || now.Tombstones != before.Tombstones || now.State != "synced" || !now.Ready {
		what += fmt.Sprintf("%s has %d sessions and %d tombstones, had %d and %d; is %s; ", now.Node, now.Sessions, now.Tombstones,
			before.Sessions, before.Tombstones, now.State)
	}
	if len(now.Members) != members {
		what += fmt.Sprintf("%s has %d members; ", now.Node, len(now.Members))
	}
	for _, m := range now.Members {
		if m.State != "synced" || m.Sessions != uint64(before.Sessions) || m.Lacks != 0 {
			what += fmt.Sprintf("%s sees %+v; ", now.Node, m)
		}
	}
	if c, was := now.Counters, before.Counters; c.Divergences != was.Divergences || c.Transfers != was.Transfers {
		what += fmt.Sprintf("%s: divergences %d, transfers %d, were %d and %d", now.Node, c.Divergences, c.Transfers, was.Divergences, was.Transfers)
	}
	return what
}

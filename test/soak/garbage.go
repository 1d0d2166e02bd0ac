//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
)

var groupAddr = &net.UDPAddr{IP: net.IPv4(228, 0, 0, 5), Port: 4000}

const (
	garbagePerMS = 10
	caughtFrames = 64 // of the cluster's own, to be sent again and broken
)

// garbage lets a stranger on the same network send what he likes: noise, frames he heard, and broken ones.
func (n *nemesis) garbage(ctx context.Context, dice *rand.Rand) bool {
	long := n.length(dice, time.Second, 20*time.Second)
	conn, err := n.top.stranger()
	if errors.Is(err, syscall.EADDRINUSE) { // one stranger at a time
		return false
	}
	if err != nil {
		n.judge.find(findTest, -1, "a stranger's socket: %v", err)
		return false
	}
	defer conn.Close()
	n.say("garbage for %v", long.Round(time.Millisecond))
	targets := []net.Addr{groupAddr}
	for i := range n.top.nodes {
		targets = append(targets, &net.UDPAddr{IP: n.top.net.Addr4(i).AsSlice(), Port: groupAddr.Port})
	}
	frames := catch(conn)
	for end := time.Now().Add(long); ctx.Err() == nil && time.Now().Before(end); wait(ctx, time.Millisecond) {
		for range garbagePerMS {
			_, _ = conn.WriteTo(junk(dice, frames), targets[dice.IntN(len(targets))])
		}
	}
	return true
}

// stranger is a socket of the host beside the nodes.
func (t *topology) stranger() (conn net.PacketConn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.net.Do(len(t.nodes), func() {
		var eth0 *net.Interface
		if eth0, err = net.InterfaceByName("eth0"); err != nil {
			return
		}
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: groupAddr.Port}); err == nil {
			c := ipv4.NewPacketConn(conn)
			err = errors.Join(c.SetMulticastInterface(eth0), c.JoinGroup(eth0, groupAddr))
		}
	})
	return conn, err
}

// catch listens a while, as anybody can.
func catch(conn net.PacketConn) (frames [][]byte) {
	_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	buffer := make([]byte, 2048)
	for len(frames) < caughtFrames {
		k, _, err := conn.ReadFrom(buffer)
		if err != nil {
			break
		}
		frames = append(frames, bytes.Clone(buffer[:k]))
	}
	return frames
}

func junk(dice *rand.Rand, frames [][]byte) []byte {
	if len(frames) == 0 || dice.IntN(4) == 0 {
		b := make([]byte, 1+dice.IntN(1400))
		for i := range b {
			b[i] = byte(dice.Uint32())
		}
		return b
	}
	frame := bytes.Clone(frames[dice.IntN(len(frames))])
	switch dice.IntN(4) {
	case 0:
		return frame // as it was
	case 1:
		return frame[:1+dice.IntN(len(frame))]
	}
	frame[dice.IntN(len(frame))] ^= 1 << dice.IntN(8)
	return frame
}

//go:build linux

package link

import (
	"bytes"
	"testing"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

func TestRunsOfEqualSizeLeaveInOneMessage(t *testing.T) {
	a := start(t, loopback())
	if !a.sender.gso {
		t.Skip("SKIPPED: this kernel has no UDP_SEGMENT")
	}
	var batch []Datagram
	for range 88 {
		batch = append(batch, Datagram{Data: make([]byte, 1000), Multicast: true})
	}
	if _, messages := a.sender.fill(batch); messages != 2 {
		t.Errorf("88 datagrams in %d messages, want 2", messages)
	}
	a.send(t, batch...)
	eventually(t, "all heard", func() bool { m, _ := a.counts(); return m == 88 })
	if s := a.Stats(); !a.sender.gso || s.ReceiveBatches > 4 {
		t.Errorf("segmentation is off, or nothing merged: %+v", s)
	}
}

func TestWithoutSegmentationTheSameArrives(t *testing.T) {
	c := loopback()
	a, b := start(t, c), start(t, c)
	a.sender.gso, a.sender.option = true, 9999
	var batch []Datagram
	for i := range 100 {
		batch = append(batch, Datagram{Data: bytes.Repeat([]byte{byte(i)}, 1000), To: b.Addr()})
	}
	a.send(t, batch...)
	eventually(t, "all heard", func() bool { _, u := b.counts(); return u == 100 })
	for i, d := range b.heard.unicast {
		if !bytes.Equal(d, batch[i].Data) {
			t.Fatalf("datagram %d is not what was sent", i)
		}
	}
	if s := a.Stats(); a.sender.gso || s.SendErrors != 0 || s.DatagramsOut != 100 {
		t.Errorf("segmentation still on (%v), or counted wrong: %+v", a.sender.gso, s)
	}
}

func TestAnMTUThatShrinksDoesNotEndSegmentation(t *testing.T) {
	nstest.Run(t, 1, func(t *testing.T, n *nstest.Net) {
		a := startIn(t, n, 0, Config{})
		if !a.sender.gso {
			t.Skip("SKIPPED: this kernel has no UDP_SEGMENT")
		}
		n.Output(0, "ip", "link", "set", "eth0", "mtu", "1000")
		large := Datagram{Data: make([]byte, 1200), Multicast: true}
		if a.Send([]Datagram{large, large, large}) == nil || !a.sender.gso {
			t.Error("a size taken for a missing feature, or for nothing")
		}
	})
}

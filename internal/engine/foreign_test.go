package engine

import (
	"net/netip"
	"testing"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// Whoever sends more than an eighth of a flood is among those named, though all others forge an address for each datagram.
func TestTheForeignersThatSendMostAreNamed(t *testing.T) {
	b := newBench(t, 1)
	m := b.nodes[0].m
	m.advance(b.now)
	from := func(host, i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(host), byte(i >> 8), byte(i)}), 4000)
	}
	long, short := make([]byte, wire.HeaderSize+32), []byte{1}
	for i := range 4000 {
		m.Step(b.now, Datagram{Data: long, From: from(9, i)})
		m.Step(b.now, Datagram{Data: short, From: from(9, 4000+i)})
		if i%2 == 0 {
			m.Step(b.now, Datagram{Data: long, From: from(1, 1)})
		}
		if i%3 == 0 {
			m.Step(b.now, Datagram{Data: short, From: from(2, 2)})
		}
	}
	list := m.Foreign(b.now)
	if len(list) != maxForeigners || list[0] != from(1, 1).Addr() || list[1] != from(2, 2).Addr() {
		t.Errorf("named are %v", list)
	}
	if c := m.Counters(); c.DropForeign != 6000 || c.DropShort != 4000+1334 {
		t.Errorf("%d foreign, %d short", c.DropForeign, c.DropShort)
	}
	b.now = b.now.Add(foreignRecent)
	if list := m.Foreign(b.now); len(list) != 0 {
		t.Errorf("a minute later: %v", list)
	}
	m.Step(b.now, Datagram{Data: short, From: from(3, 3)})
	if list := m.Foreign(b.now); len(list) != 1 || list[0] != from(3, 3).Addr() {
		t.Errorf("and with one more: %v", list)
	}
}

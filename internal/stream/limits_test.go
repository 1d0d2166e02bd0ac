package stream

import (
	"net"
	"net/netip"
	"testing"
)

// from is a connection from an address of its own, over which nothing comes.
type from struct {
	net.Conn
	addr net.Addr
}

func (c from) RemoteAddr() net.Addr { return c.addr }

func TestConnectionsOfAllAddressesAreLimited(t *testing.T) {
	s, _, _ := serve(t, identity('s', 1))
	var open []net.Conn
	take := func() bool {
		i := len(open)
		near, far := net.Pipe()
		t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
		c := from{near, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}), 4000))}
		if !s.admit(c) {
			s.take(c) // refuses as well, and counts
			return false
		}
		open = append(open, c)
		return true
	}
	for range MaxHandshakes {
		take()
	}
	if take() || len(open) != MaxHandshakes || s.Stats().Refused != 1 {
		t.Errorf("%d in handshake: %+v", len(open), s.Stats())
	}
	for range MaxHandshakes {
		s.established()
	}
	for len(open) < MaxConns {
		if !take() {
			t.Fatalf("no room for the %d. connection", len(open)+1)
		}
		s.established()
	}
	if st := s.Stats(); take() || s.Stats().Refused != 2 || st.Open != MaxConns {
		t.Errorf("%d open: %+v", len(open), s.Stats())
	}
	for _, c := range open {
		s.release(c)
	}
	if st := s.Stats(); st.Open != 0 || len(s.conns.perAddress) != 0 {
		t.Errorf("in the end %+v, %d addresses", st, len(s.conns.perAddress))
	}
}

package link

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// loopbackGroup is a group of originals on this host's loopback.
func loopbackGroup(t *testing.T) Resolved {
	t.Helper()
	c := Config{Interface: "lo", Group: netip.MustParseAddr("239.255.77.9"), Port: 23977}
	r, err := c.Resolve()
	if err != nil {
		t.Skipf("SKIPPED, no multicast on loopback: %v", err)
	}
	return r
}

func TestOriginalsSocketsHearTheGroupAndWhatIsForThem(t *testing.T) {
	r := loopbackGroup(t)
	o, err := OpenOriginals(r)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	heard := map[string]netip.AddrPort{}
	done := make(chan error)
	go func() {
		done <- o.Receive(func(from netip.AddrPort, text []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard[string(text)] = from
		})
	}()
	large := strings.Repeat("x", 60_000)
	for _, text := range []string{"to all", large} {
		if err := o.Send(netip.AddrPort{}, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Send(o.Self(), []byte("to one")); err != nil {
		t.Fatal(err)
	}
	o.Rejoin()
	if nft, tables := o.FirewallLines(); !strings.Contains(nft, `iifname "lo" udp dport 23977 accept`) || !strings.Contains(tables, "-i lo -p udp --dport 23977 -j ACCEPT") {
		t.Errorf("%s\n%s", nft, tables)
	}
	eventually(t, "all of it", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard["to all"] == o.Self() && heard["to one"] == o.Self() && heard[large] == o.Self()
	})
	if _, err := OpenOriginals(r); err == nil || !strings.Contains(err.Error(), "express-session-multicast") {
		t.Errorf("a second one of this address: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNothingIsSentToAPortThatIsAvoided(t *testing.T) {
	l, err := Open(Config{Interface: "lo", Group: netip.MustParseAddr("239.255.77.10"), Port: 23940, Avoid: 23999})
	if err != nil {
		t.Skipf("SKIPPED, no multicast on loopback: %v", err)
	}
	defer l.Close()
	at := netip.AddrPortFrom(l.Addr().Addr(), 23999)
	batch := []Datagram{{Data: []byte("a"), To: at}, {Data: []byte("b"), To: l.Addr()}, {Data: []byte("c"), To: at}}
	if err := l.Send(batch); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.DatagramsOut != 1 || s.SendErrors != 2 || batch[0].To != at {
		t.Errorf("%d sent, %d not", s.DatagramsOut, s.SendErrors)
	}
}

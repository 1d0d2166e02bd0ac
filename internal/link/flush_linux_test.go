package link

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sessioncast/sessioncast/internal/nstest"
)

// unequal is a batch of n messages: no two neighbours have the same destination.
func unequal(n int, to netip.AddrPort) (batch []Datagram) {
	for i := range n {
		batch = append(batch, Datagram{Data: []byte(fmt.Sprint(i)), To: to, Multicast: i%2 == 0})
	}
	return batch
}

// sendStuck sends a batch while the buffer is full. To wait for each of its messages would take as many deadlines.
func sendStuck(t *testing.T, a *node, batch []Datagram) {
	t.Helper()
	until, writable := map[time.Time]bool{}, a.sender.writable
	a.sender.writable = func(fd uintptr) bool {
		if a.sender.wait {
			until[a.sender.deadline] = true
		}
		return writable(fd)
	}
	defer func() { a.sender.writable = writable }()
	before, start := a.Stats(), time.Now()
	a.send(t, batch...)
	if took := time.Since(start); took < sendWait || len(until) != 1 {
		t.Errorf("waited %v, for %d deadlines; want %v and one", took, len(until), sendWait)
	}
	after := a.Stats()
	if sent, dropped := after.DatagramsOut-before.DatagramsOut, after.SendErrors-before.SendErrors; dropped == 0 || sent+dropped != uint64(len(batch)) {
		t.Errorf("%d sent and %d dropped of %d", sent, dropped, len(batch))
	}
}

func TestAFullBufferCostsABatchOneWait(t *testing.T) {
	a := start(t, loopback())
	batch := unequal(3*sendSlots, a.Addr())
	a.sender.writable = func(uintptr) bool {
		a.sender.n, a.sender.errno = -1, unix.EAGAIN
		return !a.sender.wait
	}
	sendStuck(t, a, batch)
	sendStuck(t, a, batch) // the next one may wait again
	a.sender.writable = a.sender.transmit
	a.send(t, batch...)
	eventually(t, "all heard", func() bool { m, u := a.counts(); return m+u == len(batch) })
}

// A buffer that takes one message now and then is waited for no longer in all.
func TestABufferThatDrainsSlowlyCostsABatchOneWait(t *testing.T) {
	a := start(t, loopback())
	batch := unequal(3*sendSlots, a.Addr())
	until := map[time.Time]bool{}
	a.sender.writable = func(uintptr) bool {
		s := a.sender
		if s.n, s.errno = -1, unix.EAGAIN; s.wait {
			until[s.deadline] = true
			s.n, s.errno = 1, 0
		}
		return true
	}
	a.send(t, batch...)
	if len(until) != 1 {
		t.Errorf("%d deadlines for one batch", len(until))
	}
	if s := a.Stats(); s.DatagramsOut+s.SendErrors != uint64(len(batch)) {
		t.Errorf("%d sent and %d dropped of %d", s.DatagramsOut, s.SendErrors, len(batch))
	}
}

// What is sent to a host that does not answer waits in the kernel, on the sender's account.
func TestABufferFullInTruthCostsABatchOneWait(t *testing.T) {
	nstest.Run(t, 1, func(t *testing.T, n *nstest.Net) {
		a := startIn(t, n, 0, Config{})
		control(a.sender.conn, func(fd int) {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
				t.Error(err)
			}
		})
		nobody := netip.AddrPortFrom(a.Addr().Addr().Next().Next(), 9)
		batch := make([]Datagram, 100)
		for i := range batch { // unequal sizes: each is a message
			batch[i] = Datagram{Data: make([]byte, 100+i), To: nobody}
		}
		sendStuck(t, a, batch)
	})
}

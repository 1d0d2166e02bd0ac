package cluster

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// streamBytesPerSec is what one stream of the in-memory network carries: slow enough that a test can look on.
const streamBytesPerSec = 100 << 20

// portListener is the listener of a port.
type portListener struct{ *port }

func (p *port) listener() net.Listener { return portListener{p} }

func (l portListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialed:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l portListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.port.addr) }

var errNobody = errors.New("nobody listens there")

// dialer opens streams from one host.
type dialer struct {
	net  *memory
	host int
}

// DialContext implements stream.Dialer.
func (d dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	d.net.mu.Lock()
	p := d.net.find(at)
	d.net.mu.Unlock()
	if p == nil {
		return nil, errNobody
	}
	if d.net.wayBetween(d.host, p.host) != nil { // a call that nobody hears
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ours, theirs := net.Pipe()
	select {
	case p.dialed <- newCable(theirs, d.net, p.host, d.host):
		return newCable(ours, d.net, d.host, p.host), nil
	case <-p.closed:
		return nil, errNobody
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cable is one end of a stream. It takes its time, and holds what is written back while the hosts are cut from each other.
type cable struct {
	net.Conn
	net      *memory
	from, to int
	closed   chan struct{}
	once     sync.Once

	mu sync.Mutex
	by time.Time // of writes
}

func newCable(c net.Conn, m *memory, from, to int) *cable {
	return &cable{Conn: c, net: m, from: from, to: to, closed: make(chan struct{})}
}

func (c *cable) Write(b []byte) (int, error) {
	if err := c.await(nil, time.Duration(len(b))*time.Second/streamBytesPerSec); err != nil {
		return 0, err
	}
	for way := c.net.wayBetween(c.from, c.to); way != nil; way = c.net.wayBetween(c.from, c.to) {
		if err := c.await(way, 0); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// await waits for a way, or where that is nil for so long; for the deadline and the end of the connection in any case.
func (c *cable) await(way <-chan struct{}, d time.Duration) error {
	c.mu.Lock()
	by := c.by
	c.mu.Unlock()
	var over, expired <-chan time.Time
	if way == nil {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	if !by.IsZero() {
		t := time.NewTimer(time.Until(by))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-way:
	case <-over:
	case <-expired:
		return os.ErrDeadlineExceeded
	case <-c.closed:
		return net.ErrClosed
	}
	return nil
}

func (c *cable) SetDeadline(t time.Time) error {
	c.until(t)
	return c.Conn.SetDeadline(t)
}

func (c *cable) SetWriteDeadline(t time.Time) error {
	c.until(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *cable) until(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = t
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

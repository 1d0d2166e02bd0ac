package stream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// Limits of a connection.
const (
	MaxFrame         = 20 << 20 // body of one frame: the whole state of one key fits
	HandshakeTimeout = 2 * time.Second
	SilenceTimeout   = 2 * time.Second // of a peer that is waited for; see SetPatience
	StallTimeout     = 5 * time.Second // of a peer that is sent to

	headerSize = 5
	// step is how much is read or written at a time: so much memory a length alone can claim, and so much must move
	// for a deadline to be extended.
	step = 64 << 10
)

// protocolVersion is told in the hello; trailing bytes of a hello are ignored.
const protocolVersion = 1

// typeHello is the only frame type of this package.
const typeHello = 0

// Conn is an authenticated connection to a peer. One goroutine may send while another receives; Close is for anyone.
type Conn struct {
	raw      net.Conn
	wide     *wide // raw below tls
	tls      *tls.Conn
	peer     record.Origin
	patience atomic.Int64
	header   [headerSize]byte
	out      []byte // the sender's: a frame's first part behind its header
}

// Dialer opens what a connection runs over; *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Dial connects to addr and returns once both sides have proved the cluster key and said who they are.
func Dial(ctx context.Context, addr netip.AddrPort, id Identity) (*Conn, error) {
	return DialOver(ctx, new(net.Dialer), addr, id)
}

// DialOver is Dial by way of d.
func DialOver(ctx context.Context, d Dialer, addr netip.AddrPort, id Identity) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	raw, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("stream to %s: %w", addr, err)
	}
	c, err := client(ctx, raw, id)
	if err != nil {
		return nil, fmt.Errorf("stream to %s: %w", addr, err)
	}
	return c, nil
}

// client takes raw and closes it on failure. It speaks second: the server's hello tells that the server, too, has
// verified its peer; in TLS 1.3 the client's handshake ends before that.
func client(ctx context.Context, raw net.Conn, id Identity) (*Conn, error) {
	return establish(ctx, raw, id, tls.Client, func(c *Conn) error {
		if err := c.receiveHello(); err != nil {
			return err
		}
		return c.sendHello(id.Self)
	})
}

func server(ctx context.Context, raw net.Conn, id Identity) (*Conn, error) {
	return establish(ctx, raw, id, tls.Server, func(c *Conn) error {
		if err := c.sendHello(id.Self); err != nil {
			return err
		}
		return c.receiveHello()
	})
}

func establish(ctx context.Context, raw net.Conn, id Identity, side func(net.Conn, *tls.Config) *tls.Conn, hello func(*Conn) error) (*Conn, error) {
	c, err := handshake(ctx, raw, id, side, hello)
	if err != nil {
		_ = raw.Close()
		if ctx.Err() != nil { // the error tells of a closed socket then, not of why it was closed
			err = ctx.Err()
		}
		return nil, explain(err)
	}
	return c, nil
}

func handshake(ctx context.Context, raw net.Conn, id Identity, side func(net.Conn, *tls.Config) *tls.Conn, hello func(*Conn) error) (*Conn, error) {
	config, err := id.config()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if err := raw.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return nil, err
	}
	w := &wide{Conn: raw}
	c := &Conn{raw: raw, wide: w, tls: side(w, config)}
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if err := hello(c); err != nil {
		return nil, err
	}
	if !stop() {
		return nil, ctx.Err()
	}
	c.SetPatience(SilenceTimeout)
	w.deadline = func() { _ = raw.SetReadDeadline(c.readDeadline()) } // fails on a closed connection only, where Read says so
	return c, raw.SetDeadline(time.Time{})
}

// explain turns the ways in which TLS says "not your key" into ErrForeign.
func explain(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, ErrForeign):
		return err
	case errors.As(err, &op) && op.Op == "remote error":
		return fmt.Errorf("%w: it ended the handshake (%v)", ErrForeign, op.Err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: no handshake within %v", ErrSilent, HandshakeTimeout)
	}
	return err
}

func (c *Conn) sendHello(self record.Origin) error {
	frame := c.frame(typeHello, 2+record.OriginSize)
	frame = binary.BigEndian.AppendUint16(frame, protocolVersion)
	_, err := c.tls.Write(self.Append(frame))
	return err
}

func (c *Conn) receiveHello() error {
	if _, err := io.ReadFull(c.tls, c.header[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(c.header[:])
	if c.header[4] != typeHello || n < 2+record.OriginSize || n > step {
		return ErrHello
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.tls, body); err != nil {
		return err
	}
	if v := binary.BigEndian.Uint16(body); v != protocolVersion {
		return fmt.Errorf("%w: %d, ours is %d", ErrVersion, v, protocolVersion)
	}
	if c.peer = record.OriginFrom(body[2:]); c.peer.IsZero() {
		return ErrHello
	}
	return nil
}

// frame begins a frame with its header.
func (c *Conn) frame(kind byte, body int) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, headerSize+body), uint32(body))
	return append(b, kind)
}

// Peer is who the other side said it is, over the channel that proved its key.
func (c *Conn) Peer() record.Origin { return c.peer }

// RemoteAddr is the other side's address; zero where the connection is no TCP connection.
func (c *Conn) RemoteAddr() netip.AddrPort { return remote(c.raw) }

// SetPatience sets how long Receive waits for a peer that sends nothing; 0: for ever, for connections whose purpose is
// to end with the peer. It begins with the next Receive.
func (c *Conn) SetPatience(d time.Duration) { c.patience.Store(int64(d)) }

// Send sends one frame. A peer that takes nothing for StallTimeout is ErrStalled, after which the connection is of no
// use. body may be reused when Send returns.
func (c *Conn) Send(kind byte, body []byte) error {
	switch {
	case kind == typeHello:
		return ErrHello
	case len(body) > MaxFrame:
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(body))
	}
	first := min(len(body), step)
	c.out = append(binary.BigEndian.AppendUint32(c.out[:0], uint32(len(body))), kind)
	c.out = append(c.out, body[:first]...)
	if err := c.write(c.out); err != nil {
		return err
	}
	for rest := body[first:]; len(rest) > 0; {
		n := min(len(rest), step)
		if err := c.write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (c *Conn) write(b []byte) error {
	_ = c.raw.SetWriteDeadline(time.Now().Add(StallTimeout)) // fails on a closed connection only, where Write says so
	err := c.wide.together(func() error {
		_, err := c.tls.Write(b)
		return err
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: nothing taken for %v", ErrStalled, StallTimeout)
	}
	return err
}

// Receive returns the next frame; its body is the caller's. io.EOF: the peer closed between two frames. Like any
// connection's end it says nothing about whether the peer was done: frames must say that themselves.
func (c *Conn) Receive() (kind byte, body []byte, err error) { return c.ReceiveInto(nil) }

// ReceiveInto is Receive into the memory of buffer, where that is enough.
func (c *Conn) ReceiveInto(buffer []byte) (kind byte, body []byte, err error) {
	if err := c.fill(c.header[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(c.header[:]))
	switch {
	case n > MaxFrame:
		return 0, nil, fmt.Errorf("%w: the peer announces %d bytes", ErrTooLarge, n)
	case c.header[4] == typeHello:
		return 0, nil, ErrHello
	case n > step:
		c.wide.readWide()
	}
	body, err = c.body(buffer, int(n))
	return c.header[4], body, err
}

// body reads n bytes into buffer, or where that is too small into memory that grows only as they come.
func (c *Conn) body(buffer []byte, n int) ([]byte, error) {
	var body []byte
	if n <= cap(buffer) {
		body = buffer[:n]
	} else {
		body = make([]byte, min(n, step))
	}
	for have := 0; ; {
		if err := c.fill(body[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if have = len(body); have == n {
			return body, nil
		}
		grown := make([]byte, min(n, 2*have))
		copy(grown, body)
		body = grown
	}
}

// fill reads until b is full; each read of the network renews the peer's time.
func (c *Conn) fill(b []byte) error {
	for have := 0; have < len(b); {
		n, err := c.tls.Read(b[have:])
		have += n
		switch {
		case n > 0: // an error, if any, comes again
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w: nothing came for %v", ErrSilent, time.Duration(c.patience.Load()))
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // TLS minds a missing farewell, frames do not
			if have > 0 {
				return io.ErrUnexpectedEOF
			}
			return io.EOF
		case err != nil:
			return err
		}
	}
	return nil
}

func (c *Conn) readDeadline() time.Time {
	if d := time.Duration(c.patience.Load()); d > 0 {
		return time.Now().Add(d)
	}
	return time.Time{}
}

// Close ends the connection at once; what was sent before still arrives.
func (c *Conn) Close() { _ = c.raw.Close() }

func remote(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

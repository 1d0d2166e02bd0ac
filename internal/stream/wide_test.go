package stream

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
)

// counted counts what goes to the network.
type counted struct {
	net.Conn
	reads, writes atomic.Int32
}

func (c *counted) Read(b []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(b)
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

type countedDialer struct{ conn *counted }

func (d *countedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	d.conn = &counted{Conn: raw}
	return d.conn, err
}

func TestALargeFrameTakesFewWrites(t *testing.T) {
	_, addr, _ := serve(t, identity('s', 1))
	var d countedDialer
	c, err := DialOver(context.Background(), &d, addr, identity('c', 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	d.conn.writes.Store(0)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	got := make(chan []byte)
	go func() {
		_, body, _ := c.Receive()
		got <- body
	}()
	if err := c.Send(1, body); err != nil {
		t.Fatal(err)
	}
	if n, most := int(d.conn.writes.Load()), len(body)/step; n > most {
		t.Errorf("%d writes for a frame of %d bytes, not %d", n, len(body), most)
	}
	if !bytes.Equal(<-got, body) {
		t.Error("it came back as something else")
	}
}

// plenty has bytes without end, each one more than the last, until it fails.
type plenty struct {
	net.Conn
	next  byte
	reads int
	fails bool
}

var errPlenty = errors.New("no more")

func (p *plenty) Read(b []byte) (int, error) {
	p.reads++
	if p.fails {
		return 0, errPlenty
	}
	for i := range b {
		b[i] = p.next
		p.next++
	}
	return len(b), nil
}

func TestWhatIsReadAheadComesInOrder(t *testing.T) {
	p := &plenty{}
	w, asked := &wide{Conn: p}, 0
	w.deadline = func() { asked++ }
	want := byte(0)
	read := func(size int) {
		b := make([]byte, size)
		n, err := w.Read(b)
		if err != nil || n == 0 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		for _, got := range b[:n] {
			if got != want {
				t.Fatalf("%d where %d belongs", got, want)
			}
			want++
		}
	}
	read(1000)
	read(1000)
	if p.reads != 2 {
		t.Fatalf("%d reads, before frames are large", p.reads)
	}
	w.readWide()
	for range readAhead / 1000 {
		read(1000)
	}
	if p.reads != 3 || asked != 3 {
		t.Errorf("%d reads, %d of them with a new deadline, for one more", p.reads, asked)
	}
	p.fails = true
	read(1000) // the rest of what was read
	if _, err := w.Read(make([]byte, 1000)); !errors.Is(err, errPlenty) {
		t.Error("then", err)
	}
}

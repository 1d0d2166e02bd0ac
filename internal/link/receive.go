package link

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// maxDatagram is the longest datagram handed out; no node sends one as long.
const maxDatagram = 2048

// readPause keeps a socket that fails at once from taking a core.
const readPause = 10 * time.Millisecond

// Receive hands what arrives to deliver, in batches, from two goroutines (one for unicast, one for the group where it is used) until
// Close, which makes it return nil, or until ctx ends, which makes it return ctx's error. Packets and their bytes are
// valid until deliver returns: whoever keeps them copies. Meanwhile it watches the interface and joins the group again
// where that was lost. One Receive at a time.
func (l *Link) Receive(ctx context.Context, deliver func([]Packet)) error {
	l.setReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { l.setReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var wg sync.WaitGroup
	for _, r := range l.readers {
		wg.Go(func() { l.read(ctx, r, deliver) })
	}
	wg.Go(func() { l.watch(ctx) })
	wg.Wait()
	select {
	case <-l.closed:
		return nil
	default:
		return ctx.Err()
	}
}

func (l *Link) setReadDeadline(t time.Time) {
	_ = l.unicast.SetReadDeadline(t) // both fail only when closed, and then nobody reads
	if l.group != nil {
		_ = l.group.SetReadDeadline(t)
	}
}

func (l *Link) read(ctx context.Context, r *reader, deliver func([]Packet)) {
	for {
		packets, err := r.read()
		if len(packets) > 0 {
			deliver(packets)
		}
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
			return
		default:
			l.counters.receiveErrors.Add(1)
			l.pause(ctx, readPause)
		}
	}
}

// pause waits, or less when the Link closes or ctx ends; it tells whether to go on.
func (l *Link) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.closed:
	case <-ctx.Done():
	}
	return false
}

package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/stream"
	"github.com/sessioncast/sessioncast/internal/transfer"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// fetches is the transfer under way to this node: at most one.
type fetches struct {
	sync.Mutex
	stop context.CancelFunc
}

func (f *fetches) cancel() {
	f.Lock()
	defer f.Unlock()
	if f.stop != nil {
		f.stop()
	}
}

// errWrongDonor: the address belongs to another node by now.
var errWrongDonor = errors.New("the stream leads to another node than the donor")

// errReplaced: the machine has asked for another transfer instead.
var errReplaced = errors.New("another transfer takes the place of this one")

// startFetch carries out what the machine asked for, in place of what it asked for before.
func (n *Node) startFetch(f engine.Fetch) {
	n.fetches.Lock()
	if n.fetches.stop != nil {
		n.fetches.stop()
	}
	ctx, stop := context.WithCancel(n.ctx)
	n.fetches.stop = stop
	n.fetches.Unlock()
	n.wg.Go(func() {
		defer stop()
		done := engine.FetchDone{ID: f.ID}
		done.Err = n.fetch(ctx, f, &done)
		if done.Err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("state transfer failed", "donor", f.To, "error", done.Err)
		}
		n.step(done)
	})
}

func (n *Node) fetch(ctx context.Context, f engine.Fetch, done *engine.FetchDone) error {
	to := f.To
	if n.link != nil {
		to = n.link.Zoned(to)
	}
	conn, err := stream.DialOver(ctx, n.cfg.Dialer, to, n.identity())
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, conn.Close)()
	defer conn.Close()
	if conn.Peer() != f.Donor {
		return errWrongDonor
	}
	taker := transfer.NewTaker(n.table, n.origins)
	pull := taker.Pull(nil, n.clock.Read(time.Now().UnixMilli()), f.Cursor, f.Compare)
	if err := conn.Send(byte(wire.StreamTypePull), pull); err != nil {
		return err
	}
	return n.takeAll(conn, taker, done)
}

// takeAll merges what the donor sends and tells the machine how far it is.
func (n *Node) takeAll(conn *stream.Conn, taker *transfer.Taker, done *engine.FetchDone) error {
	offered, records := false, uint64(0)
	for {
		kind, body, err := conn.Receive()
		if err != nil {
			return err
		}
		p, err := taker.Take(wire.StreamType(kind), body, time.Now().UnixMilli())
		n.transfers.bytesIn.Add(uint64(len(body)))
		n.transfers.recordsIn.Add(p.Keys - records)
		records = p.Keys
		done.NoRoom, done.Dropped = p.NoRoom, p.Dropped
		if err != nil {
			return err
		}
		switch {
		case p.Done:
			return nil
		case !offered:
			offered = true
			n.step(engine.FetchStarted{ID: done.ID, Offer: cloneVectors(p.Offer), Marks: p.Marks})
			absence, ok := n.absence(done.ID)
			if !ok {
				return errReplaced
			}
			taker.Judge(absence)
		default:
			n.step(engine.FetchProgress{ID: done.ID, Cursor: p.Cursor})
		}
	}
}

func cloneVectors(list []wire.Vector) []wire.Vector {
	c := make([]wire.Vector, len(list))
	for i, v := range list {
		c[i] = wire.Vector{Origin: v.Origin, Set: v.Set.Clone()}
	}
	return c
}

// serve answers one connection of the stream server: as donor, pull by pull.
func (n *Node) serve(ctx context.Context, conn *stream.Conn) {
	for ctx.Err() == nil {
		kind, body, err := conn.Receive()
		if err != nil {
			return
		}
		if wire.StreamType(kind) == wire.StreamTypeWatch {
			n.beWatched(conn)
			return
		}
		if err := n.answer(conn, wire.StreamType(kind), body); err != nil {
			n.cfg.Log.Debug("stream ended", "peer", conn.RemoteAddr(), "error", err)
			return
		}
	}
}

func (n *Node) answer(conn *stream.Conn, kind wire.StreamType, body []byte) error {
	if kind != wire.StreamTypePull {
		return fmt.Errorf("unexpected message of type %d", kind)
	}
	var pull wire.StreamPull
	decoder := wire.Decoder{Origins: n.origins}
	if _, err := decoder.StreamPull(body, &pull); err != nil {
		return err
	}
	offer, marks, state := n.offer()
	donor := transfer.NewDonor(n.table, n.origins, &pull, state, offer)
	donor.SetMarks(marks)
	n.transfers.served.Add(1)
	defer func() {
		n.transfers.bucketsSkipped.Add(donor.Skipped)
	}()
	var buffer []byte
	records := uint64(0)
	for {
		kind, message, more := donor.Next(buffer[:0], n.clock.Read(time.Now().UnixMilli()))
		if err := conn.Send(byte(kind), message); err != nil {
			return err
		}
		n.transfers.bytesOut.Add(uint64(len(message)))
		n.transfers.recordsOut.Add(donor.Keys - records)
		records = donor.Keys
		if !more {
			return nil
		}
		buffer = message
	}
}

// identity is what this node proves on streams.
func (n *Node) identity() stream.Identity {
	id := stream.Identity{Self: n.self}
	for _, key := range n.ring.IDs() {
		if seed, ok := n.ring.DeriveFor(key, "stream identity", 32); ok {
			id.Seeds = append(id.Seeds, [32]byte(seed))
		}
	}
	return id
}

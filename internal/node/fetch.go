package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

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
	return n.call(ctx, f.To, f.Donor, func(conn *stream.Conn) error {
		taker := transfer.NewTaker(n.table, n.origins)
		pull := taker.Pull(nil, n.clock.Read(n.Now().UnixMilli()), f.Cursor, f.Compare)
		if err := conn.Send(byte(wire.StreamTypePull), pull); err != nil {
			return err
		}
		return n.takeAll(conn, taker, done)
	})
}

// transferDepth is how many messages of a transfer wait between who reads or makes them and who merges or sends them.
const transferDepth = 2

// stockFrom is how many records of a transfer have come when the table begins to make room ahead of them.
const stockFrom = 10_000

// message is one of a transfer, in memory that goes round.
type message struct {
	kind byte
	body []byte

	records uint64 // in it, where it is made here
	err     error  // the last: there are no more
}

// takeAll merges what the donor sends and tells the machine how far it is. Another goroutine reads and decrypts ahead.
func (n *Node) takeAll(conn *stream.Conn, taker *transfer.Taker, done *engine.FetchDone) error {
	came, used := make(chan message, transferDepth), make(chan []byte, transferDepth+2)
	go receiveAll(conn, came, used)
	over := make(chan struct{})
	defer func() {
		close(over)
		conn.Close() // ends the reader, who may wait for the donor, or for room
		for range came {
		}
	}()
	offered, stocked, records := false, false, uint64(0)
	for m := range came {
		if m.err != nil {
			return m.err
		}
		p, err := taker.Take(wire.StreamType(m.kind), m.body, n.Now().UnixMilli())
		n.transfers.bytesIn.Add(uint64(len(m.body)))
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
			if !stocked && records > stockFrom {
				stocked = true
				n.wg.Go(func() { n.table.Stock(over) })
			}
		}
		used <- m.body
	}
	return io.ErrUnexpectedEOF
}

// receiveAll reads until the connection ends or the donor has said that it is done.
func receiveAll(conn *stream.Conn, came chan<- message, used <-chan []byte) {
	defer close(came)
	for m := (message{}); m.err == nil && wire.StreamType(m.kind) != wire.StreamTypeEnd; {
		var buffer []byte
		select {
		case buffer = <-used:
		default:
		}
		m.kind, m.body, m.err = conn.ReceiveInto(buffer)
		came <- m
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
	id := n.transfers.served.Add(1)
	n.step(engine.GiveStarted{ID: id, Taker: conn.Peer()})
	defer n.step(engine.GiveEnded{ID: id})
	offer, marks, state := n.offer()
	donor := transfer.NewDonor(n.table, n.origins, &pull, state, offer)
	donor.SetMarks(marks)
	made, sent := make(chan message, transferDepth), make(chan []byte, transferDepth+2)
	stop := make(chan struct{})
	go n.makeAll(donor, made, sent, stop)
	defer func() {
		close(stop)
		for range made {
		}
		n.transfers.partsSkipped.Add(donor.Skipped())
	}()
	for m := range made {
		if err := conn.Send(m.kind, m.body); err != nil {
			return err
		}
		n.transfers.bytesOut.Add(uint64(len(m.body)))
		n.transfers.recordsOut.Add(m.records)
		sent <- m.body
	}
	return nil
}

// makeAll makes the messages of a transfer ahead of who sends them, until there are no more or stop is closed.
func (n *Node) makeAll(donor *transfer.Donor, made chan<- message, sent <-chan []byte, stop <-chan struct{}) {
	defer close(made)
	for more := true; more; {
		var buffer []byte
		select {
		case buffer = <-sent:
		default:
		}
		var m message
		var kind wire.StreamType
		before := donor.Keys
		kind, m.body, more = donor.Next(buffer[:0], n.clock.Read(n.Now().UnixMilli()))
		m.kind, m.records = byte(kind), donor.Keys-before
		select {
		case made <- m:
		case <-stop:
			return
		}
	}
}

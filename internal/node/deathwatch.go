package node

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/stream"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// watches are the streams that are kept to other nodes only to end with their processes. The machine says to whom.
type watches struct {
	mu      sync.Mutex
	round   uint64
	closed  bool
	kept    map[record.Origin]*watch
	watched atomic.Int32 // by so many others
	denied  atomic.Uint64
}

type watch struct {
	target engine.Watch
	stop   context.CancelFunc
}

const (
	rewatchMin = time.Second // until a watch that ended is taken up again, doubling
	rewatchMax = 30 * time.Second
	steadyFor  = time.Minute // a watch that lasted for so long begins anew with the shortest wait

	// maxWatchers is how many may watch a node: two do, more while they do not agree on the members yet.
	maxWatchers = 32
)

// set ends the watches that are not in the list and begins those that are new, by keep.
func (w *watches) set(list *engine.Watching, keep func(context.Context, engine.Watch)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || list.Round <= w.round {
		return
	}
	w.round = list.Round
	old := w.kept
	w.kept = make(map[record.Origin]*watch, len(list.List))
	for _, target := range list.List {
		if o := old[target.Origin]; o != nil && o.target == target {
			w.kept[target.Origin] = o
			delete(old, target.Origin)
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		w.kept[target.Origin] = &watch{target: target, stop: stop}
		keep(ctx, target)
	}
	for _, o := range old {
		o.stop()
	}
}

func (w *watches) cancel() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, o := range w.kept {
		o.stop()
	}
}

// keepWatch watches target until ctx ends, taking it up again whenever it breaks.
func (n *Node) keepWatch(ctx context.Context, target engine.Watch) {
	n.wg.Go(func() {
		wait := rewatchMin
		for {
			began := n.Now()
			err := n.watch(ctx, target)
			if ctx.Err() != nil {
				return
			}
			if endedByPeer(err) {
				n.step(engine.WatchBroken{Origin: target.Origin})
			}
			if n.Now().Sub(began) > steadyFor {
				wait = rewatchMin
			}
			if !pause(ctx, wait/2+rand.N(wait)) {
				return
			}
			wait = min(2*wait, rewatchMax)
		}
	})
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watch keeps one connection until it ends, and says why it did.
func (n *Node) watch(ctx context.Context, target engine.Watch) error {
	return n.call(ctx, target.To, target.Origin, func(conn *stream.Conn) error {
		if err := conn.Send(byte(wire.StreamTypeWatch), n.watchBody()); err != nil {
			return err
		}
		conn.Rest()
		_, _, err := conn.Receive()
		if err == nil {
			return errTalks
		}
		return err
	})
}

var errTalks = errors.New("the watched node sends something")

func (n *Node) watchBody() []byte {
	return wire.NewEncoder(n.origins, n.origins.Intern(n.Self())).AppendStreamWatch(nil, n.clock.Read(n.Now().UnixMilli()))
}

// endedByPeer tells a connection that the other side's kernel ended, as it does for a process that died, or that nobody
// listens there or somebody else does, from one that ended for want of answers, which silence will show as well.
func endedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errWrongPeer)
}

// beWatched keeps a connection over which nothing comes, until either side ends.
func (n *Node) beWatched(conn *stream.Conn) {
	defer n.watches.watched.Add(-1)
	if n.watches.watched.Add(1) > maxWatchers {
		n.watches.denied.Add(1)
		n.cfg.Log.Debug("too many watch this node", "peer", conn.RemoteAddr())
		return
	}
	conn.Rest()
	_, _, _ = conn.Receive() // whatever comes ends it
}

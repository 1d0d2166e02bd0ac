package node

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
)

// awaits are the callers that wait for acknowledgements.
type awaits struct {
	sync.Mutex
	last   uint64
	done   map[uint64]func(peers int)
	new    []engine.Await // not yet given to the machine
	denied uint64         // callers told at once, too many being there
	ended  bool           // the node is gone, and nobody would be told any more
}

// maxAwaits bounds the callers that wait; further ones are told at once what is known.
const maxAwaits = 65_536

// Await calls done once, from any goroutine, with the number of live synced peers that hold every local dot up to seq:
// as soon as k hold them (k < 0: the configured number), or after timeout (0: the configured one, and then no peer is
// waited for that did not answer lately). It returns false, with that number, and never calls done, when there is nothing
// to wait for. writes is how many writes wait that no Await was for before: as many count as unconfirmed where it is in vain.
func (n *Node) Await(seq uint64, writes, k int, timeout time.Duration, done func(peers int)) (pending bool, peers int) {
	switch {
	case k == AckAllOrNone && n.cfg.Ack != 0:
		k = AckAll
	case k < 0:
		k = n.cfg.Ack
	}
	patient := timeout > 0
	if !patient {
		timeout = n.cfg.AckTimeout
	}
	if seq == 0 || k == 0 || n.peers.Load() == 0 {
		return false, 0
	}
	return n.await(engine.Await{Seq: seq, Writes: writes, K: k, Timeout: timeout, Patient: patient}, done)
}

// AwaitSync waits for one write as Await does, or until ctx ends.
func (n *Node) AwaitSync(ctx context.Context, seq uint64, k int, timeout time.Duration) (peers int) {
	return wait(ctx, func(done func(int)) (bool, int) { return n.Await(seq, 1, k, timeout, done) })
}

// wait waits for what begin arranges, or until ctx ends.
func wait(ctx context.Context, begin func(done func(peers int)) (pending bool, peers int)) (peers int) {
	reached := make(chan int, 1)
	pending, peers := begin(func(p int) { reached <- p })
	if !pending {
		return peers
	}
	select {
	case p := <-reached:
		return p
	case <-ctx.Done():
		return 0
	}
}

// toldTimeout bounds a wait for what peers have made, where that for acknowledgements is not longer: a little more than they take to say so unasked.
const toldTimeout = 1500 * time.Millisecond

// AwaitTold calls done as Await for all peers does, and not before this node also holds whatever they had made up to a stamp of Table.Present: an acknowledgement
// may overtake what its sender has written. seq may be 0.
func (n *Node) AwaitTold(seq uint64, writes int, stamp hlc.Stamp, done func(peers int)) (pending bool, peers int) {
	if n.cfg.Ack == 0 || n.peers.Load() == 0 {
		return false, 0
	}
	return n.await(engine.Await{Seq: seq, Writes: writes, K: math.MaxInt, Timeout: max(toldTimeout, n.cfg.AckTimeout), Told: stamp}, done)
}

// await hands it to the machine, unless too many wait.
func (n *Node) await(w engine.Await, done func(peers int)) (pending bool, peers int) {
	a := &n.awaits
	a.Lock()
	if a.ended {
		a.Unlock()
		return false, 0
	}
	if len(a.done) >= maxAwaits {
		a.denied++
		a.Unlock()
		return false, 0
	}
	a.last++
	w.ID = a.last
	a.done[w.ID] = done
	a.new = append(a.new, w)
	a.Unlock()
	n.wrote()
	return true, 0
}

func (a *awaits) refused() uint64 {
	a.Lock()
	defer a.Unlock()
	return a.denied
}

func (a *awaits) take() []engine.Await {
	a.Lock()
	defer a.Unlock()
	list := a.new
	a.new = nil
	return list
}

func (a *awaits) finish(r engine.Acked) {
	a.Lock()
	done := a.done[r.ID]
	delete(a.done, r.ID)
	a.Unlock()
	if done != nil {
		done(r.Peers)
	}
}

// abandon tells all who wait, and all who would, that the node is gone.
func (a *awaits) abandon() {
	a.Lock()
	a.ended = true
	waiting := a.done
	a.done = make(map[uint64]func(int))
	a.new = nil
	a.Unlock()
	for _, done := range waiting {
		done(0)
	}
}

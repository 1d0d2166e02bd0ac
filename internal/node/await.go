package node

import (
	"context"
	"sync"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
)

// awaits are the callers that wait for acknowledgements.
type awaits struct {
	sync.Mutex
	last   uint64
	done   map[uint64]func(peers int)
	new    []engine.Await // not yet given to the machine
	denied uint64         // callers told at once, too many being there
}

// maxAwaits bounds the callers that wait; further ones are told at once what is known.
const maxAwaits = 65_536

// Await calls done once, from any goroutine, with the number of live synced peers that hold every local dot up to seq:
// as soon as k hold them (k < 0: the configured number), or after timeout (0: the configured one, and then no peer is
// waited for that did not answer lately). It returns false, with that number, and never calls done, when there is nothing
// to wait for.
func (n *Node) Await(seq uint64, k int, timeout time.Duration, done func(peers int)) (pending bool, peers int) {
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
	a := &n.awaits
	a.Lock()
	if len(a.done) >= maxAwaits {
		a.denied++
		a.Unlock()
		return false, 0
	}
	a.last++
	a.done[a.last] = done
	a.new = append(a.new, engine.Await{ID: a.last, Seq: seq, K: k, Timeout: timeout, Patient: patient})
	a.Unlock()
	n.wrote()
	return true, 0
}

// AwaitSync waits as Await does, or until ctx ends.
func (n *Node) AwaitSync(ctx context.Context, seq uint64, k int, timeout time.Duration) (peers int) {
	reached := make(chan int, 1)
	pending, peers := n.Await(seq, k, timeout, func(p int) { reached <- p })
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

// abandon tells all who wait that the node is gone.
func (a *awaits) abandon() {
	a.Lock()
	waiting := a.done
	a.done = make(map[uint64]func(int))
	a.new = nil
	a.Unlock()
	for _, done := range waiting {
		done(0)
	}
}

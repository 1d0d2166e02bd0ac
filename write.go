package sessioncast

import (
	"context"
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

// Forever, as a ttl, makes a session that does not end by itself.
const Forever time.Duration = -1

// Set writes a session, new or not, to end after ttl unless it is touched; a ttl of 0 is Config.SessionTTL. data is
// copied. A session destroyed within Config.LogoutHold is refused with ErrDestroyed, because a Set cannot tell
// a new session from a request that was under way when its user logged out; Create and Update can.
func (n *Node) Set(ctx context.Context, id string, data []byte, ttl time.Duration) (Receipt, error) {
	return n.put(ctx, id, table.Write{Value: data}, ttl, nil)
}

// Create writes a session that must not exist; otherwise it returns ErrExists.
func (n *Node) Create(ctx context.Context, id string, data []byte, ttl time.Duration) (Receipt, error) {
	return n.put(ctx, id, table.Write{Value: data, If: table.IfAbsent}, ttl, ErrExists)
}

// Update writes a session that must exist; otherwise, as after a logout anywhere, it returns ErrNotFound.
func (n *Node) Update(ctx context.Context, id string, data []byte, ttl time.Duration) (Receipt, error) {
	return n.put(ctx, id, table.Write{Value: data, If: table.IfPresent}, ttl, ErrNotFound)
}

func (n *Node) put(ctx context.Context, id string, w table.Write, ttl time.Duration, unmet error) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	if id == "" {
		return Receipt{}, ErrNoID
	}
	w.Owner, w.OwnerSet = ownerFor(ctx)
	now := n.nowMillis()
	w.Due = n.due(n.table.Time(now), ttl)
	res, err := n.table.Put(now, key(id), &w)
	if err != nil {
		return Receipt{}, wrap(err)
	}
	switch {
	case !res.Done && unmet == ErrNotFound:
		return Receipt{}, n.missing(id)
	case !res.Done:
		return Receipt{}, unmet
	}
	return n.receipt(ctx, res.Seq), nil
}

func (n *Node) due(now int64, ttl time.Duration) int64 {
	switch {
	case ttl == 0:
		ttl = n.cfg.SessionTTL
	case ttl < 0:
		return 0
	}
	return now + max(ttl.Milliseconds(), 1)
}

// Touch makes a session end ttl from now, a ttl of 0 being Config.SessionTTL; its data stays. Most touches cost no
// datagram: the peers have been promised a little more than they needed to know.
func (n *Node) Touch(ctx context.Context, id string, ttl time.Duration) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	now := n.nowMillis()
	res, err := n.table.Expire(now, key(id), n.due(n.table.Time(now), ttl), table.ExpireAlways)
	if err != nil {
		return Receipt{}, wrap(err)
	}
	if !res.Existed {
		return Receipt{}, n.missing(id)
	}
	return n.receipt(ctx, res.Seq), nil
}

// Destroy ends a session everywhere and for good; it may be unknown here, its creation being on the way. It returns no
// error where there was nothing to destroy.
func (n *Node) Destroy(ctx context.Context, id string) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	res, err := n.table.Destroy(n.nowMillis(), key(id), true)
	if err != nil {
		return Receipt{}, wrap(err)
	}
	if !res.Done && n.table.Partial() { // too many unknown ones at a time: this one may live on
		return Receipt{}, ErrIncomplete
	}
	return n.receipt(ctx, res.Seq), nil
}

// Clear destroys all sessions, on all nodes, also those made elsewhere at the same moment by who has not heard of it yet. So it waits
// for all peers, where Config.Ack or WithAck says to wait for any: after a receipt that is not degraded, what is created anywhere stays.
func (n *Node) Clear(ctx context.Context) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	seq, err := n.table.Flush(n.nowMillis(), 0)
	if err != nil {
		return Receipt{}, wrap(err)
	}
	want := n.ackFor(ctx)
	if want != 0 {
		want = AckAll.peers()
	}
	return n.receiptOf(ctx, seq, want), nil
}

// wrap says whose error it is.
func wrap(err error) error { return fmt.Errorf("sessioncast: %w", err) }

// ackOf is the context key of WithAck.
type ackOf struct{}

// WithAck makes writes under the context wait for other peers than Config.Ack says: one write at a time, or all of a store
// that passes its caller's context on. AckDefault is Config.Ack again.
func WithAck(ctx context.Context, ack Ack) context.Context {
	return context.WithValue(ctx, ackOf{}, ack)
}

// ackFor is how many peers a write under ctx waits for.
func (n *Node) ackFor(ctx context.Context) int {
	ack, _ := ctx.Value(ackOf{}).(Ack)
	if ack == AckDefault || ack < AckAll {
		ack = n.cfg.Ack
	}
	return ack.peers()
}

// receipt waits for the peers as Config.Ack asks, or the context.
func (n *Node) receipt(ctx context.Context, seq uint64) Receipt {
	return n.receiptOf(ctx, seq, n.ackFor(ctx))
}

func (n *Node) receiptOf(ctx context.Context, seq uint64, want int) Receipt {
	if seq == 0 {
		return Receipt{}
	}
	peers, live := n.node.AwaitSync(ctx, seq, want, 0), n.node.Peers()
	return Receipt{Peers: peers, Degraded: peers < min(want, live)}
}

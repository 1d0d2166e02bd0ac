package sessioncast

import (
	"context"
	"iter"
	"slices"

	"github.com/sessioncast/sessioncast/internal/table"
)

// ownerOf is the context key of WithOwner.
type ownerOf struct{}

// WithOwner makes writes under the context put an owner label on the session, of up to 256 bytes: who it belongs to, as the user's id. An empty label takes it off. Writes
// without it leave the label as it is. It is what [Node.ByOwner] and [Node.DestroyOwner] go by; it is replicated as the data is, and as secret.
func WithOwner(ctx context.Context, owner string) context.Context {
	return context.WithValue(ctx, ownerOf{}, owner)
}

// ownerFor is the label that writes under ctx put on, if any.
func ownerFor(ctx context.Context) (owner string, set bool) {
	owner, set = ctx.Value(ownerOf{}).(string)
	return owner, set
}

// ownerBatch is how many of an owner's sessions are taken at a time.
const ownerBatch = 256

// ByOwner iterates over the sessions with an owner label that are there from its start to its end; of those that come or go meanwhile
// some may be seen. It takes a time in proportion to these, however many others there are. An empty label is nobody's.
func (n *Node) ByOwner(ctx context.Context, owner string) iter.Seq[Session] {
	return func(yield func(Session) bool) {
		var batch []Session
		for cursor, more := uint64(0), true; more && ctx.Err() == nil; more = cursor != 0 {
			batch = batch[:0]
			cursor = n.table.Owned(n.nowMillis(), 0, owner, cursor, ownerBatch, func(name string, v table.View) {
				batch = append(batch, session(name, v))
			})
			for _, s := range batch {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// DestroyOwner destroys the sessions with an owner label, everywhere and for good, but those with the ids of except: a logout on all of a user's
// devices. It returns how many of them were alive here. Where Config.Ack or WithAck says to wait for any peer, it waits until all have
// confirmed it and have told of all that was created on them before the call, up to 1.5 s or Config.AckTimeout, and then looks once more: a login which was on its way here is ended, too. One that is younger than the call stays, so
// where a password was stolen, keep it from logging in first.
//
// If the receipt is Degraded, a peer that cannot be reached may have sessions that nobody else has heard of, and they live on. A session whose creation is known is ended wherever it
// is written at the same moment. The error is ErrIncomplete on a node that
// does not hold every session; those that are here are destroyed.
func (n *Node) DestroyOwner(ctx context.Context, owner string, except ...string) (destroyed int, _ Receipt, err error) {
	l := table.Logout{Owner: owner}
	if len(except) > 0 {
		l.Except = func(id string) bool { return slices.Contains(except, id) }
	}
	want := n.ackFor(ctx)
	if want != 0 {
		want = AckAll.peers()
	}
	res, err := n.node.LogOut(ctx, 0, l, want)
	receipt := Receipt{Peers: res.Peers, Degraded: res.Degraded}
	switch {
	case err != nil:
		return res.Destroyed, receipt, wrap(err)
	case res.Partial:
		return res.Destroyed, receipt, ErrIncomplete
	}
	return res.Destroyed, receipt, nil
}

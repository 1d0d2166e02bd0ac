package node

import (
	"context"

	"github.com/sessioncast/sessioncast/internal/table"
)

// logoutPage is how many of an owner's sessions are looked up at a time.
const logoutPage = 1024

// LoggedOut is what became of a LogOut.
type LoggedOut struct {
	Destroyed int  // sessions that a reader here would have found
	Peers     int  // live peers that hold all of it
	Degraded  bool // fewer of them answered in time than were waited for
	Partial   bool // this node does not hold every session: there may be more
}

// LogOut destroys the sessions of db that carry an owner label, but those that l excepts, and waits for want peers, as Await does. What this node has not heard of
// stays, since only what is known can be destroyed. So it waits until the peers have told all that they had created before it began, looks again, and destroys what was created up to
// then. A login that comes later stays.
func (n *Node) LogOut(ctx context.Context, db int, l table.Logout, want int) (res LoggedOut, err error) {
	began := n.table.Present(n.Now().UnixMilli())
	defer func() { res.Partial = n.table.Partial() }()
	seq, err := n.destroyOwned(ctx, db, &l, &res)
	if err != nil || want == 0 || n.Peers() == 0 {
		return res, err
	}
	writes := 0
	if seq != 0 {
		writes = 1
	}
	peers := wait(ctx, func(done func(int)) (bool, int) { return n.AwaitTold(seq, writes, began, done) })
	res.Peers, res.Degraded = peers, peers < n.wanted(want)
	l.Born = began
	if seq, err = n.destroyOwned(ctx, db, &l, &res); seq != 0 {
		again, degraded := n.confirmed(ctx, seq, want)
		res.Peers, res.Degraded = min(peers, again), res.Degraded || degraded
	}
	return res, err
}

// destroyOwned is one pass over what is here.
func (n *Node) destroyOwned(ctx context.Context, db int, l *table.Logout, res *LoggedOut) (seq uint64, err error) {
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		if err := ctx.Err(); err != nil {
			return seq, err
		}
		page, err := n.table.DestroyOwned(n.Now().UnixMilli(), db, l, cursor, logoutPage)
		res.Destroyed += page.Destroyed
		seq, cursor = max(seq, page.Seq), page.Next
		if err != nil {
			return seq, err
		}
	}
	return seq, nil
}

// confirmed waits for peers to hold a change.
func (n *Node) confirmed(ctx context.Context, seq uint64, want int) (peers int, degraded bool) {
	peers = n.AwaitSync(ctx, seq, want, 0)
	return peers, peers < n.wanted(want)
}

// wanted is how many of the peers that there are have to confirm.
func (n *Node) wanted(want int) int {
	switch {
	case want == AckAllOrNone && n.cfg.Ack == 0:
		return 0
	case want < 0:
		return n.Peers()
	}
	return min(want, n.Peers())
}

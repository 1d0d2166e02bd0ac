package daemon

import (
	"context"
	"slices"

	"github.com/sessioncast/sessioncast/internal/admin"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/resp"
	"github.com/sessioncast/sessioncast/internal/table"
)

// ownedPage is how many of an owner's sessions the admin API tells at a time.
const ownedPage = 1024

// sessions is what the admin API finds and ends single sessions by.
type sessions struct{ cluster }

// store is nil until the node is open.
func (d *daemon) store() admin.Store {
	if n := d.node.Load(); n != nil {
		return sessions{d.cluster(n)}
	}
	return nil
}

// Owned implements admin.Store.
func (s sessions) Owned(db int, owner string, cursor uint64, emit func(name, tag string, v table.View)) (next uint64) {
	t := s.node.Table()
	return t.Owned(s.node.Now().UnixMilli(), db, owner, cursor, ownedPage, func(name string, v table.View) {
		emit(name, t.Tag(record.Key{DB: uint8(db), Name: name}), v)
	})
}

// LogOut implements admin.Store. It waits for all peers, where writes wait for any.
func (s sessions) LogOut(ctx context.Context, r *admin.LogoutRequest) (admin.LogoutResult, error) {
	l := table.Logout{Owner: r.Owner}
	if len(r.Except) > 0 {
		l.Except = func(name string) bool {
			return slices.Contains(r.Except, name) || slices.Contains(r.Except, s.node.Table().Tag(record.Key{DB: uint8(r.DB), Name: name}))
		}
	}
	res, err := s.node.LogOut(ctx, r.DB, l, node.AckAllOrNone)
	return admin.LogoutResult{Destroyed: res.Destroyed, Peers: res.Peers, Degraded: res.Degraded, Partial: s.Partial()}, err
}

// Partial implements admin.Store.
func (s sessions) Partial() bool { return s.Holding() != resp.HoldsAll }

package daemon

import (
	"errors"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/bridge"
	jsonfields "github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// maxKey bounds a key's name.
const maxKey = record.MaxName

// bridgeStore is the sessions that a bridge shares: those of database 0 under its prefix, as text.
type bridgeStore struct {
	node   *node.Node
	prefix string
}

func (s bridgeStore) key(sid string) record.Key { return record.Key{Name: s.prefix + sid} }

// Get implements bridge.Store.
func (s bridgeStore) Get(now time.Time, sid string) (out bridge.Stored, there, ended bool) {
	t, k := s.node.Table(), s.key(sid)
	v, there := t.Get(now.UnixMilli(), k)
	if !there {
		return out, false, t.Destroyed(k) != 0
	}
	return stored(sid, v), true, false
}

func stored(sid string, v table.View) bridge.Stored {
	return bridge.Stored{SID: sid, Value: v.Value, Due: v.Due}
}

// errIncomplete says that the session may be elsewhere: a write would go over it.
var errIncomplete = errors.New("this node has no room for all sessions")

// Put implements bridge.Store. An upsert is refused where the session was logged out a moment ago, here or elsewhere.
func (s bridgeStore) Put(now time.Time, sid string, w *bridge.Write) error {
	t, k, ms := s.node.Table(), s.key(sid), now.UnixMilli()
	if !t.Knows(ms, k) {
		return errIncomplete
	}
	due := w.Due
	if due != 0 {
		due += t.Time(ms) - ms // the cluster's clock is the one that counts
	}
	if p := patchOf(w, due); p != nil {
		res, err := t.Patch(ms, k, p)
		if err == nil && !res.Done {
			err = bridge.ErrDestroyed
		}
		return err
	}
	_, err := t.Put(ms, k, &table.Write{Value: w.Value, Due: due, Owner: w.Owner, OwnerSet: w.OwnerSet})
	if errors.Is(err, table.ErrDestroyed) {
		return bridge.ErrDestroyed
	}
	return err
}

// patchOf is nil where the session is to be written whole.
func patchOf(w *bridge.Write, due int64) *table.Patch {
	if !w.Patch {
		return nil
	}
	p := &table.Patch{Remove: w.Remove, Due: due, Owner: w.Owner, OwnerSet: w.OwnerSet}
	for _, f := range w.Set {
		m := jsonfields.Member{Name: f.Name, Value: f.Raw}
		if m.Check() != nil {
			return nil
		}
		p.Set = append(p.Set, m)
	}
	return p
}

// Destroy implements bridge.Store.
func (s bridgeStore) Destroy(now time.Time, sid string) error {
	_, err := s.node.Table().Destroy(now.UnixMilli(), s.key(sid), true)
	return err
}

// scanBatch is how many sessions are looked at in one step.
const scanBatch = 64

// Scan implements bridge.Store.
func (s bridgeStore) Scan(now time.Time, cursor uint64, emit func(bridge.Stored)) (next uint64) {
	return s.node.Table().Scan(now.UnixMilli(), 0, cursor, scanBatch, func(name string, v table.View) {
		if sid, mine := strings.CutPrefix(name, s.prefix); mine && sid != "" {
			v.Render()
			emit(stored(sid, v))
		}
	})
}

package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// What a node holds of all origins often exceeds a heartbeat, most of all of those that are gone: every restart of any member
// leaves one. So the order matters: what a member that died a moment ago had written last may be here only.

const (
	recentlyDead   = time.Minute
	maxRecentFirst = 16 // vectors of the recently dead that stand in every heartbeat
)

// vectorSlices keeps where the next slice of each part begins.
type vectorSlices struct {
	live, dead        int // where they begin
	first             int // vectors of the recently dead in the heartbeat made last
	liveLen, deadLen  int // and of the other parts, all slices together
	deadBeforeLiving  bool
	recent, long, now []wire.Vector // reused
}

// vectors lists what this node holds of the recently dead, the living and those long dead, of the dead only while some peer
// holds something else of them; each part from where its last slice ended.
func (m *Machine) vectors(into []wire.Vector, dead uint64) []wire.Vector {
	s, withDead := &m.beat.slices, m.deadDiffer(dead)
	s.recent, s.now, s.long = s.recent[:0], s.now[:0], s.long[:0]
	for _, o := range m.known {
		if o == nil || o.ref == m.self || o.held.Empty() {
			continue
		}
		v := wire.Vector{Origin: o.ref, Set: o.held}
		switch p := m.members.byRef[o.ref]; {
		case p != nil && p.live():
			s.now = append(s.now, v)
		case !withDead:
		case p != nil && m.now.Sub(p.heard) < recentlyDead && len(s.recent) < maxRecentFirst:
			s.recent = append(s.recent, v)
		default:
			s.long = append(s.long, v)
		}
	}
	s.first, s.liveLen, s.deadLen = len(s.recent), len(s.now), len(s.long)
	parts := [][]wire.Vector{rotated(s.now, s.live), rotated(s.long, s.dead)}
	if s.deadBeforeLiving {
		slices.Reverse(parts)
	}
	return append(append(append(into, s.recent...), parts[0]...), parts[1]...)
}

// sent notes that the first n vectors found room. Where the living fill whole frames, those long dead go first now and then.
func (s *vectorSlices) sent(n int) {
	n = max(0, n-s.first)
	live := min(n, s.liveLen)
	dead := n - live
	if s.deadBeforeLiving {
		dead = min(n, s.deadLen)
		live = n - dead
	}
	s.live, s.dead = rotate(s.live, live, s.liveLen), rotate(s.dead, dead, s.deadLen)
	s.deadBeforeLiving = s.deadLen > 0 && dead == 0
}

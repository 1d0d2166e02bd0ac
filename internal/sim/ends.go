package sim

import (
	"github.com/sessioncast/sessioncast/internal/record"
)

// ending is the latest end that a node was seen to come to with nothing left of the session: its deadline's version, and whose it was, in
// the observer's terms. Whatever is older has ended as well, whenever it arrives.
type ending struct {
	at, birth record.Version
}

// noteEnd looks, where a key's last births have gone, whether that was because their time was over.
func (n *Node) noteEnd(k record.Key, s *record.State, was *seen) {
	if len(s.Births) > 0 || len(was.births) == 0 || n.strange() || n.wasFar {
		return
	}
	var e ending
	var latest int64
	for id, had := range was.births {
		if n.origins.Later(had.deadline, e.at) {
			e, latest = ending{had.deadline, id}, had.latest
		}
	}
	e = ending{n.global(e.at), n.global(e.birth)}
	if latest+2*maxSkew.Milliseconds() <= n.forgetMillis() && n.counts(k, &e, was) && n.world.origins.Later(e.at, was.ended.at) {
		was.ended = e
	}
}

// counts reports whether an end is to be remembered still: as long as a tombstone is, and until its birth is known to be destroyed.
func (n *Node) counts(k record.Key, e *ending, was *seen) bool {
	past := n.forgetMillis() - lookEvery.Milliseconds() // what was raised ahead of the clocks does not count until then
	return !e.at.IsZero() && e.birth.At > max(was.tomb, was.hold, n.floorSeen(k.DB)) && e.at.At.Add(2*maxSkew).Millis() <= past &&
		min(e.at.At, e.birth.At).Add(n.table.Keep()).Millis() > n.lateMillis() && n.table.Stats().EndsDropped == 0
}

// checkEnded: who saw a later deadline come to its end shows nothing older, told of what or by whom ever.
func (n *Node) checkEnded(k record.Key, d *record.Deadline, was *seen) {
	if n.leaving || !n.counts(k, &was.ended, was) {
		return
	}
	if shown := n.global(d.Version); n.world.origins.Later(was.ended.at, shown) {
		n.broken("promise 5", k, "shows what lives by deadline %v, and %v has ended", shown, was.ended.at)
	}
}

// checkEndsTold: nor does anybody, once all that can talk have talked.
func (w *World) checkEndsTold(k record.Key) {
	for _, n := range w.core() {
		if _, visible := n.table.Get(n.wall(), k); !visible || n.strange() {
			continue
		}
		var s record.State
		n.table.Load(k, &s)
		_, d := s.Winner(n.origins, n.floorSeen(k.DB))
		for _, m := range w.core() {
			e := m.watch.of(k).ended
			if d != nil && m.counts(k, &e, m.watch.of(k)) && n.counts(k, &e, n.watch.of(k)) && w.origins.Later(e.at, n.global(d.Deadline.Version)) {
				n.broken("promise 5", k, "shows what ended at %s", nodeName(m.id))
			}
		}
	}
}

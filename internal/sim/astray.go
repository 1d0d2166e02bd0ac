package sim

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// In forgetful runs nothing is left of collected tombstones, as where too many were collected since, or all who remember restarted: what
// absence is worth by itself shows in these. It is worth nothing for a birth whose creating dot some node lacks when a tombstone that kills
// it may go first: that node tells the destroy on, and not the birth's end. Such births are astray (a known limit).

// watchTomb looks at the births of a tombstone's key when it may be collected.
func (w *World) watchTomb(k record.Key, t record.Tombstone) {
	if !w.opts.Forgetful || t.Until == 0 {
		return
	}
	left := time.Duration(t.Until-moment(w.now, 0).UnixMilli()) * time.Millisecond
	w.after(max(left-w.opts.SkewLimit, 0), func() { w.noteAstray(k, t) })
}

func (w *World) noteAstray(k record.Key, t record.Tombstone) {
	h := w.ledger.of(k)
	for _, n := range w.ours() {
		if !n.up {
			continue
		}
		held := n.held()
		for id, fact := range h.births {
			if set := held[id.By]; id.At <= max(t.At, t.Hold) && (set == nil || !set.Contains(fact.seq)) {
				h.astray[id] = true
			}
		}
	}
}

// noteBehind: so is a birth that a clock far behind has stamped, below tombstones that may be gone.
func (n *Node) noteBehind(h *history, b *record.Birth) {
	id, w := n.global(b.ID), n.world
	if _, known := h.births[id]; !known && w.opts.Forgetful && b.ID.At.Add(maxSkew).Millis() < moment(w.now, 0).UnixMilli() {
		h.astray[id] = true
	}
}

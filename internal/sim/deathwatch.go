package sim

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
)

// breakWatches ends the connections that others keep to a process that is gone: its kernel tells them, where the network
// lets it. A watcher that is stopped at that moment learns nothing, and has the silence to go by.
func (w *World) breakWatches(gone record.Origin) {
	for _, n := range w.nodes {
		for _, k := range n.kept {
			if k.Origin != gone || w.nemesis.IntN(4) == 0 {
				continue
			}
			life := n.life
			w.after(startWait, func() {
				if n.life == life {
					n.step(engine.WatchBroken{Origin: gone})
				}
			})
		}
	}
}

// strikeWatch ends a connection to a peer that lives.
func (w *World) strikeWatch(time.Duration) {
	n := w.victim()
	if n == nil || len(n.kept) == 0 {
		return
	}
	w.stats.Faults[StreamBreak]++
	n.step(engine.WatchBroken{Origin: n.kept[w.nemesis.IntN(len(n.kept))].Origin})
}

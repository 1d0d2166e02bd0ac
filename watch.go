package sessioncast

import (
	"context"
	"iter"

	"github.com/sessioncast/sessioncast/internal/table"
)

// EventKind is what happened to a session.
type EventKind uint8

// The kinds of event.
const (
	Created   EventKind = iota + 1
	Changed             // its data or owner
	Touched             // its end only
	Destroyed           // by Destroy or Clear
	Expired
	// Missed stands for events lost because their reader was too slow: what it keeps by them must be read anew.
	Missed
)

var eventNames = [...]string{"", "created", "changed", "touched", "destroyed", "expired", "missed"}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event tells what happened to a session. The events of one session come in order.
type Event struct {
	Kind   EventKind
	ID     string // "" for Missed
	Remote bool   // another node's doing
}

// watchBuffer is how many events may wait for a slow reader.
const watchBuffer = 8192

// Watch returns what happens to sessions from now on, on any node, until ctx ends or the node is closed:
//
//	for event := range node.Watch(ctx) {
//		…
//	}
//
// It never slows the node down: a reader that is too slow loses events, which a Missed tells.
func (n *Node) Watch(ctx context.Context) iter.Seq[Event] {
	w := n.openWatcher()
	stop := context.AfterFunc(ctx, func() { n.closeWatcher(w) })
	return func(yield func(Event) bool) {
		if w == nil {
			return
		}
		defer n.closeWatcher(w)
		defer stop()
		var lost uint64
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-w.C():
				if !ok {
					return
				}
				if now := w.Lost(); now != lost {
					lost = now
					if !yield(Event{Kind: Missed}) {
						return
					}
				}
				if e.Key.DB == 0 && !yield(Event{Kind: kindOf(e.Kind), ID: e.Key.Name, Remote: e.Remote}) {
					return
				}
			}
		}
	}
}

func kindOf(k table.EventKind) EventKind {
	switch k {
	case table.Created:
		return Created
	case table.Changed:
		return Changed
	case table.Touched:
		return Touched
	case table.Destroyed:
		return Destroyed
	}
	return Expired
}

// openWatcher is nil once the node is closed.
func (n *Node) openWatcher() *table.Watcher {
	n.watchers.Lock()
	defer n.watchers.Unlock()
	if n.watchers.closed {
		return nil
	}
	w := n.table.Watch(watchBuffer)
	n.watchers.open[w] = struct{}{}
	return w
}

func (n *Node) closeWatcher(w *table.Watcher) {
	if w == nil {
		return
	}
	n.watchers.Lock()
	delete(n.watchers.open, w)
	n.watchers.Unlock()
	w.Close()
}

func (n *Node) closeWatchers() {
	n.watchers.Lock()
	n.watchers.closed = true
	open := n.watchers.open
	n.watchers.open = nil
	n.watchers.Unlock()
	for w := range open {
		w.Close()
	}
}

package table

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sessioncast/sessioncast/internal/record"
)

// maxWatchBuffer bounds what one watcher may ask to have buffered.
const maxWatchBuffer = 1 << 20

// EventKind is what happened to a session, as a reader of this node sees it.
type EventKind uint8

// Kinds of events. A Flush gives one Destroyed for each session.
const (
	Created   EventKind = iota + 1
	Changed             // its value or owner
	Touched             // its deadline only
	Destroyed           // logged out or flushed
	Expired             // past its deadline; sent by the Sweep, or earlier where the key is used
)

// Event tells what happened. Events of one key are in order.
type Event struct {
	Kind   EventKind
	Key    record.Key
	Remote bool  // another node's doing
	At     int64 // cluster time, Unix milliseconds
}

// Watcher receives events until it is closed. It never slows the table down: what it does not take in time is lost,
// and counted. Who keeps something by the events must reread everything when Lost grows.
type Watcher struct {
	t    *Table
	c    chan Event
	lost atomic.Uint64
	once sync.Once
}

type watchers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*Watcher] // nil: nobody watches
}

// Watch starts watching, with room for buffer events.
func (t *Table) Watch(buffer int) *Watcher {
	w := &Watcher{t: t, c: make(chan Event, min(max(buffer, 1), maxWatchBuffer))}
	t.watch.edit(func(list []*Watcher) []*Watcher { return append(list, w) })
	return w
}

func (ws *watchers) edit(change func([]*Watcher) []*Watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var list []*Watcher
	if old := ws.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = change(list); len(list) == 0 {
		ws.list.Store(nil)
		return
	}
	ws.list.Store(&list)
}

// C is where the events come; closed by Close.
func (w *Watcher) C() <-chan Event { return w.c }

// Lost is the number of events for which there was no room.
func (w *Watcher) Lost() uint64 { return w.lost.Load() }

// Close ends the watch and closes C. It must not be called while holding up C's reader forever; calling it twice is
// harmless.
func (w *Watcher) Close() {
	w.once.Do(func() {
		w.t.watch.edit(func(list []*Watcher) []*Watcher {
			return slices.DeleteFunc(list, func(x *Watcher) bool { return x == w })
		})
		w.t.barrier() // sends happen under bucket locks: nobody sends by the old list any more
		close(w.c)
	})
}

// send offers an event to all watchers, under the key's bucket lock.
func send(list *[]*Watcher, o *op, kind EventKind) {
	if list == nil {
		return
	}
	k := record.Key{DB: o.e.db, Name: strings.Clone(o.e.name)} // keeps no value alive
	ev := Event{Kind: kind, Key: k, Remote: o.remote, At: o.at}
	for _, w := range *list {
		select {
		case w.c <- ev:
		default:
			w.lost.Add(1)
		}
	}
}

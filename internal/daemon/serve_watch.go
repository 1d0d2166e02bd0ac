package daemon

import (
	"context"
	"time"

	"github.com/mdlayher/sdnotify"

	"github.com/sessioncast/sessioncast/internal/admin"
)

// watchTask keeps the counts of the last minute and logs what an operator should look at, once as it appears.
type watchTask struct{ d *daemon }

func (t *watchTask) String() string         { return "watch" }
func (t *watchTask) Ready() <-chan struct{} { return always }

// Run looks every few seconds, and more often at what clients run into at once.
func (t *watchTask) Run(ctx context.Context) error {
	tick, often := time.NewTicker(admin.HistoryStep), time.NewTicker(refusalStep)
	defer tick.Stop()
	defer often.Stop()
	var w worries
	var clock refusal
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-often.C:
			t.d.reportRefusal(&clock)
			if n := t.d.node.Load(); n != nil { // multicast may pass for a moment only
				t.d.roster.look(n.Members())
			}
		case <-tick.C:
			r := t.d.reading()
			for _, text := range w.look(r.Findings()) {
				t.d.log.Warn(text)
			}
			if lost := t.d.eventsLost.Swap(0); lost > 0 {
				t.d.log.Warn("events came faster than they could be logged", "lost", lost)
			}
			t.d.past.Lock()
			t.d.past.Add(r.Counts)
			t.d.past.Unlock()
		}
	}
}

// worries remembers which findings were there before, so that each is told once, and only when it lasts.
type worries map[string]int

// toldElsewhere are the kinds of finding that are told at the start or as they happen.
var toldElsewhere = []string{"insecure", "key ", "socket ", "silent ", "alone", "acks", "incomplete", "lacks", "unproven", "unheard ", "shut", "dead ", "own clock"}

// look returns the texts to be told: of findings that are there the second time in a row.
func (w *worries) look(findings []admin.Finding) (tell []string) {
	next := make(worries, len(findings))
	for _, f := range findings {
		next[f.Key] = (*w)[f.Key] + 1
		if next[f.Key] == 2 && !hasPrefixOf(f.Key, toldElsewhere) {
			tell = append(tell, f.Text)
		}
	}
	*w = next
	return tell
}

// notifyTask tells systemd how the daemon is.
type notifyTask struct {
	d     *daemon
	parts []Task
}

func (t *notifyTask) String() string         { return "systemd" }
func (t *notifyTask) Ready() <-chan struct{} { return always }

// statusInterval is how often systemd is told a status line.
const statusInterval = 5 * time.Second

// Run says READY when all parts are, a status line now and then, and STOPPING at the end. Without systemd it does nothing.
func (t *notifyTask) Run(ctx context.Context) error {
	socket := t.d.host.getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	n, err := sdnotify.Open(socket)
	if err != nil {
		t.d.log.Warn("systemd cannot be told that this node is ready", "error", err)
		return nil
	}
	defer n.Close()
	_ = n.Notify(t.status())
	if waitReady(ctx, t.parts) {
		_ = n.Notify(sdnotify.Ready, t.status())
	}
	t.keepTelling(ctx, n)
	return n.Notify(sdnotify.Stopping, sdnotify.Statusf("leaving the cluster"))
}

func (t *notifyTask) status() string { return sdnotify.Statusf("%s", t.d.reading().Status().Verdict) }

func (t *notifyTask) keepTelling(ctx context.Context, n *sdnotify.Notifier) {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = n.Notify(t.status())
		}
	}
}

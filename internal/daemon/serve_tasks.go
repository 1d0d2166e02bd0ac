package daemon

import (
	"context"
	"time"
)

// drainLimit bounds leaving: the node itself waits two seconds for its peers, eight for who can get sessions here only, and says
// goodbye then.
const drainLimit = 9 * time.Second

// nodeTask is the member of the cluster and the server of its clients: ready once it has the others' sessions.
type nodeTask struct {
	d     *daemon
	ready chan struct{}
	done  func() // called when the node has left
}

func (t *nodeTask) String() string         { return "node" }
func (t *nodeTask) Ready() <-chan struct{} { return t.ready }

// Run waits for the end and leaves: writes are refused at once, reads go on until the peers have everything.
func (t *nodeTask) Run(ctx context.Context) error {
	defer t.done()
	n := t.d.node.Load()
	if n.WaitSynced(ctx) == nil {
		close(t.ready)
		joined()
	}
	<-ctx.Done()
	t.d.log.Info("leaving: no more writes; waiting for the peers to have all of this node's changes, and for who joins from it")
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainLimit)
	defer cancel()
	err := n.Close(limited)
	if t.d.clients != nil {
		_ = t.d.clients.Close()
	}
	if err == nil {
		t.d.log.Info("left the cluster")
	}
	return err
}

// adminTask answers questions until the node has left.
type adminTask struct {
	d    *daemon
	last context.Context
}

func (t *adminTask) String() string            { return "admin API" }
func (t *adminTask) Ready() <-chan struct{}    { return always }
func (t *adminTask) Run(context.Context) error { return t.d.admin.Run(t.last) }

// reportTask logs what the node tells, until it has left.
type reportTask struct {
	d    *daemon
	last context.Context
}

func (t *reportTask) String() string         { return "event log" }
func (t *reportTask) Ready() <-chan struct{} { return always }

// Run logs event after event.
func (t *reportTask) Run(context.Context) error {
	for {
		select {
		case e := <-t.d.events:
			t.d.report(e)
		case <-t.last.Done():
			t.rest()
			return nil
		}
	}
}

// rest logs what still waits.
func (t *reportTask) rest() {
	for {
		select {
		case e := <-t.d.events:
			t.d.report(e)
		default:
			return
		}
	}
}

package table

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// eventually polls for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

func TestATransferTakesPagesThatAreReady(t *testing.T) {
	from, to := newNode(t, 1), newNode(t, 2)
	value := strings.Repeat("v", 1000)
	for i := range 800 {
		from.put(fmt.Sprint(i), value)
	}
	ready := map[*page]bool{}
	for range stockPages {
		pg := touchedPage()
		ready[pg] = true
		to.stock <- pg
	}
	from.sendAll(to)
	to.audit()
	for i := range to.arenas {
		delete(ready, to.arenas[i].open)
	}
	if len(ready) == stockPages || len(to.stock) == stockPages {
		t.Errorf("%d of %d pages that were ready are left, and none is filled", len(to.stock), stockPages)
	}
}

func TestPagesAreReadyUntilATransferIsOver(t *testing.T) {
	n := newNode(t, 1)
	stop, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		n.Stock(stop)
	}()
	eventually(t, "pages are ready", func() bool { return len(n.stock) == stockPages })
	<-n.stock
	eventually(t, "another takes its place", func() bool { return len(n.stock) == stockPages })
	close(stop)
	<-over
	if left := len(n.stock); left != 0 {
		t.Errorf("%d pages are kept when it is over", left)
	}
}

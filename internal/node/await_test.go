package node

import (
	"testing"
	"time"
)

func TestWhatWaitsForAllOrNoneGoesByThePolicy(t *testing.T) {
	for policy, want := range map[int]int{0: 0, 1: AckAll, 3: AckAll, AckAll: AckAll} {
		n := &Node{cfg: Config{Ack: policy}, wake: make(chan struct{}, 1)}
		n.awaits.done = make(map[uint64]func(int))
		n.peers.Store(1)
		pending, _ := n.Await(1, 1, AckAllOrNone, time.Hour, func(int) {})
		asked := n.awaits.take()
		if pending != (want != 0) || pending && (len(asked) != 1 || asked[0].K != want) {
			t.Errorf("where writes wait for %d it asks for %+v, want %d", policy, asked, want)
		}
	}
}

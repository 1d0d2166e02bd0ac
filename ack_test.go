package sessioncast

import (
	"context"
	"math"
	"testing"

	"github.com/sessioncast/sessioncast/internal/node"
)

// "ack = 0 | k | all, per store and per call"
func TestACallChoosesItsAcknowledgements(t *testing.T) {
	alone(t, Config{Ack: 2}, func(t *testing.T, n *Node) {
		for ack, want := range map[Ack]int{AckDefault: 2, AckNone: 0, AckAll: node.AckAll, 1: 1, 5: 5, math.MinInt: 2} {
			if got := n.ackFor(WithAck(context.Background(), ack)); got != want {
				t.Errorf("WithAck(%d) waits for %d peers, want %d", ack, got, want)
			}
		}
		if got := n.ackFor(t.Context()); got != 2 {
			t.Errorf("without WithAck it waits for %d", got)
		}
		receipt, err := n.Set(WithAck(t.Context(), AckAll), "id", nil, 0)
		if err != nil || receipt != (Receipt{}) {
			t.Errorf("all peers of a node alone: %+v, %v", receipt, err)
		}
	})
}

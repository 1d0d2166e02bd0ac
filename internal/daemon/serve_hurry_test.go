package daemon

import (
	"testing"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestWhoEndsAtOnceSaysWhatItTakesAlong(t *testing.T) {
	self := engine.Member{Self: true, State: wire.Synced}
	for _, test := range []struct {
		name     string
		peers    []engine.Member
		sessions int64
		want     string
	}{
		{"empty and alone", nil, 0, "it had no sessions"},
		{"alone", nil, 1_204, "no peer that has everything is there, and what no other node has of 1,204 sessions is lost"},
		{"the others are dead, or lack sessions", []engine.Member{{State: wire.Dead}, {State: wire.Joining}, {State: wire.Synced, Lacking: true}, {State: wire.Synced, Incomplete: true}}, 1,
			"no peer that has everything is there, and what no other node has of 1 session is lost"},
		{"one has all", []engine.Member{{State: wire.Synced, Lag: 7}, {State: wire.Synced}}, 9, "a peer has confirmed all changes of this node"},
		{"none has all", []engine.Member{{State: wire.Synced, Lag: 7}, {State: wire.Suspect, Lag: 3}}, 9, "3 changes of this node, which no peer has confirmed, may be lost"},
	} {
		if got := takenAlong(append([]engine.Member{self}, test.peers...), test.sessions); got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
	}
}

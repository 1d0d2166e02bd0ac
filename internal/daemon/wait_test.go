package daemon

import (
	"testing"

	"github.com/sessioncast/sessioncast/internal/admin"
)

// A node that found no room for the others' sessions has not all of them, whatever its state.
func TestANodeThatIsNotReadyIsNotEnoughForSynced(t *testing.T) {
	s := &admin.Status{State: "synced", Ready: true, Members: []admin.Member{{State: "synced"}, {State: "synced"}}}
	if !enough(s, 2, true) || enough(s, 3, true) {
		t.Error("two synced members are counted wrongly")
	}
	s.Ready = false
	if enough(s, 2, true) || !enough(s, 2, false) {
		t.Error("a node that is not ready is counted as one that holds every session")
	}
}

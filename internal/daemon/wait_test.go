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

// Who lacks sessions for want of room is synced by its state only.
func TestAPeerWithoutRoomForAllIsNotEnoughForSynced(t *testing.T) {
	s := &admin.Status{State: "synced", Ready: true, Members: []admin.Member{{State: "synced", Self: true}, {State: "synced", Lacking: true}}}
	if enough(s, 2, true) || !enough(s, 2, false) || !enough(s, 1, true) {
		t.Error("a peer without room for all sessions is counted as one that holds every session")
	}
}

// Nor does who was synced without all that a donor took along hold every session, this node or another.
func TestWhoLacksWhatADonorTookAlongIsNotEnoughForSynced(t *testing.T) {
	s := &admin.Status{State: "synced", Ready: true, Members: []admin.Member{{State: "synced", Self: true, Incomplete: true}, {State: "synced"}, {State: "synced", Incomplete: true}}}
	if enough(s, 2, true) || !enough(s, 3, false) || !enough(s, 1, true) {
		t.Error("who lacks sessions is counted as one that holds every session")
	}
}

func TestANodeThatLacksChangesOfAPeerIsNotEnoughForSynced(t *testing.T) {
	s := &admin.Status{
		State: "synced", Ready: true, Node: "web-1", Verdict: "2 of 2 members synced.",
		Members: []admin.Member{{State: "synced", Self: true}, {Name: "web-2", State: "synced", Lacks: 1200}, {Name: "web-3", State: "left", Lacks: 3}},
	}
	if enough(s, 2, true) || !enough(s, 2, false) {
		t.Error("a node that lacks changes is counted as one that holds every session")
	}
	if got := whyNot(s, true); got != "2 of 2 members synced. web-1 lacks 1,200 changes of web-2." {
		t.Errorf("it says %q", got)
	}
	s.Members[1].Lacks = 0
	if !enough(s, 2, true) || whyNot(s, true) != s.Verdict {
		t.Error("what a node that left took with it is waited for")
	}
}

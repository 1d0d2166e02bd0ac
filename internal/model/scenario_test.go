package model

import (
	"strings"
	"testing"
)

// scenario is a trace that broke an earlier rule, told in full: with the design's rules it holds at every step and,
// all repaired, ends as want says; with the broken rule it must not hold.
type scenario struct {
	name   string // what would have gone wrong
	params Params
	nodes  int
	script string
	want   bool // in the end the session is shown
	broken Rules
}

var scenarios = []scenario{
	{"two nodes create one key: the lower birth's later write is not lost", small, 2,
		"n1 sets, tick, n0 creates, n0 writes, n0 gets 1.0, n1 gets 0.0, n1 gets 0.1", true,
		Rules{HigherBirthWinsWhole: true}},
	{"a touch that overtakes its create is not lost", small, 2,
		"n0 sets, tick, n0 touches, n1 gets 0.1, n1 gets 0.0, tick, tick, tick", true,
		Rules{TouchCoversEarly: true}},
	{"a touch that overtakes its create shows nothing yet", small, 2,
		"n0 sets, tick, n0 touches, n1 gets 0.1, n1 repairs 0.0 from n0", true,
		Rules{TouchMakesStub: true}},
	{"a session shortened and purged at its origin does not live on elsewhere for its old hour", wide, 2,
		"n1 creates, n0 gets 1.0, n1 shortens, tick, leap, n0 repairs 1.1 from n1", false,
		Rules{PurgeAtOnce: true}},
	{"nor where a touch was under way when it was shortened", wide, 2,
		"n0 creates, n1 gets 0.0, tick, n1 touches, n0 shortens, leap, leap, n1 repairs 0.1 from n0", false,
		Rules{ShortenByOldPromise: true}},
	{"what a short life overrode does not come back when that is forgotten", uneven, 2,
		"n0 creates, tick, n1 sets-brief, leap, leap, n1 gets 0.0", false,
		Rules{EndForgotten: true}},
	{"nor from who was told nothing of it", uneven, 3,
		"n0 creates, tick, n1 sets-brief, n2 gets 1.0, leap, leap, n0 repairs 1.0 from n1, n2 repairs 0.0 from n0", false,
		Rules{EndForgotten: true}},
	{"a touch after a short life elsewhere keeps the session", uneven, 2,
		"n0 creates, tick, n1 sets-brief, tick, n0 touches, leap, leap, n1 gets 0.0, n0 gets 1.1", true,
		Rules{EndNewStamp: true}},
	{"a session created after a destroy does not end with the one destroyed", uneven, 2,
		"n0 sets-brief, n1 destroys, n1 creates, tick, n0 sets-brief, leap, leap, n0 gets 1.0, n0 gets 1.1", true,
		Rules{EndOutlivesDestroy: true}},
	{"a session expired and created again within the grace is the same everywhere", small, 2,
		"n0 sets, leap, tick, n1 repairs 0.0 from n0, n0 creates, n1 gets 0.1", true,
		Rules{PurgeWhole: true}},
	{"what a purged birth overrode does not surface", wide, 2,
		"n1 creates, n0 creates-brief, n0 gets 1.0, n1 gets 0.0, tick, leap, tick", false,
		Rules{PurgeEachBirth: true}},
	{"a hole left by a dead origin does not hide the write after it", small, 3,
		"n0 sets, n0 writes, n1 gets 0.1, n0 restarts, n2 repairs 0.1 from n1", true,
		Rules{PrefixOnly: true}},
	{"a write that came along with a repair is known to have come when its origin dies", small, 3,
		"n0 sets, n2 gets 0.0, n0 writes, n1 repairs 0.0 from n0, n0 restarts, n0 asks n2, n0 joins", true,
		Rules{RepairCoversOne: true}},
	{"a node that lags destroys what it has not seen", small, 2,
		"n1 sets, n0 destroys, n0 gets 1.0", false,
		Rules{DestroyByOwnClock: true}},
	{"a session created again is destroyed again", small, 2,
		"n0 destroys, n0 creates, n0 destroys, n1 repairs 0.0 from n0", false,
		Rules{DestroyBlind: true}},
	{"a session created again at once lives", small, 2,
		"n0 sets, n0 destroys, n0 creates, n1 gets 0.2, n1 gets 0.1, n1 gets 0.0", true,
		Rules{StampByClock: true}},
	{"a late create does not undo a logout", small, 2,
		"n0 sets, n0 destroys, n1 gets 0.1, n1 gets 0.0", false,
		Rules{NoTombstoneCheck: true}},
	{"nor does one after the skew", small, 2,
		"n0 destroys, n1 gets 0.0, n1 sets-anew, n1 destroys, leap, leap, n0 gets 1.0", false,
		Rules{CollectEarly: true}},
	{"a racing upsert elsewhere does not undo a logout", small, 2,
		"n0 sets, n0 destroys, tick, n1 sets, n0 gets 1.0, n1 gets 0.1", false,
		Rules{WeakOutlivesHold: true}},
	{"nor does it because nobody marked it", small, 2,
		"n0 sets, n0 destroys, tick, n1 sets, n0 gets 1.0, n1 gets 0.1", false,
		Rules{UpsertExplicit: true}},
	{"who has seen the session gone may set it anew within the hold", small, 2,
		"n0 sets, n1 gets 0.0, n0 destroys, n1 gets 0.1, n1 sets-anew, n0 gets 1.0", true,
		Rules{NoTombstoneCheck: true, StampByClock: true}},
	{"a user who touched within the promise keeps the session another node shortens before", padded, 2,
		"n0 creates, tick, n0 touches, n1 repairs 0.0 from n0, n1 shortens, tick, n0 touches, n0 gets 1.0", true,
		Rules{TouchNotReissued: true}},
	{"a shortening discards the older touch", padded, 2,
		"n0 creates, tick, n0 touches, tick, n0 touches, n0 shortens, n1 repairs 0.0 from n0, leap", false,
		Rules{ShortenKeepsTouch: true}},
	{"a re-issued touch does not win over the shortening after it", ahead(padded, 2), 3,
		"n0 creates, tick, n0 touches, n1 repairs 0.0 from n0, n2 repairs 0.0 from n0, n1 shortens, tick, n0 touches, " +
			"n2 shortens, tick, n0 gets 1.0", false,
		Rules{ReissueNewStamp: true}},
	{"no peer expires what its user keeps alive", small, 2,
		"n0 sets, n1 gets 0.0, tick, tick, n0 touches, n1 gets 0.1, tick, tick, n1 touches", true,
		Rules{TouchAlwaysLocal: true}},
	{"a fast clock does not expire early", small, 2,
		"n0 sets, n1 gets 0.0, tick, tick", true,
		Rules{HideWithoutSkew: true}},
	{"a session without a deadline does not outlive the one it was given", immortal(small), 2,
		"n0 creates, n0 persists, n1 repairs 0.0 from n0, n0 shortens, leap, tick, tick, tick, tick, n1 repairs 0.2 from n0", false,
		Rules{PersistForgotten: true}},
	{"a write during a snapshot is not claimed by it", small, 2,
		"n0 restarts, n0 asks n1, n0 reads, n1 sets, n0 joins", true,
		Rules{SnapshotClaimsEnd: true}},
	{"a session destroyed in one part does not come back from the other after its tombstone", oblivious, 2,
		"n0 creates, n1 gets 0.0, n0 destroys, tick, n1 asks n0, n1 joins", false,
		Rules{NoAbsence: true}},
	{"nor because its destroyer's answer is nothing", oblivious, 2,
		"n0 creates, n1 gets 0.0, n0 destroys, tick, n1 repairs 0.1 from n0", false,
		Rules{RepairOld: true}},
	{"nor by a write in the other part", oblivious, 2,
		"n0 creates, n1 gets 0.0, n0 destroys, tick, n1 writes, n0 gets 1.0", false,
		Rules{NoRefusal: true}},
	{"nor at a node that joins while the parts meet", oblivious, 3,
		"n0 creates, n1 gets 0.0, n0 destroys, tick, n2 asks n0, n2 reads, n1 writes, n2 gets 1.0, n2 joins", false,
		Rules{RefuseByHeld: true}},
	{"nor by a transfer from one part and then from the other", oblivious, 3,
		"n0 creates, n1 gets 0.0, n0 destroys, tick, n2 asks n1, n2 reads, n2 asks n0, n2 joins", false,
		Rules{ClaimAny: true}},
	{"what was created on both sides lives on both", apart, 2,
		"n0 creates, tick, n1 creates, tick, n1 asks n0, n1 joins, n0 asks n1, n0 joins", true,
		Rules{AbsenceDiscards: true}},
	{"nor where who has only the destroy tells it on when the tombstone is gone", apart, 3,
		"n0 creates, n1 destroys, n1 gets 0.0, n2 gets 1.0, tick, n0 asks n2, n0 joins", false,
		Rules{TombForgotten: true}},
	{"nor where nobody in the destroyer's part had heard of it", apart, 2,
		"n0 creates, n1 destroys, tick, n0 asks n1, n0 joins", false,
		Rules{TombForgotten: true}},
	{"nor where the destroy outlived its dot, by a transfer that broke off", apart, 3,
		"n0 creates, n1 gets 0.0, n1 destroys, n2 asks n1, n2 reads, n1 restarts, tick, n2 gets 0.0", false,
		Rules{TombForgotten: true}},
	{"a session that expired in one part for a short time lives", brief, 2,
		"n0 creates, n1 gets 0.0, tick, n1 touches, tick, leap, n1 asks n0, n1 joins", true,
		Rules{AbsenceAlways: true}},
}

// ahead puts one node's clock ahead, and no other.
func ahead(p Params, node int) Params {
	p.Clock = [maxNodes]int16{}
	p.Clock[node] = p.Skew
	return p
}

func (sc scenario) run(t *testing.T, r Rules) (World, State, error) {
	t.Helper()
	w := World{Params: sc.params, Rules: r, Nodes: sc.nodes}
	s := w.Start()
	for _, line := range strings.Split(sc.script, ", ") {
		a, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		ok, err := w.Apply(&s, a)
		if err == nil {
			err = w.check(&s)
		}
		if err != nil {
			return w, s, err
		}
		if !ok && r == (Rules{}) && a.Act != actDeliver && a.Act != actRepair {
			t.Fatalf("%q does nothing", line)
		}
	}
	return w, s, nil
}

// TestScenarios replays every "because" of design 3 and every trace that the search added.
func TestScenarios(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			w, s, err := sc.run(t, Rules{})
			if err != nil {
				t.Fatal(err)
			}
			w.converge(&s, 0)
			for n := range sc.nodes {
				if got := w.visible(&s, n); got != sc.want {
					t.Errorf("n%d shows it: %v, want %v (%s)", n, got, sc.want, w.keys(&s))
				}
			}
			if _, _, err := sc.run(t, sc.broken); err == nil {
				t.Errorf("holds with the broken rule %+v too", sc.broken)
			}
		})
	}
}

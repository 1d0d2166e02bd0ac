package node

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sessioncast/sessioncast/internal/table"
)

// A user logs in on one node in the very moment in which he is logged out on another: what was there when the logout began is gone when it has
// ended, also where the other had not heard of a single session of his.
func TestALogoutEverywhereLeavesNobodyBehind(t *testing.T) {
	const port = 24194
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "a and b see each other synced", func() bool { return a.Peers() == 1 && b.Peers() == 1 })
	const rounds = 300
	unheard, held := 0, 0
	for round := range rounds {
		owner := fmt.Sprint("user", round)
		putOwned(t, b, owner, owner)
		if ownedBy(a, owner) == 0 {
			unheard++
		}
		res, err := a.LogOut(context.Background(), 0, table.Logout{Owner: owner}, AckAll)
		if err != nil || res.Degraded { // on a busy machine; nothing is promised then
			t.Logf("round %d: %+v, %v", round, res, err)
			continue
		}
		held++
		if n := ownedBy(a, owner) + ownedBy(b, owner); n != 0 {
			t.Errorf("round %d: a login from before is there still", round)
		}
	}
	if unheard == 0 || held < rounds/2 {
		t.Errorf("%d logouts were confirmed in time, %d of users of whom nothing was known: nothing is shown", held, unheard)
	}
	t.Logf("in %d of %d rounds nothing of the user was known where he was logged out", unheard, rounds)
}

// The same while he logs in as fast as the other node takes it, so that its changes wait for their turn and its acknowledgements do not.
func TestALogoutEverywhereLeavesNobodyBehindOfMany(t *testing.T) {
	const port = 24196
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "a and b see each other synced", func() bool { return a.Peers() == 1 && b.Peers() == 1 })
	const rounds = 50
	held := 0
	for round := range rounds {
		owner := fmt.Sprint("user", round)
		name := func(i int64) string { return fmt.Sprint(owner, "-", i) }
		var last atomic.Int64 // logins that have ended
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for i := int64(1); i <= 600; i++ {
				putOwned(t, b, name(i), owner)
				last.Store(i)
			}
		}()
		eventually(t, "he has logged in", func() bool { return last.Load() > 0 })
		before := last.Load()
		res, err := a.LogOut(context.Background(), 0, table.Logout{Owner: owner}, AckAll)
		<-stopped
		if err != nil || res.Degraded { // on a busy machine; nothing is promised then
			t.Logf("round %d: %+v, %v", round, res, err)
			continue
		}
		held++
		left := map[string]bool{}
		for _, n := range []*Node{a, b} {
			n.Table().Owned(n.Now().UnixMilli(), 0, owner, 0, 4096, func(name string, _ table.View) { left[name] = true })
		}
		for i := int64(1); i <= before; i++ {
			if left[name(i)] {
				t.Errorf("round %d: login %d of %d from before is there still", round, i, before)
			}
		}
	}
	if held < rounds/2 {
		t.Errorf("only %d of %d logouts were confirmed in time", held, rounds)
	}
}

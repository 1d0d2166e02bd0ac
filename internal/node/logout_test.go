package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

func putOwned(t testing.TB, n *Node, name, owner string) {
	t.Helper()
	now := n.Now().UnixMilli()
	w := table.Write{Due: now + time.Hour.Milliseconds(), Owner: owner, OwnerSet: true, If: table.IfAbsent, Explicit: true}
	if _, err := n.Table().Put(now, record.Key{Name: name}, &w); err != nil {
		t.Fatal(err)
	}
}

func ownedBy(n *Node, owner string) (count int) {
	n.Table().Owned(n.Now().UnixMilli(), 0, owner, 0, 4096, func(string, table.View) { count++ })
	return count
}

// A user is logged out on one node while requests write the sessions on another: they are gone on both when the peers have confirmed it.
func TestALogoutEverywhereHoldsAgainstWritesOnAnotherNode(t *testing.T) {
	const port = 24190
	a, b := openLoopback(t, "a", port), openLoopback(t, "b", port)
	eventually(t, "a and b see each other synced", func() bool { return a.Peers() == 1 && b.Peers() == 1 })
	const many = 300
	for i := range many {
		putOwned(t, b, fmt.Sprint("s", i), "alice")
	}
	putOwned(t, b, "his", "bob")
	eventually(t, "a has heard of all", func() bool { return ownedBy(a, "alice") == many && ownedBy(a, "bob") == 1 })
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				now := b.Now().UnixMilli()
				w := table.Write{Value: []byte(fmt.Sprint(i)), Due: now + time.Hour.Milliseconds()} // as SET without a login
				_, _ = b.Table().Put(now, record.Key{Name: fmt.Sprint("s", i%many)}, &w)
			}
		}
	}()
	res, err := a.LogOut(context.Background(), 0, table.Logout{Owner: "alice", Except: func(name string) bool { return name == "s7" }}, AckAll)
	close(stop)
	<-stopped
	if err != nil || res.Destroyed != many-1 || res.Partial {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, n := range []*Node{a, b} {
		eventually(t, "only what was excepted is there", func() bool { return n.Table().Len(0) == 2 && ownedBy(n, "alice") == 1 && ownedBy(n, "bob") == 1 })
	}
	if seq := put(t, b, "later", "1"); b.AwaitSync(context.Background(), seq, 1, patience) != 1 {
		t.Error("a later write is not confirmed")
	}
	if a.Table().Len(0) != 3 || b.Table().Len(0) != 3 {
		t.Errorf("%d and %d sessions", a.Table().Len(0), b.Table().Len(0))
	}
}

// The second look ends what was created before the logout began, and leaves the logins that came since.
func TestALogoutEverywhereLooksTwice(t *testing.T) {
	a := openLoopback(t, "a", 24192)
	present := func() hlc.Stamp { return a.Table().Present(a.Now().UnixMilli()) }
	began := present()
	eventually(t, "time passes", func() bool { return present() > began })
	putOwned(t, a, "after", "alice")
	l := table.Logout{Owner: "alice", Born: began}
	var res LoggedOut
	if _, err := a.destroyOwned(context.Background(), 0, &l, &res); err != nil || res.Destroyed != 0 {
		t.Errorf("a login after it began is ended: %+v, %v", res, err)
	}
	l.Born = present()
	if _, err := a.destroyOwned(context.Background(), 0, &l, &res); err != nil || res.Destroyed != 1 {
		t.Errorf("a login before it began stays: %+v, %v", res, err)
	}
}

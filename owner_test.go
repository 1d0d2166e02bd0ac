package sessioncast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// idsOf are the ids of an owner's sessions, sorted.
func idsOf(n *Node, owner string) (ids []string) {
	for s := range n.ByOwner(context.Background(), owner) {
		if s.Owner != owner {
			return []string{"a session of " + s.Owner}
		}
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestSessionsAreFoundByTheirOwner(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx, alice := t.Context(), WithOwner(t.Context(), "alice")
		must := func(_ Receipt, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(n.Create(alice, "phone", []byte("1"), time.Hour))
		must(n.Set(ctx, "laptop", []byte("anonymous"), time.Hour))
		must(n.Update(alice, "laptop", []byte("2"), time.Hour)) // a login
		must(n.Set(WithOwner(ctx, "bob"), "his", nil, time.Hour))
		must(n.Set(ctx, "phone", []byte("3"), time.Hour)) // keeps the label
		if got := idsOf(n, "alice"); !slices.Equal(got, []string{"laptop", "phone"}) {
			t.Errorf("alice has %q", got)
		}
		if s, err := n.Get(ctx, "phone"); err != nil || s.Owner != "alice" || string(s.Data) != "3" {
			t.Errorf("%+v, %v", s, err)
		}
		must(n.Set(WithOwner(ctx, ""), "laptop", []byte("logged out"), time.Hour))
		if got := idsOf(n, "alice"); !slices.Equal(got, []string{"phone"}) {
			t.Errorf("alice has %q after a label was taken off", got)
		}
		if got := idsOf(n, ""); got != nil {
			t.Errorf("nobody has %q", got)
		}
		_, err := n.Set(WithOwner(ctx, strings.Repeat("x", 257)), "s", nil, time.Hour)
		wantErr(t, "a label of 257 bytes", err, ErrTooLarge)
	})
}

func TestDestroyOwnerEndsAllButSome(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx, alice := t.Context(), WithOwner(t.Context(), "alice")
		for i := range 2000 {
			if _, err := n.Set(alice, fmt.Sprint("s", i), nil, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.Set(WithOwner(ctx, "bob"), "his", nil, time.Hour); err != nil {
			t.Fatal(err)
		}
		ended, receipt, err := n.DestroyOwner(ctx, "alice", "s7", "his", "unknown")
		if ended != 1999 || receipt != (Receipt{}) || err != nil {
			t.Fatalf("%d ended, %+v, %v", ended, receipt, err)
		}
		if got := idsOf(n, "alice"); !slices.Equal(got, []string{"s7"}) || n.Len() != 2 {
			t.Errorf("alice has %q, there are %d", got, n.Len())
		}
		_, err = n.Set(ctx, "s8", nil, time.Hour)
		wantErr(t, "a request that was under way", err, ErrDestroyed)
		ended, _, err = n.DestroyOwner(ctx, "")
		if ended != 0 || err != nil {
			t.Errorf("the sessions of nobody: %d, %v", ended, err)
		}
		n.table.SetPartial(true)
		ended, _, err = n.DestroyOwner(ctx, "alice")
		if ended != 1 || !errors.Is(err, ErrIncomplete) {
			t.Errorf("on a node that may lack some: %d, %v", ended, err)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		if _, _, err = n.DestroyOwner(over, "bob"); !errors.Is(err, context.Canceled) || n.Len() != 1 {
			t.Errorf("under a context that has ended: %v, %d sessions", err, n.Len())
		}
	})
}

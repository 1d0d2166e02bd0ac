package sessioncast

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAPatchWritesFieldsAndTellsConflicts(t *testing.T) {
	alone(t, Config{}, func(t *testing.T, n *Node) {
		ctx := t.Context()
		set := func(field, value string) Patch {
			return Patch{Set: map[string]json.RawMessage{field: json.RawMessage(value)}}
		}
		if _, err := n.Patch(ctx, "s", set("a", "1"), 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("of no session: %v", err)
		}
		if _, err := n.Create(ctx, "s", []byte(`{"a":1,"b":1}`), time.Hour); err != nil {
			t.Fatal(err)
		}
		read, err := n.Get(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Patch(ctx, "s", set("a", "2"), time.Hour); err != nil {
			t.Fatal(err)
		}
		p := set("a", "3")
		p.Remove, p.Since = []string{"b", "c"}, read.Version
		done, err := n.Patch(ctx, "s", p, time.Minute)
		now, _ := n.Get(ctx, "s")
		if err != nil || !slices.Equal(done.Conflicts, []string{"a"}) || string(now.Data) != `{"a":3}` || now.Version != done.Version || time.Until(now.Expires) > time.Minute {
			t.Errorf("%+v, %v; now %s until %v", done, err, now.Data, now.Expires)
		}
		for s := range n.All(ctx) {
			if string(s.Data) != `{"a":3}` {
				t.Errorf("All shows %q", s.Data)
			}
		}
		if _, err := n.Patch(ctx, "s", set("a", "{"), 0); err == nil || !strings.Contains(err.Error(), "not JSON") {
			t.Errorf("of a field that is not JSON: %v", err)
		}
		if _, err := n.Patch(ctx, "", p, 0); !errors.Is(err, ErrNoID) {
			t.Errorf("without an id: %v", err)
		}
		if _, err := n.Set(ctx, "t", []byte("no object"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Patch(ctx, "t", p, 0); !errors.Is(err, ErrNoObject) {
			t.Errorf("of a session that is no object: %v", err)
		}
	})
}

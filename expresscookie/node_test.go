package expresscookie

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast"
)

// openNode opens a node on loopback.
func openNode(t *testing.T) *sessioncast.Node {
	t.Helper()
	node, err := sessioncast.Open(t.Context(), sessioncast.Config{
		Name: t.Name(), Cluster: t.Name(), Insecure: true, Port: 24440, MulticastTTL: -1,
		Address: netip.MustParseAddr("127.0.0.1"), Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(func() { _ = node.Close() })
	return node
}

func TestSessionsInTheCluster(t *testing.T) {
	ctx, node := t.Context(), openNode(t)
	store := Over(node, DefaultPrefix)
	text := func(id string) string {
		s, err := node.Get(ctx, DefaultPrefix+id)
		if errors.Is(err, sessioncast.ErrNotFound) {
			return ""
		}
		must(t, err)
		return string(s.Data)
	}
	patch := func(id string, changed map[string]string, removed ...string) error {
		p := Patch{Changed: make(fields), Removed: removed}
		for key, v := range changed {
			p.Changed[key] = json.RawMessage(v)
		}
		_, err := store.Patch(ctx, id, p, time.Hour)
		return err
	}
	one := map[string]string{"a": "1"}

	_, err := store.Get(ctx, "s")
	wantErr(t, "Get of nothing", err, ErrNotFound)
	wantErr(t, "Patch of nothing", patch("s", one), ErrNotFound)
	wantErr(t, "Touch of nothing", store.Touch(ctx, "s", time.Minute), ErrNotFound)
	wantErr(t, "an id beyond all keys", store.Touch(ctx, strings.Repeat("i", 2000), time.Minute), ErrNotFound)
	must(t, store.Create(ctx, "s", []byte(`{"cookie":{},"a":1,"b":2,"c":"é\ud800"}`), time.Minute))
	if _, err := store.Get(ctx, "s"); err != nil || text("s") == "" {
		t.Errorf("what was created: %v, %s", err, text("s"))
	}
	must(t, patch("s", map[string]string{"a": `"</>"`, "d": "[3]"}, "b", "x"))
	if got, want := text("s"), `{"cookie":{},"a":"</>","c":"é\ud800","d":[3]}`; !equalJSON(t, got, want) {
		t.Errorf("patched\n %s, want\n %s", got, want)
	}
	if s, _ := node.Get(ctx, DefaultPrefix+"s"); time.Until(s.Expires) < 50*time.Minute {
		t.Errorf("it ends at %v", s.Expires)
	}
	must(t, store.Touch(ctx, "s", time.Minute))
	if s, _ := node.Get(ctx, DefaultPrefix+"s"); time.Until(s.Expires) > 2*time.Minute {
		t.Errorf("it ends at %v", s.Expires)
	}
	wantErr(t, "too large", patch("s", map[string]string{"a": `"` + strings.Repeat("a", MaxSession) + `"`}), ErrTooLarge)

	must(t, store.Destroy(ctx, "s"))
	must(t, store.Destroy(ctx, "s"))
	wantErr(t, "Patch of what was destroyed", patch("s", one), ErrNotFound)
	wantErr(t, "Touch of what was destroyed", store.Touch(ctx, "s", time.Minute), ErrNotFound)
	if got := text("s"); got != "" {
		t.Errorf("revived: %s", got)
	}

	_, err = node.Set(ctx, DefaultPrefix+"odd", []byte("no session"), time.Minute)
	must(t, err)
	wantErr(t, "Patch of what is no session", patch("odd", one), ErrNotSession)
	if got := text("odd"); got != "no session" {
		t.Errorf("it became %s", got)
	}
	t.Run("conflicts", func(t *testing.T) { patchInTurn(t, store) })
	t.Run("at the same time", func(t *testing.T) { patchAtOnce(t, store, text) })
}

// patchInTurn lets two requests read one session and write it one after the other.
func patchInTurn(t *testing.T, store Store) {
	ctx := t.Context()
	must(t, store.Create(ctx, "shared", []byte(`{"cookie":{},"a":1,"b":1,"c":1}`), time.Minute))
	read, err := store.Get(ctx, "shared")
	must(t, err)
	write := func(since any, text string, want ...string) any {
		t.Helper()
		p := Patch{Since: since}
		must(t, json.Unmarshal([]byte(text), &p.Changed))
		done, err := store.Patch(ctx, "shared", p, time.Minute)
		must(t, err)
		slices.Sort(done.Conflicts)
		if !slices.Equal(done.Conflicts, want) {
			t.Errorf("%s conflicts in %v, want %v", text, done.Conflicts, want)
		}
		return done.Version
	}
	mine := write(read.Version, `{"a":2,"b":2}`)
	write(read.Version, `{"a":3,"b":2,"c":3}`, "a") // b is as it shall be, c nobody else's
	write(mine, `{"a":4,"d":4}`, "a")
	write(nil, `{"a":5}`)
	if s, err := store.Get(ctx, "shared"); err != nil || !equalJSON(t, string(s.Data), `{"cookie":{},"a":5,"b":2,"c":3,"d":4}`) {
		t.Errorf("%s, %v", s.Data, err)
	}
}

// patchAtOnce lets many requests of one session run at the same time, each setting a key of its own.
func patchAtOnce(t *testing.T, store Store, text func(id string) string) {
	const requests = 200
	must(t, store.Create(t.Context(), "busy", []byte(`{"cookie":{}}`), time.Minute))
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			p := Patch{Changed: fields{fmt.Sprint("key", i): json.RawMessage(fmt.Sprint(i))}}
			if _, err := store.Patch(t.Context(), "busy", p, time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var got map[string]any
	must(t, json.Unmarshal([]byte(text("busy")), &got))
	if len(got) != requests+1 {
		t.Errorf("%d of %d keys are there", len(got)-1, requests)
	}
}

func equalJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y map[string]any
	must(t, json.Unmarshal([]byte(a), &x))
	must(t, json.Unmarshal([]byte(b), &y))
	return fmt.Sprint(x) == fmt.Sprint(y)
}

package expresscookie

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestAUserIsFoundByItsPath(t *testing.T) {
	long := strings.Repeat("u", maxUser)
	for _, c := range []struct {
		path, session, want string
		err                 error
	}{
		{"user", `{"user":"alice"}`, "alice", nil},
		{"user", `{}`, "", nil},
		{"user", `{"user":null}`, "", nil},
		{"user", `{"user":""}`, "", nil},
		{"user", `{"user":42}`, "42", nil},
		{"user", `{"user":-0}`, "0", nil},
		{"user", `{"user":1.50}`, "1.5", nil},
		{"user", `{"user":1e21}`, "1e+21", nil},
		{"user", `{"user":0.0000001}`, "1e-7", nil},
		{"user", `{"user":12345678901234567890}`, "12345678901234567000", nil},
		{"user", `{"user":"` + long + `"}`, long, nil},
		{"user", `{"user":"` + long + `u"}`, "", ErrUser},
		{"user", `{"user":true}`, "", ErrUser},
		{"user", `{"user":{"id":1}}`, "", ErrUser},
		{"user", `{"user":[1]}`, "", ErrUser},
		{"user", `{"user":1e999}`, "", ErrUser},
		{"passport.user", `{"passport":{"user":"zoë"}}`, "zoë", nil},
		{"passport.user", `{"passport":{}}`, "", nil},
		{"passport.user", `{"passport":"alice"}`, "", nil},
		{"passport.user", `{"passport":null}`, "", nil},
		{"passport.user", `{"user":"alice"}`, "", nil},
		{"a.b.c", `{"a":{"b":{"c":7}}}`, "7", nil},
	} {
		path, err := readUserPath(c.path)
		must(t, err)
		var f fields
		must(t, json.Unmarshal([]byte(c.session), &f))
		got, err := path.of(f)
		if wantErr(t, c.session, err, c.err); got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.path, c.session, got, c.want)
		}
	}
}

func TestSessionsAreTheirUsers(t *testing.T) {
	node := openNode(t)
	a := newApp(t, Config{User: "passport.user"})
	a.cfg.Store = Over(node, DefaultPrefix)
	owned := func(user string) (ids []string) {
		for s := range node.ByOwner(t.Context(), user) {
			ids = append(ids, strings.TrimPrefix(s.ID, DefaultPrefix))
		}
		return ids
	}
	login := func(s *Session, user any) { must(t, s.Set("passport", map[string]any{"user": user})) }

	s := a.load()
	login(s, 42)
	must(t, s.Save(t.Context()))
	if got := owned("42"); !slices.Equal(got, []string{s.ID()}) {
		t.Errorf("made by 42: %d sessions", len(got))
	}
	a.use(s.ID(), secret)
	stale, later := a.load(), a.load()
	login(later, "bob")
	must(t, later.Save(t.Context()))
	must(t, stale.Set("note", 1)) // a request from before the other one: it does not give the session back
	must(t, stale.Save(t.Context()))
	if len(owned("42")) != 0 || len(owned("bob")) != 1 {
		t.Errorf("42 has %d, bob has %d", len(owned("42")), len(owned("bob")))
	}
	must(t, later.Delete("passport"))
	must(t, later.Save(t.Context()))
	if len(owned("bob")) != 0 {
		t.Error("a session without a user is bob's")
	}
	login(later, map[string]int{"id": 1})
	wantErr(t, "an object as a user", later.Save(t.Context()), ErrUser)

	login(later, "bob")
	must(t, later.Save(t.Context()))
	a.cookie = ""
	other := a.load()
	login(other, "bob")
	must(t, other.Save(t.Context()))
	ended, _, err := node.DestroyOwner(t.Context(), "bob", DefaultPrefix+other.ID())
	if err != nil || ended != 1 {
		t.Errorf("%d sessions ended, %v", ended, err)
	}
	must(t, later.Set("note", 2))
	wantErr(t, "a save after a logout on all devices", later.Save(t.Context()), ErrDestroyed)
	wantErr(t, "a save of the one that was spared", other.Save(t.Context()), nil)
}

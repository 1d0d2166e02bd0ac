package expresscookie

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sessioncast/sessioncast"
)

// maxUser is how many bytes a user's id may have: what the library takes as an owner.
const maxUser = 256

// userPath leads from a session to its user, one name for each level.
type userPath []string

// readUserPath reads "passport.user" and its like; "" is nil.
func readUserPath(text string) (userPath, error) {
	if text == "" {
		return nil, nil
	}
	path := userPath(strings.Split(text, "."))
	if slices.Contains(path, "") || path[0] == cookieKey {
		return nil, fmt.Errorf("expresscookie: Config.User %q: must be a path into the session, as passport.user", text)
	}
	return path, nil
}

// of is the user of a session; "" is nobody.
func (p userPath) of(f fields) (string, error) {
	value := f[p[0]]
	for _, name := range p[1:] {
		var inner fields
		if json.Unmarshal(value, &inner) != nil {
			return "", nil // not there, or nothing that has names
		}
		value = inner[name]
	}
	return userID(value)
}

// userID is a JSON value as JavaScript's String says it.
func userID(value json.RawMessage) (id string, err error) {
	var v any
	if len(value) > 0 && json.Unmarshal(value, &v) != nil {
		return "", ErrUser
	}
	switch v := v.(type) {
	case nil:
	case string:
		id = v
	case float64:
		id = string(jsonOf(v + 0)) // minus zero is "0"; else as JavaScript writes numbers
	default:
		return "", ErrUser
	}
	if len(id) > maxUser {
		return "", ErrUser
	}
	return id, nil
}

// owned is ctx for a write that says whose the session is now: one that makes it, or changes what the path goes through. Others leave
// the label alone, since somebody else may have changed it meanwhile.
func (s *Session) owned(ctx context.Context, makes bool, p *Patch) (context.Context, error) {
	path := s.m.user
	if path == nil {
		return ctx, nil
	}
	if _, changed := p.Changed[path[0]]; !makes && !changed && !slices.Contains(p.Removed, path[0]) {
		return ctx, nil
	}
	id, err := path.of(s.now)
	if err != nil {
		return ctx, err
	}
	return sessioncast.WithOwner(ctx, id), nil
}

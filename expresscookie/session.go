package expresscookie

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Session is the session of one request. Changes are the request's own until they are saved: by Save, by Commit, or by the
// middleware when the response's head is written, and once more at its end.
type Session struct {
	m *Sessions
	r *http.Request

	cookieID string // the id that the browser has, verified; "": none
	id       string
	https    bool
	ended    error // not nil: there is none, and why

	cookie   attributes
	now      fields // as the request has it
	base     fields // as it was read or saved last
	baked    []byte // the cookie as it was then, as JSON
	version  any    // the store's, of that
	aged     bool   // the cookie's age was changed since
	stored   bool   // it was read or saved: a save that does not find it has met a logout
	modified bool   // the browser has to hear of it: it was changed or saved since the request began
}

// begin makes a new session of a new id.
func (s *Session) begin() {
	s.id, s.now, s.cookie = newID(), make(fields), s.m.cfg.Cookie.made(s.https)
	s.stored, s.version, s.ended = false, nil, nil
	s.settle()
}

func (s *Session) settle() { s.base, s.baked, s.aged = maps.Clone(s.now), s.cookieJSON(), false }

// ID is the session's id. Whoever knows it and a secret is its user: it belongs in no log.
func (s *Session) ID() string { return s.id }

// New says that the browser does not have this session's cookie.
func (s *Session) New() bool { return s.ended == nil && s.id != s.cookieID }

// String shows neither id nor content.
func (s *Session) String() string { return "expresscookie.Session" }

// GoString shows neither id nor content.
func (s *Session) GoString() string { return s.String() }

// Get reads a top-level key into what v points to, as json.Unmarshal, and reports whether it is there.
func (s *Session) Get(key string, v any) (bool, error) {
	text, there := s.now[key]
	if !there {
		return false, nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return true, fmt.Errorf("expresscookie: the key %q: %w", key, kindOnly(err))
	}
	return true, nil
}

// kindOnly is an error of package json without what it may quote of the content.
func kindOnly(err error) error {
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		return fmt.Errorf("its value is no %v", wrong.Type)
	}
	return errors.New("its value cannot be read")
}

// JSON is the value of a top-level key as JSON; nil: it is not there. It must not be written to.
func (s *Session) JSON(key string) json.RawMessage { return s.now[key] }

// Keys are the top-level keys, in order, without "cookie".
func (s *Session) Keys() []string { return slices.Sorted(maps.Keys(s.now)) }

// Decode reads the top-level keys into the fields of a struct, as json.Unmarshal.
func (s *Session) Decode(v any) error {
	if err := json.Unmarshal(s.now.text(s.cookieJSON()), v); err != nil {
		return fmt.Errorf("expresscookie: the session: %w", kindOnly(err))
	}
	return nil
}

// Set gives a top-level key a value, as json.Marshal writes it. The error is json's, ErrReserved, or says that there is no session.
func (s *Session) Set(key string, v any) error {
	if err := s.mayChange(key); err != nil {
		return err
	}
	text, err := marshal(v)
	if err != nil {
		return fmt.Errorf("expresscookie: the key %q: %w", key, err)
	}
	s.now[key] = text
	return nil
}

// Delete removes a top-level key, if it is there.
func (s *Session) Delete(key string) error {
	if err := s.mayChange(key); err != nil {
		return err
	}
	delete(s.now, key)
	return nil
}

func (s *Session) mayChange(key string) error {
	switch {
	case s.ended != nil:
		return s.ended
	case slices.Contains(hidden, key):
		return fmt.Errorf("%w: %s", ErrReserved, key)
	}
	return nil
}

// MaxAge is how long the session lives after the last response that extended it; 0: until the browser is closed.
func (s *Session) MaxAge() time.Duration { return s.cookie.age }

// SetMaxAge changes that for this session alone, as req.session.cookie.maxAge does: "remember me". It is saved and sent.
func (s *Session) SetMaxAge(age time.Duration) error {
	switch {
	case s.ended != nil:
		return s.ended
	case age != 0 && age < time.Millisecond:
		return errors.New("expresscookie: a cookie's age must be 0 or a millisecond at least; Destroy ends a session")
	}
	s.cookie.setAge(age)
	s.aged = true
	return nil
}

func (s *Session) cookieJSON() json.RawMessage { return jsonOf(s.cookie) }

// ttl is how long the store keeps it.
func (s *Session) ttl() time.Duration {
	if s.cookie.ages {
		return s.cookie.age
	}
	return s.m.cfg.TTL
}

// Save writes what has changed since the session was read or saved last, or makes the session, and extends its life. A session
// that was destroyed meanwhile stays destroyed: the error is ErrDestroyed.
func (s *Session) Save(ctx context.Context) error {
	if s.ended != nil {
		return s.ended
	}
	s.cookie.touch(time.Now())
	cookie := s.cookieJSON()
	whole := s.now.text(cookie)
	if len(whole) > MaxSession {
		return ErrTooLarge
	}
	var err error
	switch {
	case s.ttl() <= 0: // an age of 0 set in Express: connect-redis destroys it, too
		return s.Destroy(ctx)
	case !s.stored:
		err = s.create(ctx, whole)
	case !s.dirty():
		return s.Touch(ctx)
	default:
		err = s.patch(ctx, cookie)
	}
	if err != nil {
		return s.met(err)
	}
	s.stored, s.modified = true, true
	s.settle()
	return nil
}

func (s *Session) create(ctx context.Context, whole []byte) error {
	ctx, err := s.owned(ctx, true, new(Patch))
	if err != nil {
		return err
	}
	return s.m.cfg.Store.Create(ctx, s.id, whole, s.ttl())
}

// patch writes what has changed.
func (s *Session) patch(ctx context.Context, cookie json.RawMessage) error {
	changed, removed := s.now.since(s.base)
	if !bytes.Equal(cookie, s.baked) {
		changed[cookieKey] = cookie
	}
	p := Patch{Changed: changed, Removed: removed, Since: s.version}
	ctx, err := s.owned(ctx, false, &p)
	if err != nil {
		return err
	}
	done, err := s.m.cfg.Store.Patch(ctx, s.id, p, s.ttl())
	if err != nil {
		return err
	}
	s.version = done.Version
	keys := slices.DeleteFunc(done.Conflicts, func(key string) bool { return key == cookieKey }) // every request moves its end
	if len(keys) > 0 {
		s.m.cfg.OnEvent(s.r, Event{Kind: Conflict, Keys: keys})
	}
	return nil
}

// dirty says that there is something to save.
func (s *Session) dirty() bool {
	changed, removed := s.now.since(s.base)
	return s.aged || len(changed)+len(removed) > 0
}

// met makes a session one that is gone, if that is what the store says.
func (s *Session) met(err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	s.m.tell(s.r, Destroyed)
	s.end()
	return ErrDestroyed
}

func (s *Session) end() {
	s.ended, s.stored = ErrDestroyed, false
	s.now, s.base = nil, nil
}

// Touch extends the life of a session in the store; what has changed is not saved. One that is not stored yet is left so.
func (s *Session) Touch(ctx context.Context) error {
	switch {
	case s.ended != nil:
		return s.ended
	case !s.stored:
		return nil
	}
	s.cookie.touch(time.Now())
	if err := s.m.cfg.Store.Touch(ctx, s.id, s.ttl()); err != nil {
		return s.met(err)
	}
	return nil
}

// Destroy ends the session everywhere and for good. The browser's cookie stays, as in Express; see ClearCookie.
func (s *Session) Destroy(ctx context.Context) error {
	if s.ended != nil {
		return nil
	}
	if s.stored {
		if err := s.m.cfg.Store.Destroy(ctx, s.id); err != nil {
			return err
		}
	}
	s.end()
	return nil
}

// Regenerate destroys the session and begins a new, empty one of another id, which is sent and saved: to be done at each login, so that
// an id that somebody planted before is worth nothing. After an error the session is as before.
func (s *Session) Regenerate(ctx context.Context) error {
	if errors.Is(s.ended, ErrOutside) {
		return s.ended
	}
	if err := s.Destroy(ctx); err != nil {
		return err
	}
	s.begin()
	s.modified = true
	return nil
}

package expresscookie

import (
	"context"
	"errors"
	"net/http"
)

// Commit does what express-session does at a response's end: it saves what has changed, else extends the session's life, and sends
// the cookie where that is due. Call it once, before the response's head is written; the middleware calls it by itself. After
// ErrDestroyed the response may go on: whoever sent the request is logged out.
func (s *Session) Commit(ctx context.Context, w http.ResponseWriter) error {
	if s.ended != nil {
		return nil
	}
	began := s.beginsHere()
	if err := s.keep(ctx); err != nil {
		return err
	}
	if s.ended != nil || !s.sends(began) {
		return nil
	}
	if truthy(s.cookie.Secure) && !s.https {
		s.m.tell(s.r, Insecure)
		return nil
	}
	text, err := s.setCookie()
	if err != nil {
		return err
	}
	w.Header().Add("Set-Cookie", text)
	return nil
}

// beginsHere says that the session is one to be made.
func (s *Session) beginsHere() bool {
	return !s.stored && (s.modified || s.dirty() || s.m.cfg.SaveUninitialized)
}

// keep saves or extends the session, or does nothing where it is new and empty.
func (s *Session) keep(ctx context.Context) error {
	switch {
	case s.beginsHere() || s.stored && s.dirty():
		return s.Save(ctx)
	case s.New(): // empty, or saved in this request
		return nil
	}
	return s.Touch(ctx)
}

// sends says that the browser gets the cookie.
func (s *Session) sends(began bool) bool {
	if s.New() {
		return began || s.modified
	}
	return s.m.cfg.Rolling || s.cookie.ages && s.modified
}

func (s *Session) setCookie() (string, error) {
	value, ok := encodeURIComponent(Sign(s.id, s.m.cfg.Secrets[0]))
	if !ok {
		return "", ErrCookie // no id that was verified or made here is like that
	}
	return s.cookie.setCookie(s.m.cfg.Name, value)
}

// late saves what was changed after the response's head had left, when its cookie can no longer be sent.
func (s *Session) late(ctx context.Context) {
	var err error
	switch {
	case s.ended != nil:
		return
	case s.stored && s.dirty():
		err = s.Save(ctx)
	case !s.stored && (s.modified || s.dirty()):
		err = ErrTooLate
	}
	if err != nil && !errors.Is(err, ErrDestroyed) { // of that Save has told
		s.m.cfg.OnEvent(s.r, Event{Kind: Failed, Err: err})
	}
}

package expresscookie

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/expresscookie"
)

// bubble is when the clock begins in a bubble of synctest, as JavaScript counts.
const bubble = 946684800000

// oneStore is the store of app/visit.js: it has one session, of any id, and remembers what is asked of it.
type oneStore struct {
	text  []byte
	asked *string
	calls []string
}

func (s *oneStore) Get(_ context.Context, id string) (expresscookie.Stored, error) {
	s.asked, s.calls = &id, append(s.calls, "get")
	return expresscookie.Stored{Data: s.text}, s.missing()
}

func (s *oneStore) missing() error {
	if s.text == nil {
		return expresscookie.ErrNotFound
	}
	return nil
}

func (s *oneStore) Create(_ context.Context, _ string, data []byte, _ time.Duration) error {
	s.text, s.calls = data, append(s.calls, "save")
	return nil
}

func (s *oneStore) Patch(_ context.Context, _ string, p expresscookie.Patch, _ time.Duration) (done expresscookie.Patched, err error) {
	s.calls = append(s.calls, "save")
	var all map[string]json.RawMessage
	if err := json.Unmarshal(s.text, &all); err != nil {
		return done, err
	}
	maps.Copy(all, p.Changed)
	for _, key := range p.Removed {
		delete(all, key)
	}
	s.text, err = json.Marshal(all)
	return done, err
}

func (s *oneStore) Touch(context.Context, string, time.Duration) error {
	s.calls = append(s.calls, "touch")
	return s.missing()
}

func (s *oneStore) Destroy(context.Context, string) error {
	s.text, s.calls = nil, append(s.calls, "destroy")
	return nil
}

// action is what a request does with its session.
type action func(ctx context.Context, s *expresscookie.Session) error

// does are the actions that app/visit.js knows by the same names.
var does = map[string]action{
	"nothing": func(context.Context, *expresscookie.Session) error { return nil },
	"set":     func(_ context.Context, s *expresscookie.Session) error { return s.Set("a", 1) },
	"same":    func(_ context.Context, s *expresscookie.Session) error { return s.Set("user", "alice") },
	"delete":  func(_ context.Context, s *expresscookie.Session) error { return s.Delete("user") },
	"back":    func(_ context.Context, s *expresscookie.Session) error { return first(s.Set("a", 1), s.Delete("a")) },
	"save":    func(ctx context.Context, s *expresscookie.Session) error { return first(s.Set("a", 1), s.Save(ctx)) },
	"twice": func(ctx context.Context, s *expresscookie.Session) error {
		return first(s.Set("a", 1), s.Save(ctx), s.Set("b", 2))
	},
	"remember": func(_ context.Context, s *expresscookie.Session) error {
		return first(s.Set("a", 1), s.SetMaxAge(time.Hour))
	},
	"forget":     func(_ context.Context, s *expresscookie.Session) error { return first(s.Set("a", 1), s.SetMaxAge(0)) },
	"regenerate": func(ctx context.Context, s *expresscookie.Session) error { return s.Regenerate(ctx) },
	"login": func(ctx context.Context, s *expresscookie.Session) error {
		return first(s.Regenerate(ctx), s.Set("user", "bob"))
	},
	"destroy": func(ctx context.Context, s *expresscookie.Session) error { return s.Destroy(ctx) },
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// visits makes a question's request to the Go package. The ids that it makes become those that Express is to make.
func visits(t *testing.T, cfg expresscookie.Config, q *question) (a answer) {
	t.Helper()
	store := &oneStore{}
	if q.Text != "" {
		store.text = []byte(q.Text)
	}
	cfg.Store = store
	sessions, err := expresscookie.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		q.Now = time.Now().UnixMilli()
		if q.Now != bubble {
			t.Fatalf("the bubble begins at %d", q.Now)
		}
		url := "http://example.com/"
		if q.HTTPS {
			url = "https://example.com/"
		}
		r, w := httptest.NewRequest(http.MethodGet, url, nil), httptest.NewRecorder()
		if q.Header != nil {
			r.Header["Cookie"] = []string{string(q.Header)}
		}
		sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s := sessions.Of(r)
			before := s.ID()
			if s.New() {
				q.IDs = append(q.IDs, before)
			}
			do := does[q.Does]
			if q.here != nil {
				do = q.here
			}
			if err := do(r.Context(), s); err != nil {
				t.Errorf("%s: %v", q.Does, err)
			}
			if s.ID() != before {
				q.IDs = append(q.IDs, s.ID())
			}
		})).ServeHTTP(w, r)
		a.Sent = w.Header().Values("Set-Cookie")
	})
	a.Asked, a.Calls = store.asked, store.calls
	if store.text != nil {
		text := string(store.text)
		a.Stored = &text
	}
	return a
}

package expresscookie

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answers serves f over a real connection and returns how the client sees it.
func (a *app) answers(f http.HandlerFunc) (status int, header http.Header, body string) {
	a.t.Helper()
	server := httptest.NewServer(a.Handler(f))
	defer server.Close()
	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	must(a.t, err)
	if a.cookie != "" {
		req.Header.Set("Cookie", a.cookie)
	}
	res, err := server.Client().Do(req)
	must(a.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(a.t, err)
	return res.StatusCode, res.Header, string(text)
}

func TestTheSessionIsSavedBeforeTheHeadLeaves(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter){
		"by nothing":      func(http.ResponseWriter) {},
		"by a status":     func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"by a body":       func(w http.ResponseWriter) { _, _ = io.WriteString(w, "body") },
		"by a file":       func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("body")) },
		"by a flush":      func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"by a controller": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		a := newApp(t, Config{})
		status, header, body := a.answers(func(w http.ResponseWriter, r *http.Request) {
			s := a.Of(r)
			must(t, s.Set("user", "alice"))
			write(w)
			if saved := a.store.text(s.ID()) != ""; saved != (name != "by nothing") {
				t.Errorf("%s: saved %v", name, saved)
			}
		})
		if status != http.StatusOK || header.Get("Set-Cookie") == "" || body != "" && body != "body" || a.store.asked() != "create" {
			t.Errorf("%s: %d %q %q", name, status, header, body)
		}
	}
}

func TestEarlyHintsAreNoHead(t *testing.T) {
	a := newApp(t, Config{})
	status, header, _ := a.answers(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		must(t, a.Of(r).Set("user", "alice"))
		w.WriteHeader(http.StatusAccepted)
	})
	if status != http.StatusAccepted || header.Get("Set-Cookie") == "" {
		t.Errorf("%d, %q", status, header)
	}
}

func TestAFailedSaveIsTheAnswer(t *testing.T) {
	a := newApp(t, Config{})
	a.store.broken = errors.New("out of order")
	status, header, body := a.answers(func(w http.ResponseWriter, r *http.Request) {
		must(t, a.Of(r).Set("user", "alice"))
		w.Header().Set("Content-Length", "7")
		w.WriteHeader(http.StatusCreated)
		if _, err := io.WriteString(w, "welcome"); !errors.Is(err, a.store.broken) {
			t.Errorf("the handler went on: %v", err)
		}
		_, err := io.Copy(w, strings.NewReader("welcome"))
		wantErr(t, "copying", err, a.store.broken)
		wantErr(t, "flushing", http.NewResponseController(w).Flush(), a.store.broken)
		_, _, err = w.(http.Hijacker).Hijack()
		wantErr(t, "hijacking", err, a.store.broken)
	})
	if status != http.StatusServiceUnavailable || strings.Contains(body, "welcome") || strings.Contains(body, "order") || header.Get("Set-Cookie") != "" {
		t.Errorf("%d %q %q", status, header, body)
	}

	a.cfg.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, fmt.Sprint("sorry: ", err), http.StatusTeapot)
	}
	if status, _, body = a.answers(func(w http.ResponseWriter, r *http.Request) { must(t, a.Of(r).Set("user", "alice")) }); status != http.StatusTeapot || body != "sorry: out of order\n" {
		t.Errorf("%d %q", status, body)
	}
}

func TestAFailedLoadIsTheAnswer(t *testing.T) {
	a := known(t, Config{}, `{"no":"cookie"}`)
	status, _, _ := a.answers(func(http.ResponseWriter, *http.Request) { t.Error("handled") })
	if status != http.StatusServiceUnavailable {
		t.Errorf("%d", status)
	}
}

func TestALogoutMeanwhileLeavesTheAnswer(t *testing.T) {
	a := known(t, Config{Rolling: true}, `{"cookie":`+minute+`}`)
	status, header, body := a.answers(func(w http.ResponseWriter, r *http.Request) {
		must(t, a.Of(r).Set("slow", true))
		must(t, a.store.Destroy(r.Context(), anID))
		_, _ = io.WriteString(w, "done")
	})
	if status != http.StatusOK || body != "done" || header.Get("Set-Cookie") != "" || a.store.text(anID) != "" {
		t.Errorf("%d %q %q, stored %q", status, header, body, a.store.text(anID))
	}
	a.wantEvents("destroyed")
}

func TestWhatChangesAfterTheHeadIsSavedAtTheEnd(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`}`)
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "streamed")
		must(t, a.Of(r).Set("late", 1))
	})
	if got, want := a.store.text(anID), `{"cookie":`+plain+`,"late":1}`; got != want || a.store.asked() != "get touch patch(late)" {
		t.Errorf("stored %s, want %s", got, want)
	}
	a.wantEvents()

	var failed error
	a.cfg.OnEvent = func(_ *http.Request, e Event) { failed = e.Err }
	late := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "streamed")
		must(t, a.Of(r).Set("later", 2))
		a.store.broken = errors.New("out of order")
	}
	if status, _, body := a.answers(late); status != http.StatusOK || body != "streamed" || failed != a.store.broken {
		t.Errorf("%d %q, told %v", status, body, failed)
	}
	a.store.broken, a.cookie = nil, ""
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "streamed")
		must(t, a.Of(r).Set("user", "alice"))
	})
	if a.store.asked(); failed != ErrTooLate || len(a.store.data) != 1 {
		t.Errorf("told %v; %d sessions", failed, len(a.store.data))
	}
}

func TestAClientThatLeavesDoesNotUndoItsRequest(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`}`)
	ctx, leave := context.WithCancel(t.Context())
	strict := &obedient{memory: a.store}
	a.cfg.Store = strict
	a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, a.Of(r).Set("paid", true))
		leave()
	})).ServeHTTP(httptest.NewRecorder(), a.request().WithContext(ctx))
	if got := a.store.text(anID); !strings.Contains(got, "paid") {
		t.Errorf("stored %s", got)
	}
}

// obedient is a Store that does nothing for a context that has ended.
type obedient struct{ *memory }

func (o *obedient) Patch(ctx context.Context, id string, p Patch, ttl time.Duration) (Patched, error) {
	if err := ctx.Err(); err != nil {
		return Patched{}, err
	}
	return o.memory.Patch(ctx, id, p, ttl)
}

func TestAPanicSavesNothing(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`}`)
	defer func() {
		if recover() == nil || a.store.asked() != "get" {
			t.Error("something was saved, or nobody panicked")
		}
	}()
	a.ask(func(_ http.ResponseWriter, s *Session) {
		must(t, s.Set("a", 1))
		panic(http.ErrAbortHandler)
	})
}

func TestAConnectionCanBeTaken(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`}`)
	server := httptest.NewServer(a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		must(t, a.Of(r).Set("socket", "open"))
		conn, _, err := w.(http.Hijacker).Hijack()
		must(t, err)
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		must(t, a.Of(r).Set("socket", "closed"))
	})))
	defer server.Close()
	req, _ := http.NewRequest(http.MethodGet, server.URL, nil)
	req.Header.Set("Cookie", a.cookie)
	res, err := server.Client().Do(req)
	must(t, err)
	_, _ = bufio.NewReader(res.Body).ReadByte()
	res.Body.Close()
	server.Close() // returns when the handler did, unless it took the connection
	if got := a.store.asked(); !strings.HasPrefix(got, "get patch") {
		t.Errorf("asked to %q", got)
	}
}

func TestWithinItselfTheMiddlewareDoesNothing(t *testing.T) {
	a := known(t, Config{}, `{"cookie":`+plain+`}`)
	other := newApp(t, Config{Name: "other.sid"})
	var inner, outer *Session
	h := a.Handler(other.Handler(a.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inner = a.Of(r) }))))
	a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer = a.Of(r)
		h.ServeHTTP(w, r)
	})).ServeHTTP(httptest.NewRecorder(), a.request())
	if inner != outer || a.store.asked() != "get touch" {
		t.Error("one request had two sessions")
	}
}

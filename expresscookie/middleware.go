package expresscookie

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
)

// Handler gives next's requests their sessions, which Of returns. When next writes the response's head, or returns, the session is
// saved or extended and the cookie set; what next changes after that is saved when it returns. A client that went away in between
// changes nothing of that. If next panics nothing is saved.
func (m *Sessions) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, there := r.Context().Value(of{m}).(*Session); there {
			next.ServeHTTP(w, r)
			return
		}
		s, err := m.Load(r)
		if err != nil {
			m.cfg.OnError(w, r, err)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), of{m}, s))
		out := &writer{ResponseWriter: w, s: s, r: r}
		next.ServeHTTP(out, r)
		if !out.begun {
			out.begin()
		} else if out.failed == nil {
			s.late(context.WithoutCancel(r.Context()))
		}
	})
}

// writer commits the session before the head of the response is written.
type writer struct {
	http.ResponseWriter
	s      *Session
	r      *http.Request
	begun  bool
	failed error // the session could not be saved, and the client was told
}

// begin commits once; false: the response is an error's, and what the handler writes goes nowhere.
func (w *writer) begin() bool {
	if w.begun {
		return w.failed == nil
	}
	w.begun = true
	err := w.s.Commit(context.WithoutCancel(w.r.Context()), w.ResponseWriter)
	if err != nil && !errors.Is(err, ErrDestroyed) {
		w.failed = err
		w.s.m.cfg.OnError(w.ResponseWriter, w.r, err)
	}
	return w.failed == nil
}

func (w *writer) WriteHeader(status int) {
	informational := status >= 100 && status < 200 && status != http.StatusSwitchingProtocols
	if informational || w.begin() {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	if !w.begin() {
		return 0, w.failed
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets files leave as they do without the middleware.
func (w *writer) ReadFrom(from io.Reader) (int64, error) {
	if !w.begin() {
		return 0, w.failed
	}
	return io.Copy(w.ResponseWriter, from)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is for http.ResponseController.
func (w *writer) FlushError() error {
	if !w.begin() {
		return w.failed
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker. Who takes the connection writes the head: a new session's cookie is in Header().
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.begin() {
		return nil, nil, w.failed
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

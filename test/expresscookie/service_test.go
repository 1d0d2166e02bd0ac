package expresscookie

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast"
	"github.com/sessioncast/sessioncast/expresscookie"
)

// serviceVariable makes this test program the Go service that stands beside the Express app; it names the cluster's key file.
const serviceVariable = "SCTEST_EXPRESSCOOKIE_KEY_FILE"

// person is who an Express app's login has put into the session: more than the service knows of.
type person struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

// page is what service and app answer.
type page struct {
	User    *string `json:"user"`
	Note    *string `json:"note"`
	Minutes float64 `json:"minutes"` // that a cookie lives
	Keys    int     `json:"keys"`    // of those that requests set at the same time
}

// service has the routes of app/server.js, and one that is slow.
type service struct {
	node     *sessioncast.Node
	sessions *expresscookie.Sessions
	arrived  chan struct{} // a slow request has read its session
	release  chan struct{}
}

// serve runs the service until it is killed.
func serve(keyFile string) error {
	ctx := context.Background()
	node, err := sessioncast.Open(ctx, sessioncast.Config{Name: "service", KeyFile: keyFile, Ack: sessioncast.AckAll, AckTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	s := &service{node: node, arrived: make(chan struct{}), release: make(chan struct{})}
	s.sessions, err = expresscookie.New(expresscookie.Config{
		Store:   expresscookie.Over(node, expresscookie.DefaultPrefix),
		Secrets: []string{"signed in Go", "signed in Express"},
		Cookie:  expresscookie.Cookie{MaxAge: 30 * time.Minute, SameSite: "lax"},
		User:    "user.name",
		OnEvent: func(_ *http.Request, e expresscookie.Event) { fmt.Fprintln(os.Stderr, "event:", e.Kind, e.Err) },
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", s.me)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /change", s.change)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("POST /key", s.key)
	mux.HandleFunc("POST /slow", s.slow)
	outside := http.NewServeMux() // what the test asks for without a session
	outside.Handle("/", s.sessions.Handler(mux))
	outside.HandleFunc("POST /arrived", func(http.ResponseWriter, *http.Request) { <-s.arrived })
	outside.HandleFunc("POST /logout-everywhere", s.logoutEverywhere)
	outside.HandleFunc("POST /release", func(http.ResponseWriter, *http.Request) { s.release <- struct{}{} })
	fmt.Println("listening")
	return http.ListenAndServe("127.0.0.1:3001", outside)
}

func (s *service) me(w http.ResponseWriter, r *http.Request) {
	session := s.sessions.Of(r)
	var user person
	p := page{Minutes: session.MaxAge().Round(time.Minute).Minutes()}
	if known, err := session.Get("user", &user); fail(w, err) {
		return
	} else if known {
		p.User = &user.Name
	}
	if _, err := session.Get("note", &p.Note); fail(w, err) {
		return
	}
	for _, key := range session.Keys() {
		if strings.HasPrefix(key, "key") {
			p.Keys++
		}
	}
	fail(w, json.NewEncoder(w).Encode(p))
}

func fail(w http.ResponseWriter, err error) bool {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	return err != nil
}

func (s *service) login(w http.ResponseWriter, r *http.Request) {
	session, body := s.sessions.Of(r), asked(r)
	if !fail(w, first(session.Regenerate(r.Context()), session.Set("user", person{body["user"], time.Now()}))) {
		s.me(w, r)
	}
}

func asked(r *http.Request) (body map[string]string) {
	_ = json.NewDecoder(r.Body).Decode(&body)
	return body
}

func (s *service) change(w http.ResponseWriter, r *http.Request) {
	if !fail(w, s.sessions.Of(r).Set("note", asked(r)["note"])) {
		s.me(w, r)
	}
}

func (s *service) logout(w http.ResponseWriter, r *http.Request) {
	if !fail(w, s.sessions.Of(r).Destroy(r.Context())) {
		s.me(w, r)
	}
}

func (s *service) key(w http.ResponseWriter, r *http.Request) {
	if !fail(w, s.sessions.Of(r).Set(asked(r)["key"], 1)) {
		s.me(w, r)
	}
}

// logoutEverywhere ends all sessions of a user.
func (s *service) logoutEverywhere(w http.ResponseWriter, r *http.Request) {
	_, _, err := s.node.DestroyOwner(r.Context(), asked(r)["user"])
	fail(w, err)
}

// slow changes the session after the test lets it go on.
func (s *service) slow(w http.ResponseWriter, r *http.Request) {
	s.arrived <- struct{}{}
	<-s.release
	s.change(w, r)
}

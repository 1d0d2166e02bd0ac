package expresscookie_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast"
	"github.com/sessioncast/sessioncast/expresscookie"
)

// A service with a login of its own, which an Express app with the same secret and a store with the same prefix shares: who is
// logged in here is so there, and the other way round.
func Example() {
	node, err := sessioncast.Open(context.Background(), sessioncast.Config{
		Name: "service", Cluster: "example", Insecure: true, Port: 24400, // for the example; leave them out in earnest
		Address: netip.MustParseAddr("127.0.0.1"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	defer node.Close()
	sessions, err := expresscookie.New(expresscookie.Config{
		Store:   expresscookie.Over(node, expresscookie.DefaultPrefix),
		Secrets: []string{"the new secret", "the old one"}, // as the app's: session({ secret: ['the new secret', 'the old one'] })
		Cookie:  expresscookie.Cookie{MaxAge: 30 * time.Minute},
	})
	if err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		session := sessions.Of(r)
		if err := session.Regenerate(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		_ = session.Set("user", map[string]string{"name": r.FormValue("name")}) // in Express: req.session.user = { name }
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		var user struct{ Name string }
		if known, err := sessions.Of(r).Get("user", &user); err != nil || !known {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "hello ", user.Name)
	})
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) {
		_ = sessions.Of(r).Destroy(r.Context())
	})
	server := httptest.NewServer(sessions.Handler(mux))
	defer server.Close()

	cookie := ""
	ask := func(method, path string) string {
		req, _ := http.NewRequest(method, server.URL+path, nil)
		req.Header.Set("Cookie", cookie)
		res, err := server.Client().Do(req)
		if err != nil {
			panic(err)
		}
		defer res.Body.Close()
		for _, c := range res.Cookies() {
			cookie = c.Name + "=" + c.Value
		}
		body, _ := io.ReadAll(res.Body)
		return strings.TrimSpace(res.Status + " " + string(body))
	}
	fmt.Println(ask("GET", "/me"))
	fmt.Println(ask("POST", "/login?name=alice"))
	fmt.Println(ask("GET", "/me"))
	fmt.Println(ask("POST", "/logout"))
	fmt.Println(ask("GET", "/me"))
	// Output:
	// 401 Unauthorized who are you?
	// 200 OK
	// 200 OK hello alice
	// 200 OK
	// 401 Unauthorized who are you?
}

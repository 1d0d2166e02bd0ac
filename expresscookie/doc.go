// Package expresscookie lets a Go service share the login of an Express app: it verifies and issues the signed connect.sid
// cookies of express-session 1.19 and reads and writes its JSON sessions in the cluster.
//
//	sessions, err := expresscookie.New(expresscookie.Config{
//		Store:   expresscookie.Over(node, expresscookie.DefaultPrefix),
//		Secrets: []string{os.Getenv("SESSION_SECRET")}, // the app's
//	})
//	…
//	http.ListenAndServe(addr, sessions.Handler(mux))
//
// and in a handler
//
//	var user User
//	known, err := sessions.Of(r).Get("user", &user)
//
// Without the middleware: Load, then Commit before the response's head is written.
//
// # What it takes from express-session
//
// Ids, signatures, rotation of secrets, the Cookie and Set-Cookie headers, the "cookie" key of a session, and when a cookie is
// sent and a session saved, touched or made, are express-session's with resave: false and unset: "keep". Configure name,
// secrets, cookie, rolling and saveUninitialized as in the app, and the prefix as in its store.
//
// What differs: only the top-level keys that changed are written, so that requests running at the same time, here and in Express,
// keep each other's; a change of the cookie's age alone is a change; Save extends the session's life, where req.session.save writes
// the end of the save before; and the last save has happened, or failed, before the response's head leaves.
//
// # Safety
//
// A Sessions is safe for concurrent use. A Session belongs to one request and to one goroutine at a time. Neither ids nor
// contents stand in errors; printing a Sessions or a Session shows none.
package expresscookie

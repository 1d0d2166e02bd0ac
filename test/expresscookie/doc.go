// Package expresscookie tests the public package of that name against express-session and cookie-signature themselves: the same
// requests to both, and a Go service that shares the login of an Express app beside a running daemon.
//
// The packages come from npm, as app/package-lock.json has them.
package expresscookie

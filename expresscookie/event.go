package expresscookie

// EventKind is what an Event tells.
type EventKind uint8

// The kinds of event. Of the first five the client hears nothing: it gets a new session, if any.
const (
	Unsigned  EventKind = iota + 1 // the cookie is not signed, as of another program with a cookie of that name
	Tampered                       // the cookie's signature is of none of the secrets: forged, or they were rotated out
	TooLong                        // the cookie exceeds MaxCookie
	Unknown                        // the cookie is good, and there is no session: destroyed, ended, or never made
	NotObject                      // the cookie is good, and what is stored under its key is no JSON object
	Destroyed                      // a session was destroyed while a request that would have saved or extended it ran
	Conflict                       // keys were written over what another request had changed meanwhile: Keys names them
	Insecure                       // a cookie for HTTPS only was not sent since the request is no HTTPS
	Failed                         // a session could not be saved after the response's head had left: Err says why
)

var kindNames = [...]string{"", "unsigned", "tampered", "too long", "unknown", "no object", "destroyed", "conflict", "insecure", "failed"}

func (k EventKind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "no kind"
}

// Event is something to count.
type Event struct {
	Kind EventKind
	Keys []string // of Conflict
	Err  error    // of Failed
}

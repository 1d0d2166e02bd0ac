package expresscookie

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Cookie is what new sessions' cookies are made with, express-session's option of that name. The zero value is its default.
type Cookie struct {
	// Path is what the cookie is sent for, and what has sessions at all; "" is "/".
	Path string
	// Domain is whom it is sent to besides the host that set it.
	Domain string
	// MaxAge is how long it lives after the last response that set it, and the session in the store; 0: until the browser is
	// closed, and in the store for Config.TTL.
	MaxAge time.Duration
	// Readable lets scripts read it: HttpOnly is left out, express-session's httpOnly: false.
	Readable bool
	// Secure says when it is sent over HTTPS only.
	Secure Secure
	// SameSite is "strict", "lax", "none", "auto" (none over HTTPS, else lax) or "" to leave it out.
	SameSite string
	// Partitioned is for cookies that are third parties' and kept apart for each site.
	Partitioned bool
	// Priority is "low", "medium", "high" or "" to leave it out.
	Priority string
}

// Secure says when a cookie is for HTTPS only.
type Secure uint8

// Values of Secure.
const (
	SecureNever Secure = iota
	SecureAlways
	SecureAuto // where the session begins over HTTPS
)

// attributes are a session's cookie: the value of its key "cookie". What this package does not choose stays as JSON, since
// JavaScript has more ways to say it than one.
type attributes struct {
	OriginalMaxAge json.RawMessage `json:"originalMaxAge"`
	Partitioned    json.RawMessage `json:"partitioned,omitempty"`
	Priority       json.RawMessage `json:"priority,omitempty"`
	Expires        json.RawMessage `json:"expires"`
	Secure         json.RawMessage `json:"secure,omitempty"`
	HTTPOnly       json.RawMessage `json:"httpOnly,omitempty"`
	Domain         json.RawMessage `json:"domain,omitempty"`
	Path           json.RawMessage `json:"path,omitempty"`
	SameSite       json.RawMessage `json:"sameSite,omitempty"`

	age   time.Duration // originalMaxAge, where ages
	ages  bool          // it ends; else it is the browser's for as long as it is open
	until time.Time     // where ages: as of the last touch
}

var (
	jsonNull = json.RawMessage("null")
	jsonTrue = json.RawMessage("true")
)

// isoMillis is what a JavaScript Date is in JSON.
const isoMillis = "2006-01-02T15:04:05.000Z"

// longestAge is the longest life of a cookie: beyond it dates leave what both languages can write. Browsers end it sooner.
const longestAge = 100 * 365 * 24 * time.Hour

// made is the cookie of a new session.
func (c *Cookie) made(https bool) attributes {
	a := attributes{
		OriginalMaxAge: jsonNull, Expires: jsonNull, HTTPOnly: jsonOf(!c.Readable), Path: jsonOf(c.path()),
	}
	if c.MaxAge != 0 {
		a.setAge(c.MaxAge)
	}
	switch {
	case c.Secure == SecureAlways:
		a.Secure = jsonTrue
	case c.Secure == SecureAuto:
		a.Secure = jsonOf(https)
	}
	switch {
	case c.SameSite == "auto" && https:
		a.SameSite = jsonOf("none")
	case c.SameSite == "auto":
		a.SameSite = jsonOf("lax")
	case c.SameSite != "":
		a.SameSite = jsonOf(c.SameSite)
	}
	if c.Domain != "" {
		a.Domain = jsonOf(c.Domain)
	}
	if c.Partitioned {
		a.Partitioned = jsonTrue
	}
	if c.Priority != "" {
		a.Priority = jsonOf(c.Priority)
	}
	return a
}

func (c *Cookie) path() string {
	if c.Path == "" {
		return "/"
	}
	return c.Path
}

// setAge makes the cookie live for age after each touch; 0: as long as the browser is open.
func (a *attributes) setAge(age time.Duration) {
	age = min(age, longestAge).Truncate(time.Millisecond)
	a.age, a.ages = age, age != 0
	if !a.ages {
		a.OriginalMaxAge = jsonNull
		return
	}
	a.OriginalMaxAge = json.RawMessage(strconv.FormatInt(age.Milliseconds(), 10))
}

// touch moves its end.
func (a *attributes) touch(now time.Time) {
	if !a.ages {
		a.Expires = jsonNull
		return
	}
	a.until = now.Add(a.age)
	a.Expires = jsonOf(a.until.UTC().Format(isoMillis))
}

// readAttributes reads the key "cookie" of a stored session. When it ends by that is not looked at: stores that are only told of a
// touch, as connect-redis, leave an old date there.
func readAttributes(data json.RawMessage) (a attributes, err error) {
	var of map[string]json.RawMessage // not into a: that would take keys of other case for its own
	if json.Unmarshal(data, &of) != nil || of == nil {
		return a, fmt.Errorf("%w: no cookie in it", ErrNotSession)
	}
	a = attributes{OriginalMaxAge: of["originalMaxAge"], Partitioned: of["partitioned"], Priority: of["priority"],
		Expires: of["expires"], Secure: of["secure"], HTTPOnly: of["httpOnly"], Domain: of["domain"], Path: of["path"],
		SameSite: of["sameSite"]}
	if len(a.OriginalMaxAge) == 0 || bytes.Equal(a.OriginalMaxAge, jsonNull) {
		a.OriginalMaxAge = jsonNull
		return a, nil
	}
	var millis float64
	if err := json.Unmarshal(a.OriginalMaxAge, &millis); err != nil {
		return a, fmt.Errorf("%w: originalMaxAge is no number", ErrNotSession)
	}
	limit := float64(longestAge.Milliseconds())
	a.ages, a.age = true, time.Duration(math.Max(-limit, math.Min(millis, limit))*float64(time.Millisecond))
	return a, nil
}

// truthy is what JavaScript takes for true.
func truthy(v json.RawMessage) bool {
	switch string(v) {
	case "", "null", "false", "0", "-0", `""`:
		return false
	}
	return true
}

// jsonOf is v as JSON. v is a string, a bool or made of what came from JSON: that does not fail.
func jsonOf(v any) json.RawMessage {
	text, err := marshal(v)
	if err != nil {
		return jsonNull
	}
	return text
}

// marshal is json.Marshal without its escapes for HTML, which JavaScript does not write.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

package expresscookie

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// What the npm package "cookie" takes for a name, a domain and a path.
var (
	cookieName   = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$")
	cookieDomain = regexp.MustCompile(`^(?i:[.]?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?i:[.][a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$`)
	cookiePath   = regexp.MustCompile(`^[\x20-\x3A\x3D-\x7E]*$`)
)

var priorities = map[string]string{"low": "Low", "medium": "Medium", "high": "High"}

var sameSites = map[string]string{"lax": "Lax", "strict": "Strict", "none": "None"}

// setCookie is the value of a Set-Cookie header, attributes in the order of the npm package "cookie". value is encoded.
func (a *attributes) setCookie(name, value string) (string, error) {
	var b strings.Builder
	b.WriteString(name + "=" + value)
	for _, part := range []struct {
		of    json.RawMessage
		write func(json.RawMessage) (string, error)
	}{
		{a.Domain, matching("Domain", cookieDomain)},
		{a.Path, matching("Path", cookiePath)},
		{jsonOf(a.ages), func(json.RawMessage) (string, error) { return "Expires=" + a.until.UTC().Format(http.TimeFormat), nil }},
		{a.HTTPOnly, flag("HttpOnly")},
		{a.Secure, flag("Secure")},
		{a.Partitioned, flag("Partitioned")},
		{a.Priority, oneOf("Priority", priorities)},
		{strictIfTrue(a.SameSite), oneOf("SameSite", sameSites)},
	} {
		if !truthy(part.of) {
			continue
		}
		text, err := part.write(part.of)
		if err != nil {
			return "", err
		}
		b.WriteString("; " + text)
	}
	if b.Len() > MaxCookie {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrCookie, MaxCookie)
	}
	return b.String(), nil
}

func flag(name string) func(json.RawMessage) (string, error) {
	return func(json.RawMessage) (string, error) { return name, nil }
}

func matching(name string, allowed *regexp.Regexp) func(json.RawMessage) (string, error) {
	return func(v json.RawMessage) (string, error) {
		var s string
		if json.Unmarshal(v, &s) != nil || !allowed.MatchString(s) {
			return "", fmt.Errorf("%w: its %s is invalid", ErrCookie, name)
		}
		return name + "=" + s, nil
	}
}

func oneOf(name string, allowed map[string]string) func(json.RawMessage) (string, error) {
	return func(v json.RawMessage) (string, error) {
		var s string
		if json.Unmarshal(v, &s) != nil || allowed[strings.ToLower(s)] == "" {
			return "", fmt.Errorf("%w: its %s is invalid", ErrCookie, name)
		}
		return name + "=" + allowed[strings.ToLower(s)], nil
	}
}

// strictIfTrue is sameSite with true as what it stands for.
func strictIfTrue(v json.RawMessage) json.RawMessage {
	if string(v) == "true" {
		return json.RawMessage(`"strict"`)
	}
	return v
}

// check says what express-session would not take.
func (c *Cookie) check() error {
	switch {
	case !cookiePath.MatchString(c.Path) || c.Path != "" && c.Path[0] != '/':
		return fmt.Errorf("expresscookie: Config.Cookie.Path %q: must begin with / and hold no ; or control characters", c.Path)
	case c.Domain != "" && !cookieDomain.MatchString(c.Domain):
		return fmt.Errorf("expresscookie: Config.Cookie.Domain %q: must be a domain, as example.com", c.Domain)
	case c.SameSite != "" && c.SameSite != "auto" && sameSites[strings.ToLower(c.SameSite)] == "":
		return fmt.Errorf("expresscookie: Config.Cookie.SameSite %q: must be strict, lax, none or auto", c.SameSite)
	case c.Priority != "" && priorities[strings.ToLower(c.Priority)] == "":
		return fmt.Errorf("expresscookie: Config.Cookie.Priority %q: must be low, medium or high", c.Priority)
	case c.Secure > SecureAuto:
		return fmt.Errorf("expresscookie: Config.Cookie.Secure %d: must be SecureNever, SecureAlways or SecureAuto", c.Secure)
	case c.MaxAge != 0 && c.MaxAge < time.Millisecond || c.MaxAge > longestAge:
		return fmt.Errorf("expresscookie: Config.Cookie.MaxAge %v: must be 0, or a millisecond to a hundred years", c.MaxAge)
	}
	return nil
}

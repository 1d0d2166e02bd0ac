package expresscookie

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/expresscookie"
)

// Texts that any layer between a cookie and an id could stumble over.
var odd = []string{"a", " ", "a b", "a.b", "a.b.c.", "...", "s:x", "%", "%41", "%zz", "a+b", "a/b=", `"quoted"`, "a;b", "a,b", "a=b", `\`, "é", "€uro", "🍪",
	"\x00", "a\tb", "line\nbreak", "\u2028", "\uFFFD", "e\u0301", "__proto__", "0123456789abcdefghijklmnopqrstuv", strings.Repeat("🍪", 200)}

func TestSignaturesAreThoseOfCookieSignature(t *testing.T) {
	var questions []question
	for _, id := range odd {
		for _, secret := range odd {
			questions = append(questions,
				question{Op: "sign", Value: id, Secret: secret},
				question{Op: "unsign", Value: strings.TrimPrefix(expresscookie.Sign(id, secret), "s:"), Secret: secret},
				question{Op: "unsign", Value: strings.TrimPrefix(expresscookie.Sign(id, secret), "s:"), Secret: secret + "x"})
		}
	}
	for i, a := range asks(t, questions) {
		q := questions[i]
		switch {
		case i%3 == 0:
			if id, ok := expresscookie.Unsign("s:"+a.Value.(string), "other", q.Secret); !ok || id != q.Value {
				t.Errorf("%q signed by cookie-signature with %q: %q, %v", q.Value, q.Secret, id, ok)
			}
		case i%3 == 1:
			if id, _ := expresscookie.Unsign("s:"+q.Value, q.Secret); a.Value != id {
				t.Errorf("%q signed here with %q: cookie-signature reads %q", q.Value, q.Secret, a.Value)
			}
		case a.Value != false:
			t.Errorf("%q of another secret: cookie-signature reads %q", q.Value, a.Value)
		}
	}
}

// Express reads what was issued here, and this package what was issued by Express; each has a newer secret than the other one.
func TestCookiesOfEachAreReadByTheOther(t *testing.T) {
	ours, theirs := []string{"new in Go", "new in Express"}, []string{"new in Express", "new in Go"}
	var questions []question
	for _, id := range odd {
		questions = append(questions, question{Op: "visit", Does: "set", IDs: []string{id}, Now: bubble, Options: options(theirs, nil)},
			question{Op: "visit", Now: bubble, Options: options(theirs, nil), Text: textPlain,
				Header: []byte("connect.sid=" + escaped(expresscookie.Sign(id, ours[0])))})
	}
	for i, a := range asks(t, questions) {
		id := odd[i/2]
		if i%2 == 1 {
			if a.Asked == nil || *a.Asked != id {
				t.Errorf("%q issued here: Express does not look for it: %v", id, a)
			}
			continue
		}
		if len(a.Sent) != 1 {
			t.Fatalf("%q: Express sent %q", id, a.Sent)
		}
		header, _, _ := strings.Cut(a.Sent[0], ";")
		if asked := asksFor(t, ours, []byte(header)); asked == nil || *asked != id {
			t.Errorf("%q issued by Express in %q is not found here", id, header)
		}
	}
}

// escaped is JavaScript's encodeURIComponent by other means.
func escaped(s string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	return strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(s)
}

// asksFor is the id that this package asks the store for; nil: for none.
func asksFor(t *testing.T, secrets []string, header []byte) *string {
	t.Helper()
	store := &oneStore{}
	sessions, err := expresscookie.New(expresscookie.Config{Store: store, Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Cookie"] = []string{string(header)}
	if _, err := sessions.Load(r); err != nil {
		t.Fatal(err)
	}
	return store.asked
}

// Headers made of what cookies are made of, in any order: both look for the same session, or for none.
func TestHeadersAreReadAsByExpress(t *testing.T) {
	const seed, headers = 4, 4000
	secrets := []string{"one", "two"}
	signed := func(id, secret string) string { return escaped(expresscookie.Sign(id, secret)) }
	parts := []string{"connect.sid", "connect.sid=", "connect.sid=" + signed("id1", "one"), "connect.sid=" + signed("id é", "two"),
		"connect.sid=" + expresscookie.Sign("id3", "one"), `connect.sid="` + signed("id4", "one") + `"`, "connect.sid=" + signed("id5", "three"),
		"connect.sid=" + strings.ReplaceAll(signed("ID6", "one"), "%3A", "%3a"), "connect.sid=" + signed("id7", "one")[:20], signed("id8", "one"),
		"=", ";", "; ", " ", "\t", `"`, "%", "%41", "%E2%82", "a=b", "\xe9", "\xc3\xa9", "connect.sid=\xe9", "s:", ".", "\x00", "connect.sid ="}
	dice := rand.New(rand.NewPCG(seed, seed))
	var questions []question
	for range headers {
		var header strings.Builder
		for range 1 + dice.IntN(7) {
			header.WriteString(parts[dice.IntN(len(parts))])
		}
		questions = append(questions, question{Op: "visit", Header: []byte(header.String()), Now: bubble, Text: textPlain,
			IDs: []string{"new"}, Options: options(secrets, nil)})
	}
	found := 0
	for i, a := range asks(t, questions) {
		got, want := asksFor(t, secrets, questions[i].Header), a.Asked
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q: looks for %v, Express for %v", questions[i].Header, show(got), show(want))
		}
		if want != nil {
			found++
		}
	}
	if found < headers/20 || found > headers*19/20 {
		t.Errorf("Express found a session in %d of %d headers: the draw shows little", found, headers)
	}
}

func show(s *string) string {
	if s == nil {
		return "none"
	}
	return "“" + *s + "”"
}

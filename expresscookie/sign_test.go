package expresscookie

import (
	"encoding/base64"
	"strings"
	"testing"
)

// The vectors are cookie-signature's own.
func TestSignaturesAreCookieSignatures(t *testing.T) {
	const signed = "s:hello.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI"
	if got := Sign("hello", "tobiiscool"); got != signed {
		t.Errorf("signed %q, want %q", got, signed)
	}
	if got, ok := Unsign(signed, "tobiiscool"); !ok || got != "hello" {
		t.Errorf("%q, %v", got, ok)
	}
	if _, ok := Unsign(signed, "luna"); ok {
		t.Error("verified by another secret")
	}
	if _, ok := Unsign(signed); ok {
		t.Error("verified by none")
	}
}

func TestSecretsRotate(t *testing.T) {
	old, changed := Sign("id", "old"), Sign("id", "new")
	for _, c := range []struct {
		name, value string
		secrets     []string
		want        bool
	}{
		{"the old one before", old, []string{"old"}, true},
		{"the old one meanwhile", old, []string{"new", "old"}, true},
		{"the new one meanwhile", changed, []string{"new", "old"}, true},
		{"the old one after", old, []string{"new"}, false},
	} {
		if _, ok := Unsign(c.value, c.secrets...); ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
}

func TestNoOtherTextVerifies(t *testing.T) {
	good := Sign("hello", secret)
	bad := map[string]string{
		"unmarked": strings.TrimPrefix(good, signedMark), "marked otherwise": "S" + good[1:], "padded": good + "=",
		"cut": good[:len(good)-1], "empty": "", "a mark": signedMark, "no signature": "s:hello", "an empty one": "s:hello.",
		"of another alphabet": strings.NewReplacer("+", "-", "/", "_").Replace(Sign("f", secret)) + "-", "longer": good + "A",
		"another id": strings.Replace(good, "hello", "hellp", 1), "with a space": good + " ",
	}
	// The last character carries four bits of the signature: others that decode to the same bytes are not the same text.
	last := strings.IndexByte(alphabet, good[len(good)-1])
	same := good[:len(good)-1] + string(alphabet[last^1])
	a, _ := base64.RawStdEncoding.DecodeString(good[strings.LastIndex(good, ".")+1:])
	b, _ := base64.RawStdEncoding.DecodeString(same[strings.LastIndex(same, ".")+1:])
	if string(a) != string(b) {
		t.Fatal("the two are not of the same bytes")
	}
	bad["of the same bytes"] = same
	for i := range good[len(signedMark):] {
		at := len(signedMark) + i
		bad["changed at "+string(rune('a'+i))] = good[:at] + string(good[at]^1) + good[at+1:]
	}
	for name, value := range bad {
		if id, ok := Unsign(value, secret); ok {
			t.Errorf("%s: %q verifies as %q", name, value, id)
		}
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func TestIDsAreUIDSafes(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := newID()
		if len(id) != 32 || strings.Trim(id, alphabet[:62]+"-_") != "" || seen[id] {
			t.Fatalf("%q, seen %v", id, seen[id])
		}
		seen[id] = true
	}
}

package expresscookie

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// signedMark begins a signed cookie.
const signedMark = "s:"

// idBytes is how many random bytes an id has: express-session asks uid-safe for 24.
const idBytes = 24

// newID is an id as uid-safe makes it: 32 characters.
func newID() string {
	var b [idBytes]byte
	_, _ = rand.Read(b[:]) // it does not fail: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Sign is the value of the cookie for a session's id before it is encoded: "s:", the id, a dot, and the id's HMAC-SHA256 in base64
// without padding.
func Sign(id, secret string) string {
	return signedMark + id + "." + signature(id, secret)
}

// Unsign returns the id that a cookie's decoded value holds, if it is signed with one of the secrets.
func Unsign(value string, secrets ...string) (id string, ok bool) {
	signed, marked := strings.CutPrefix(value, signedMark)
	dot := strings.LastIndexByte(signed, '.')
	if !marked || dot < 0 {
		return "", false
	}
	id, given := signed[:dot], signed[dot+1:]
	for _, secret := range secrets {
		if hmac.Equal([]byte(signature(id, secret)), []byte(given)) { // in constant time
			return id, true
		}
	}
	return "", false
}

// signature is compared as text: of several base64 texts that decode to the same bytes Express takes one.
func signature(id, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

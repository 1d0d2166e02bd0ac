package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
)

// TagLength is the length of a session's tag.
const TagLength = 8

// tagBytes is what TagLength base32 digits hold.
const tagBytes = TagLength * 5 / 8

var tagDigits = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Tagger makes the tags that logs, metrics, console and CLI show in place of session ids, which are bearer secrets.
// It never changes and is safe for concurrent use.
type Tagger struct {
	holder *tagKey
}

type tagKey struct{ key hidden }

// Tagger is the Tagger of the primary key: nodes with one primary key and cluster name show one session by one tag.
func (k *Keyring) Tagger() Tagger {
	return Tagger{&tagKey{(*[sha256.Size]byte)(k.Derive("session tag", sha256.Size))}}
}

// SessionTag is the keyed 8-character fingerprint of a session's key. It cannot be turned back without the cluster key.
func (t Tagger) SessionTag(db uint8, name string) string {
	mac := hmac.New(sha256.New, t.holder.key[:])
	_, _ = mac.Write([]byte{db})
	_, _ = mac.Write([]byte(name))
	return tagDigits.EncodeToString(mac.Sum(nil)[:tagBytes])
}

// Format never shows the key, whatever the verb.
func (Tagger) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[tagger]") }

// Package seal seals and opens frames: the key file, the keyring, the key schedule and the replay windows.
//
// Keys, Keyrings and Taggers never change and are safe for concurrent use. A Sealer and an Opener belong to the one
// loop that sends and receives; nothing in them is safe to call from two goroutines. Randomness is handed in.
package seal

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// KeySize is the length of a cluster key.
const KeySize = 32

// Key is a cluster key: who holds it reads and writes every session. No way of printing a Key shows it; to write it
// down on purpose there is FormatKeyFile.
//
// Two ways of printing cannot be closed for an array: %p, which go vet refuses, and a Key in an unexported field of
// another struct. Hold a *Keyring there.
type Key [KeySize]byte

const hiddenKey = "[key]"

// GenerateKey makes a key of 32 bytes from rand, which must be a cryptographic source.
func GenerateKey(rand io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(rand, k[:]); err != nil {
		return Key{}, fmt.Errorf("making a cluster key: %w", err)
	}
	return k, nil
}

// InsecureKey is the key that `--insecure` uses. It is the hash of the sentence below, known to everybody, so it
// protects nothing: anyone may read, change and add sessions. It exists so that insecure nodes have the same single
// path for frames as all others, on which nothing without a valid tag passes. Its key id differs from that of every
// secret key, and NewKeyring refuses it beside one, so insecure nodes and secured ones never mix.
func InsecureKey() Key {
	return sha256.Sum256([]byte("sessioncast --insecure: this key is public and protects nothing"))
}

// String never shows the key.
func (Key) String() string { return hiddenKey }

// GoString never shows the key.
func (Key) GoString() string { return hiddenKey }

// Format never shows the key, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenKey) }

// MarshalText never shows the key.
func (Key) MarshalText() ([]byte, error) { return []byte(hiddenKey), nil }

// MarshalJSON never shows the key.
func (Key) MarshalJSON() ([]byte, error) { return []byte(`"` + hiddenKey + `"`), nil }

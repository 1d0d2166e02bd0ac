package seal

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// MaxKeys is how many keys a keyring, and so a key file, may hold.
const MaxKeys = 4

// maxKeyFile is the longest key file: room for the keys and generous comments.
const maxKeyFile = 64 << 10

const keyFileComment = `# sessioncast cluster key.
#
# Every server of the cluster needs a copy of this file. Who holds it can read and change every session: keep it
# readable by its owner only (chmod 600), and copy the file itself, never its content through a command line or a log.
#
# One key of 64 hex digits per line, at most 4. The first is the primary, which this server seals with; it opens what
# was sealed with any of them. To change the key: add the new one as second line on every server, then move it to the
# first line on every server, then remove the old one.
`

// ParseKeyFile reads a key file: one key of 64 hex digits per line, the first is primary; # starts a comment.
// Its errors name the line, never what stands there.
func ParseKeyFile(file []byte) ([]Key, error) {
	if len(file) > maxKeyFile {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeyFile, maxKeyFile)
	}
	var keys []Key
	number := 0
	for line := range bytes.Lines(file) {
		number++
		if comment := bytes.IndexByte(line, '#'); comment >= 0 {
			line = line[:comment]
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		key, err := parseKey(line)
		if err == nil {
			err = checkBeside(keys, key)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrKeyFile, number, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, ErrNoKey)
	}
	return keys, nil
}

// FormatKeyFile is the key file of keys, the primary first, with a comment that explains it. It is the only thing
// that shows a key: write it to a file of mode 0600 and nowhere else.
func FormatKeyFile(keys []Key) []byte {
	file := []byte(keyFileComment)
	for _, k := range keys {
		file = hex.AppendEncode(file, k[:])
		file = append(file, '\n')
	}
	return file
}

// parseKey reads 64 hex digits. hex's own errors quote what they read, so none of them passes.
func parseKey(line []byte) (Key, error) {
	var k Key
	if len(line) != hex.EncodedLen(KeySize) {
		return Key{}, ErrKeyDigits
	}
	if _, err := hex.Decode(k[:], line); err != nil {
		return Key{}, ErrKeyDigits
	}
	return k, nil
}

// checkBeside says why key may not be the next one after keys.
func checkBeside(keys []Key, key Key) error {
	if len(keys) == MaxKeys {
		return ErrManyKeys
	}
	if key == (Key{}) {
		return ErrZeroKey
	}
	for _, other := range keys {
		switch {
		case other == key:
			return ErrSameKey
		case key == InsecureKey() || other == InsecureKey():
			return ErrMixedKeys
		}
	}
	return nil
}

package seal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// hexOf is the key file's line of keyOf(b).
func hexOf(b byte) string { return strings.Repeat(fmt.Sprintf("%02x", b), KeySize) }

func TestParseKeyFile(t *testing.T) {
	tests := []struct {
		name, file string
		want       []Key
	}{
		{"one key", hexOf(1) + "\n", []Key{keyOf(1)}},
		{"no newline at the end", hexOf(1), []Key{keyOf(1)}},
		{"the first is the primary", hexOf(2) + "\n" + hexOf(1) + "\n", []Key{keyOf(2), keyOf(1)}},
		{"four keys", hexOf(1) + "\n" + hexOf(2) + "\n" + hexOf(3) + "\n" + hexOf(4), []Key{keyOf(1), keyOf(2), keyOf(3), keyOf(4)}},
		{"comments and blank lines", "# one\n\n  \t\n" + hexOf(1) + "\n#" + hexOf(2) + "\n", []Key{keyOf(1)}},
		{"a comment behind a key", hexOf(1) + " # new\n", []Key{keyOf(1)}},
		{"Windows line ends and blanks around", "# c\r\n \t" + hexOf(1) + " \r\n", []Key{keyOf(1)}},
		{"capital digits", strings.ToUpper(hexOf(0xab)), []Key{keyOf(0xab)}},
		{"the public key alone", string(FormatKeyFile([]Key{InsecureKey()})), []Key{InsecureKey()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseKeyFile([]byte(tt.file))
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%d keys, %v", len(got), err)
			}
		})
	}
}

func TestParseKeyFileRefuses(t *testing.T) {
	public := InsecureKey()
	publicHex := hex.EncodeToString(public[:])
	tests := []struct {
		name, file string
		want       error
		text       string
	}{
		{"an empty file", "", ErrNoKey, "key file: no key in it; `sessioncast key new` makes one"},
		{"only comments", "# " + hexOf(1), ErrNoKey, ""},
		{"a digit too few", "\n" + hexOf(1)[1:], ErrKeyDigits,
			"key file: line 2: want a key of 64 hex digits, or a comment that starts with #"},
		{"a digit too many", hexOf(1) + "1", ErrKeyDigits, ""},
		{"a letter that is no digit", "# c\n" + hexOf(2) + "\n" + hexOf(1)[1:] + "g", ErrKeyDigits, "line 3"},
		{"two keys on a line", hexOf(1) + " " + hexOf(2), ErrKeyDigits, "line 1"},
		{"five keys", hexOf(1) + "\n" + hexOf(2) + "\n" + hexOf(3) + "\n" + hexOf(4) + "\n" + hexOf(5), ErrManyKeys, "line 5"},
		{"one key twice", hexOf(1) + "\n" + hexOf(2) + "\n" + hexOf(1), ErrSameKey, "line 3"},
		{"zeros", hexOf(0), ErrZeroKey, "line 1"},
		{"the public key behind a secret one", hexOf(1) + "\n" + publicHex, ErrMixedKeys, "line 2"},
		{"a secret key behind the public one", publicHex + "\n" + hexOf(1), ErrMixedKeys, "line 2"},
		{"a file without end", strings.Repeat("#\n", maxKeyFile), ErrKeyFile, "longer than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := ParseKeyFile([]byte(tt.file))
			if keys != nil || !errors.Is(err, tt.want) || !errors.Is(err, ErrKeyFile) {
				t.Fatalf("%d keys, error %v, want %v", len(keys), err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q does not say %q", err, tt.text)
			}
		})
	}
}

func TestKeyFileErrorsNeverShowWhatStandsThere(t *testing.T) {
	const secret = "c0ffee"
	for _, line := range []string{
		strings.Repeat(secret, 3), strings.Repeat(secret, 10) + "zzzz", strings.Repeat(secret, 12), "key = " + secret, secret + "\x00" + secret,
	} {
		_, err := ParseKeyFile([]byte(line))
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "z") {
			t.Errorf("error %v", err)
		}
	}
}

func TestFormattedKeyFileParses(t *testing.T) {
	keys := []Key{keyOf(1), keyOf(0xfe), keyOf(3), keyOf(4)}
	file := FormatKeyFile(keys)
	got, err := ParseKeyFile(file)
	if err != nil || !slices.Equal(got, keys) {
		t.Errorf("%d keys, %v", len(got), err)
	}
	if !strings.HasPrefix(string(file), "# sessioncast cluster key.\n") || !strings.HasSuffix(string(file), hexOf(4)+"\n") {
		t.Error("no comment in front, or no newline behind")
	}
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add([]byte(hexOf(1) + "\n# c\n" + hexOf(2)))
	f.Add([]byte("#"))
	f.Fuzz(func(t *testing.T, file []byte) {
		keys, err := ParseKeyFile(file)
		if err != nil {
			return
		}
		if _, err := NewKeyring("", keys...); err != nil {
			t.Errorf("no keyring of a good file: %v", err)
		}
		if back, err := ParseKeyFile(FormatKeyFile(keys)); err != nil || !slices.Equal(back, keys) {
			t.Errorf("does not come back: %v", err)
		}
	})
}

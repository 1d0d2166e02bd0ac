package expresscookie

import (
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// encodeURIComponent is JavaScript's. It fails where JavaScript throws: on what is no Unicode text.
func encodeURIComponent(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String(), true
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0
}

// decodeURIComponent is JavaScript's. It fails where JavaScript throws: on a % without two digits, and on bytes that are no UTF-8.
func decodeURIComponent(s string) (string, bool) {
	next := strings.IndexByte(s, '%')
	if next < 0 {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; next >= 0; next = strings.IndexByte(s, '%') {
		b.WriteString(s[:next])
		char, used := escapedChar(s[next:])
		if used == 0 {
			return "", false
		}
		b.WriteString(char)
		s = s[next+used:]
	}
	b.WriteString(s)
	return b.String(), true
}

// escapedChar decodes the one character that s begins with, all of whose bytes are escaped; used is 0 where there is none.
func escapedChar(s string) (char string, used int) {
	var bytes [utf8.UTFMax]byte
	n := 1
	for i := 0; i < n; i++ {
		c, ok := escapedByte(s[3*i:])
		if !ok {
			return "", 0
		}
		bytes[i] = c
		if i == 0 {
			n = charLen(c)
		}
	}
	if r, size := utf8.DecodeRune(bytes[:n]); size != n || r == utf8.RuneError && n == 1 {
		return "", 0
	}
	return string(bytes[:n]), 3 * n
}

// charLen is how many bytes a character has that begins with c; one that cannot begin any is refused when it is decoded.
func charLen(c byte) int {
	switch {
	case c >= 0xF0:
		return 4
	case c >= 0xE0:
		return 3
	case c >= 0xC0:
		return 2
	}
	return 1
}

func escapedByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, ok1 := hexValue(s[1])
	low, ok2 := hexValue(s[2])
	return high<<4 | low, ok1 && ok2
}

func hexValue(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

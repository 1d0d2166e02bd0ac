// Package fields reads and writes the top level of sessions that are JSON objects, as Express and others keep them: which of their members changed,
// and how the fields of a patched value (record.TypePatched) are shown. It knows nothing of JSON below that level.
//
// Everything here is pure, and nothing keeps or changes what it is given.
package fields

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sessioncast/sessioncast/internal/record"
)

// ErrNoObject is a session that is no JSON object.
var ErrNoObject = errors.New("the session is not a JSON object")

// Member is one name of a JSON object, and what stands behind it.
type Member struct {
	Name  string
	Value []byte // JSON text
}

// Check reports why a member cannot be a field of its own; nil: it can.
func (m *Member) Check() error {
	switch {
	case len(m.Name) > record.MaxFieldName:
		return fmt.Errorf("a field's name has %d bytes, the limit is %d", len(m.Name), record.MaxFieldName)
	case !json.Valid(m.Value):
		return errors.New("a field's value is not JSON")
	}
	return nil
}

// Split takes a JSON object apart. What the members hold lies in text, but for names with escapes. Of two with one name both are listed; the last
// counts, as in JavaScript.
func Split(text []byte) ([]Member, error) {
	if !json.Valid(text) {
		return nil, ErrNoObject
	}
	return SplitValid(text)
}

// SplitValid is Split of what Split has taken apart before, here or on another node, and does not look at the members once more. Of anything
// else it makes ErrNoObject, or members of which nothing is known.
func SplitValid(text []byte) ([]Member, error) {
	s := scanner{text}
	if !s.skip('{') {
		return nil, ErrNoObject
	}
	members := make([]Member, 0, 8)
	for !s.skip('}') {
		if len(members) > 0 && !s.skip(',') {
			return nil, ErrNoObject
		}
		s.rest = skipSpace(s.rest)
		quoted := s.value()
		if len(quoted) < 2 || quoted[0] != '"' || !s.skip(':') {
			return nil, ErrNoObject
		}
		s.rest = skipSpace(s.rest)
		value := s.value()
		if len(value) == 0 {
			return nil, ErrNoObject
		}
		members = append(members, Member{Name: unquote(quoted), Value: value})
	}
	if len(skipSpace(s.rest)) > 0 {
		return nil, ErrNoObject
	}
	return members, nil
}

// Find is the value that counts for a name.
func Find(members []Member, name string) (value []byte, ok bool) {
	for i := len(members) - 1; i >= 0; i-- {
		if members[i].Name == name {
			return members[i].Value, true
		}
	}
	return nil, false
}

// Render appends the JSON object of a whole that Split has taken apart before, here or on another node, and the fields that were written over it. A whole that
// is no object is shown as it is.
func Render(dst, whole []byte, list []record.Field) []byte {
	members, err := SplitValid(whole)
	if err != nil {
		return append(dst, whole...)
	}
	over := make(map[string]*record.Field, len(list))
	for i := range list {
		over[list[i].Name] = &list[i]
	}
	shown := make(map[string]bool, len(list))
	dst = append(dst, '{')
	start := len(dst)
	put := func(name string, value []byte) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, name), ':')
		dst = append(dst, value...)
	}
	for i := range members {
		m := &members[i]
		f := over[m.Name]
		switch {
		case f == nil:
			put(m.Name, m.Value)
		case !f.Removed && !shown[m.Name]:
			put(m.Name, f.Bytes)
			shown[m.Name] = true
		}
	}
	for i := range list {
		if f := &list[i]; !f.Removed && !shown[f.Name] {
			put(f.Name, f.Bytes)
		}
	}
	return append(dst, '}')
}

// scanner goes through JSON. What is none it takes for something, and ends where it ends.
type scanner struct{ rest []byte }

// skip takes a mark, and the white space before it, if it comes next.
func (s *scanner) skip(mark byte) bool {
	rest := skipSpace(s.rest)
	if len(rest) == 0 || rest[0] != mark {
		return false
	}
	s.rest = rest[1:]
	return true
}

// value takes the value that the rest begins with.
func (s *scanner) value() []byte {
	depth, i := 0, 0
	for ; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			if i += stringEnd(s.rest[i:]); i == len(s.rest) {
				return s.take(i)
			}
			if depth == 0 {
				return s.take(i + 1)
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return s.take(i + 1)
			}
			if depth < 0 { // of the object around a number or a word
				return s.take(i)
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return s.take(i)
			}
		}
	}
	return s.take(i)
}

func (s *scanner) take(n int) []byte {
	b := s.rest[:n:n]
	s.rest = s.rest[n:]
	return b
}

// stringEnd is where the string that b begins with has its closing quote, or b ends.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// unquote is the string that is written so, in quotes.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return string(quoted)
	}
	return s
}

// appendQuoted appends s as JSON writes it, without the escapes that HTML asks for.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			b, err := json.Marshal(s)
			if err != nil { // strings can be written
				return dst
			}
			return append(dst, b...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

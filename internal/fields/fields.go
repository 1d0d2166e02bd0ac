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
	"slices"
	"sort"

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
	members := make([]Member, 0, 8)
	s := scanner{rest: text}
	for s.next() {
		members = append(members, Member{Name: unquote(s.quoted), Value: s.value})
	}
	if s.bad {
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

// Render appends the JSON object of a whole that Split has taken apart before, here or on another node, and the fields that were written over it, in the
// order of their names. A whole that is no object is shown as it is.
func Render(dst, whole []byte, list []record.Field) []byte {
	start, size := len(dst), len(whole)+len("{}")
	for i := range list {
		size += len(list[i].Name) + len(list[i].Bytes) + len(`,"":`)
	}
	dst = append(slices.Grow(dst, size), '{')
	var few [4]uint64 // nearly always enough
	shown := fieldSet(few[:])
	if len(list) > 64*len(few) {
		shown = make(fieldSet, (len(list)+63)/64)
	}
	s := scanner{rest: whole}
	for s.next() {
		i, over := find(list, s.quoted)
		switch {
		case !over:
			dst = append(appendName(dst, start, s.quoted), s.value...)
		case !list[i].Removed && !shown.has(i):
			dst = append(appendName(dst, start, s.quoted), list[i].Bytes...)
			shown.add(i)
		}
	}
	if s.bad {
		return append(dst[:start], whole...)
	}
	for i := range list {
		if f := &list[i]; !f.Removed && !shown.has(i) {
			dst = append(append(appendQuoted(comma(dst, start), f.Name), ':'), f.Bytes...)
		}
	}
	return append(dst, '}')
}

// fieldSet is a set of places in a list of fields.
type fieldSet []uint64

func (s fieldSet) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }
func (s fieldSet) add(i int)      { s[i/64] |= 1 << (i % 64) }

// find looks for the field of a name in quotes.
func find(list []record.Field, quoted []byte) (i int, found bool) {
	if len(list) == 0 {
		return 0, false
	}
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(unquote(quoted))
	}
	i = sort.Search(len(list), func(i int) bool { return list[i].Name >= string(name) })
	return i, i < len(list) && list[i].Name == string(name)
}

// comma separates what comes next from the member before it in the object that begins at start.
func comma(dst []byte, start int) []byte {
	if len(dst) > start+1 {
		return append(dst, ',')
	}
	return dst
}

// appendName appends a name in quotes, as appendQuoted writes it, and what stands around it.
func appendName(dst []byte, start int, quoted []byte) []byte {
	dst = comma(dst, start)
	for _, c := range quoted[1 : len(quoted)-1] {
		if c < ' ' || c == '\\' || c >= 0x7f {
			return append(appendQuoted(dst, unquote(quoted)), ':')
		}
	}
	return append(append(dst, quoted...), ':')
}

// scanner goes through the members of a JSON object. What is none it takes for something, and ends where it ends.
type scanner struct {
	rest          []byte
	quoted, value []byte // of the member that next has found
	begun, bad    bool
}

// next goes to the next member. It is false behind the last, or where the rest is bad.
func (s *scanner) next() bool {
	first := !s.begun
	if first {
		s.begun = true
		if !s.skip('{') {
			return s.fail()
		}
	}
	if s.skip('}') {
		s.bad = len(skipSpace(s.rest)) > 0
		return false
	}
	if !first && !s.skip(',') {
		return s.fail()
	}
	s.quoted = s.take()
	if len(s.quoted) < 2 || s.quoted[0] != '"' || !s.skip(':') {
		return s.fail()
	}
	s.value = s.take()
	return len(s.value) > 0 || s.fail()
}

func (s *scanner) fail() bool {
	s.bad = true
	return false
}

// skip takes a mark, and the white space before it, if it comes next.
func (s *scanner) skip(mark byte) bool {
	rest := skipSpace(s.rest)
	if len(rest) == 0 || rest[0] != mark {
		return false
	}
	s.rest = rest[1:]
	return true
}

// take takes the value that comes next, and the white space before it.
func (s *scanner) take() []byte {
	b := skipSpace(s.rest)
	n := valueEnd(b)
	s.rest = b[n:]
	return b[:n:n]
}

// valueEnd is where the value that b begins with ends, or b does.
func valueEnd(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return min(stringEnd(b)+1, len(b))
	case '{', '[':
		return nestedEnd(b)
	}
	for i, c := range b {
		switch c {
		case ',', ':', ' ', '\t', '\r', '\n', '}', ']', '"', '{', '[':
			return i
		}
	}
	return len(b)
}

// nestedEnd is where the object or array that b begins with ends, or b does. Sessions are mostly this.
func nestedEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch nesting[b[i]] {
		case inString:
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case opens:
			depth++
		case closes:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// What a byte is to nestedEnd, outside of strings.
const (
	inString = iota + 1
	opens
	closes
)

var nesting = [256]uint8{'"': inString, '{': opens, '[': opens, '}': closes, ']': closes}

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

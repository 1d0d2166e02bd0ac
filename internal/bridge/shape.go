package bridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// errShape says that something is not the JSON that is wanted.
var errShape = errors.New("not the JSON of a session")

// depth is how deep objects and arrays nest in text, which need not be JSON: what stands in strings does not count.
func depth(text []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// Field is one member of a JSON object.
type Field struct {
	Name string
	Raw  json.RawMessage
}

// fieldsOf takes an object apart, in its order. Of a name that stands twice the last counts, as in JavaScript.
func fieldsOf(object []byte) ([]Field, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errShape
	}
	var list []Field
	at := map[string]int{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errShape
		}
		f := Field{Name: name.(string)} // an object's keys are strings, else there was an error
		if err := d.Decode(&f.Raw); err != nil {
			return nil, errShape
		}
		if i, twice := at[f.Name]; twice {
			list[i].Raw = f.Raw
			continue
		}
		at[f.Name] = len(list)
		list = append(list, f)
	}
	if _, err := d.Token(); err != nil {
		return nil, errShape
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errShape
	}
	return list, nil
}

// objectOf puts an object together again.
func objectOf(list []Field) []byte {
	out := []byte{'{'}
	for i, f := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, f.Name)
		out = append(out, ':')
		out = append(out, f.Raw...)
	}
	return append(out, '}')
}

// appendString writes s as JSON does.
func appendString(out []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(out, `""`...) // never: every string can be written
	}
	return append(out, text...)
}

func find(list []Field, name string) json.RawMessage {
	for _, f := range list {
		if f.Name == name {
			return f.Raw
		}
	}
	return nil
}

func without(list []Field, name string) []Field {
	out := make([]Field, 0, len(list))
	for _, f := range list {
		if f.Name != name {
			out = append(out, f)
		}
	}
	return out
}

// Fits tells whether originals can hold a session, and live: nil, or why not. They keep sessions in NeDB, which takes no names that
// begin with a dollar or hold a dot, and hand them to express-session, which throws where a cookie is not one of its own.
func Fits(value []byte) error {
	if !utf8.Valid(value) || depth(value) > MaxDepth || !json.Valid(value) {
		return errShape
	}
	list, err := fieldsOf(value)
	if err != nil {
		return err
	}
	if err := checkCookie(find(list, "cookie")); err != nil {
		return err
	}
	var all any
	if err := json.Unmarshal(value, &all); err != nil {
		return errShape // a number beyond what JavaScript has
	}
	return checkNames(all)
}

func checkNames(v any) error {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if name == "__proto__" || bytes.HasPrefix([]byte(name), []byte("$")) || bytes.ContainsRune([]byte(name), '.') {
				return fmt.Errorf("%w: a name that NeDB does not take", errShape)
			}
			if err := checkNames(inner); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := checkNames(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

package expresscookie

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// cookieKey is the top-level key that holds a session's cookie.
const cookieKey = "cookie"

// fields are the top-level keys of a session without its cookie, each with its value as JSON.
type fields map[string]json.RawMessage

// hidden are the keys that express-session keeps for itself, or drops when it reads a session because every JavaScript object
// has them.
var hidden = []string{cookieKey, "req", "id", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate",
	"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
	"__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__"}

// readSession reads a stored session.
func readSession(data []byte) (fields, attributes, error) {
	if len(data) > MaxSession {
		return nil, attributes{}, ErrTooLarge
	}
	var f fields
	if json.Unmarshal(data, &f) != nil || f == nil {
		return nil, attributes{}, errNotObject
	}
	a, err := readAttributes(f[cookieKey])
	if err != nil {
		return nil, a, err
	}
	delete(f, cookieKey)
	return f, a, nil
}

// text is a whole session as JSON: the cookie first, as express-session writes it, then the other keys in order.
func (f fields) text(cookie json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteString(`{"` + cookieKey + `":`)
	b.Write(cookie)
	for _, key := range slices.Sorted(maps.Keys(f)) {
		b.WriteByte(',')
		b.Write(jsonOf(key))
		b.WriteByte(':')
		b.Write(f[key])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// since is what has to be written so that base becomes f.
func (f fields) since(base fields) (changed fields, removed []string) {
	changed = make(fields)
	for key, v := range f {
		if was, there := base[key]; !there || !bytes.Equal(was, v) {
			changed[key] = v
		}
	}
	for key := range base {
		if _, there := f[key]; !there {
			removed = append(removed, key)
		}
	}
	slices.Sort(removed)
	return changed, removed
}

package bridge

import "encoding/json"

// MaxOwner bounds a user's id.
const MaxOwner = 256

// ownerOf is the user's id that stands at a path in a session, as the store for Express labels sessions by it: a text, or a number as it stands there.
// It is "" where there is none.
func ownerOf(value json.RawMessage, path []string) string {
	for _, name := range path {
		list, err := fieldsOf(value)
		if err != nil {
			return ""
		}
		if value = find(list, name); value == nil {
			return ""
		}
	}
	var text string
	var number json.Number
	switch {
	case json.Unmarshal(value, &text) == nil:
	case json.Unmarshal(value, &number) == nil:
		text = number.String()
	}
	if len(text) > MaxOwner {
		return ""
	}
	return text
}

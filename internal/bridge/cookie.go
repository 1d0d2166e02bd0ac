package bridge

import (
	"encoding/json"
	"fmt"
	"time"
)

// checkCookie tells whether express-session can make a cookie of raw: it throws where a time is none, in a callback in which nobody
// catches it.
func checkCookie(raw json.RawMessage) error {
	list, err := fieldsOf(raw)
	if err != nil {
		return fmt.Errorf("%w: no cookie", errShape)
	}
	for _, f := range list {
		ok := true
		switch f.Name {
		case "expires":
			_, ok = timeOf(f.Raw)
			ok = ok || isNothing(f.Raw)
		case "originalMaxAge", "maxAge":
			var n float64
			ok = isNothing(f.Raw) || json.Unmarshal(f.Raw, &n) == nil
		case "path", "domain", "priority":
			var s string
			ok = isNothing(f.Raw) || json.Unmarshal(f.Raw, &s) == nil
		}
		if !ok {
			return fmt.Errorf("%w: a cookie whose %s is none", errShape, f.Name)
		}
	}
	return nil
}

func isNothing(raw json.RawMessage) bool {
	text := string(raw)
	return text == "null" || text == "false" || text == ""
}

// timeOf reads a date as JavaScript writes it.
func timeOf(raw json.RawMessage) (time.Time, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// due is when a session ends that came now, with a ttl in seconds or without: by that, by its cookie, or by the default.
func due(now time.Time, ttl float64, cookie json.RawMessage) time.Time {
	end := now.Add(DefaultLife)
	if list, err := fieldsOf(cookie); err == nil {
		if t, ok := timeOf(find(list, "expires")); ok {
			end = t
		}
	}
	if ttl > 0 {
		end = now.Add(time.Duration(min(ttl, MaxLife.Seconds()) * float64(time.Second)))
	}
	if limit := now.Add(MaxLife); end.After(limit) {
		return limit
	}
	return end
}

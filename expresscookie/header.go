package expresscookie

import "strings"

// cookieNamed is the value of the first cookie of that name in a request's Cookie header, decoded, as the npm package "cookie"
// 0.7 finds and decodes it, on the bytes as Node hands them over: one character for each byte. raw is how many bytes it had there.
func cookieNamed(header, name string) (value string, raw int, found bool) {
	for at := 0; at < len(header); {
		eq := strings.IndexByte(header[at:], '=')
		if eq < 0 {
			return "", 0, false
		}
		eq += at
		end := len(header)
		if i := strings.IndexByte(header[at:], ';'); i >= 0 {
			end = at + i
		}
		if eq > end { // what stands before the last ; has no =
			at = strings.LastIndexByte(header[:eq], ';') + 1
			continue
		}
		if trim(header[at:eq]) == name {
			v := unquote(trim(header[eq+1 : end]))
			return decodeValue(latin1(v)), len(v), true
		}
		at = end + 1
	}
	return "", 0, false
}

func trim(s string) string { return strings.Trim(s, " \t") }

func unquote(s string) string {
	switch {
	case s == `"`:
		return ""
	case len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"':
		return s[1 : len(s)-1]
	}
	return s
}

// decodeValue leaves a value as it is that cannot be decoded.
func decodeValue(s string) string {
	if d, ok := decodeURIComponent(s); ok {
		return d
	}
	return s
}

// latin1 makes each byte the character of that number.
func latin1(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return s
	}
	var b strings.Builder
	b.Grow(2 * len(s))
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

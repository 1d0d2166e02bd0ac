package resp

// match reports whether s matches the pattern by the rules of Redis's stringmatchlen: * ? [set] [^set] [a-z] and
// backslash. It runs in time O(len(p) × len(s)): only the last star is ever tried again.
func match(p, s []byte) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		if i < len(p) && p[i] == '*' {
			star, mark = i, j
			i++
			continue
		}
		if i < len(p) {
			if n, ok := matchOne(p[i:], s[j]); ok {
				i += n
				j++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = star+1, mark
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// matchOne matches one byte against the pattern's first element and says how long that element is.
func matchOne(p []byte, ch byte) (n int, ok bool) {
	switch p[0] {
	case '?':
		return 1, true
	case '[':
		return matchSet(p, ch)
	case '\\':
		if len(p) >= 2 {
			return 2, p[1] == ch
		}
	}
	return 1, p[0] == ch
}

// matchSet reads a bracket expression. One that never closes ends with the pattern, as in Redis.
func matchSet(p []byte, ch byte) (n int, ok bool) {
	i := 1
	not := i < len(p) && p[i] == '^'
	if not {
		i++
	}
	for {
		switch {
		case i >= len(p):
			return len(p), ok != not
		case p[i] == '\\' && i+1 < len(p):
			i++
			ok = ok || p[i] == ch
		case p[i] == ']':
			return i + 1, ok != not
		case i+2 < len(p) && p[i+1] == '-':
			lo, hi := min(p[i], p[i+2]), max(p[i], p[i+2])
			ok = ok || lo <= ch && ch <= hi
			i += 2
		default:
			ok = ok || p[i] == ch
		}
		i++
	}
}

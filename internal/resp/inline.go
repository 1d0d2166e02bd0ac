package resp

// split cuts an inline command into argv by the rules of Redis's sdssplitargs; false means unbalanced quotes.
func (p *parser) split(line []byte) bool {
	// Slices into p.inline would go stale when it grows, and unquoting never lengthens.
	if cap(p.inline) < len(line) {
		p.inline = make([]byte, 0, len(line))
	}
	out := p.inline[:0]
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i >= len(line) {
			return true
		}
		start := len(out)
		n, ok := 0, false
		if out, n, ok = word(out, line[i:]); !ok {
			return false
		}
		i += n
		p.argv = append(p.argv, out[start:len(out):len(out)])
	}
}

// word appends the first word of s, which may have quoted parts only at its end, and says how long it was.
func word(out, s []byte) (_ []byte, n int, ok bool) {
	for n < len(s) {
		switch ch := s[n]; ch {
		case ' ', '\n', '\r', '\t':
			return out, n, true
		case '"', '\'':
			var used int
			out, used, ok = quoted(out, s[n+1:], ch)
			return out, n + 1 + used, ok
		default:
			out = append(out, ch)
			n++
		}
	}
	return out, n, true
}

// quoted appends what stands before the closing quote, after which only a space or the end may follow.
func quoted(out, s []byte, quote byte) (_ []byte, n int, ok bool) {
	for n < len(s) {
		if s[n] == quote {
			n++
			return out, n, n == len(s) || isSpace(s[n])
		}
		ch, used := s[n], 1
		if ch == '\\' {
			ch, used = escaped(s[n:], quote)
		}
		out = append(out, ch)
		n += used
	}
	return out, n, false
}

func escaped(s []byte, quote byte) (ch byte, n int) {
	switch {
	case quote == '\'' && len(s) >= 2 && s[1] == '\'':
		return '\'', 2
	case quote == '\'' || len(s) < 2:
		return '\\', 1
	case s[1] == 'x' && len(s) >= 4 && isHex(s[2]) && isHex(s[3]):
		return unhex(s[2])<<4 | unhex(s[3]), 4
	}
	switch s[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'a':
		return '\a', 2
	}
	return s[1], 2
}

func isSpace(ch byte) bool { return ch == ' ' || '\t' <= ch && ch <= '\r' }

func isHex(ch byte) bool {
	return '0' <= ch && ch <= '9' || 'a' <= ch|0x20 && ch|0x20 <= 'f'
}

func unhex(ch byte) byte {
	if ch <= '9' {
		return ch - '0'
	}
	return ch | 0x20 - 'a' + 10
}

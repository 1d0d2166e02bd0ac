package resp

import "bytes"

// parser finds commands in a connection's bytes. It keeps its place in an unfinished command, so no byte is looked at twice,
// and allocates nothing once its slots have grown. It belongs to one client.
//
// A command too large to hold is read past, not kept: see tooBig.
type parser struct {
	maxBulk int                   // the longest argument kept
	usual   int                   // how long any command may be in all
	total   func(name []byte) int // how long a command of this name may be, asked of those longer than usual
	noAuth  bool                  // the stricter limits before AUTH apply

	// The unfinished command. Offsets count from its first byte.
	left   int // arguments still to come; -1 where the count is not read yet
	bulk   int // length of the argument being read; -1 where it is not read yet
	pos    int // the next byte to look at
	seen   int // bytes after pos that hold no line end
	args   []span
	skip   int // bytes to read past
	begun  bool
	tooBig int // what was too long, in bytes, or zero

	argv   [][]byte
	inline []byte // unquoted inline arguments
}

type span struct{ from, to int }

// protocolError closes the connection after it was answered. Its text is Redis's.
type protocolError string

func (e protocolError) Error() string { return "Protocol error: " + string(e) }

// next looks for one whole command at the start of b, which must begin where the last call left off: with the bytes
// after the n it used. When ok, argv holds the command (no arguments: nothing to do; tooBig set: too long, read past) until b
// changes. When not ok, more bytes are needed.
func (p *parser) next(b []byte) (n int, ok bool, err error) {
	if len(b) == 0 {
		return 0, false, nil
	}
	if !p.begun {
		p.begin()
		if b[0] != '*' {
			p.left = 0
		}
	}
	switch {
	case p.left == 0:
		n, ok, err = p.nextInline(b)
	default:
		n, ok, err = p.nextMulti(b)
	}
	if ok {
		p.begun = false
	}
	return n, ok, err
}

func (p *parser) begin() {
	p.begun = true
	p.left, p.bulk, p.pos, p.seen, p.skip, p.tooBig = -1, -1, 0, 0, 0, 0
	if cap(p.args) > keptArgs {
		p.args, p.argv = nil, nil
	}
	if cap(p.inline) > keptInline {
		p.inline = nil
	}
	p.args, p.argv = p.args[:0], p.argv[:0]
}

// want is how many bytes the unfinished command needs at least before next can go on; zero where it cannot tell.
func (p *parser) want() int {
	if !p.begun || p.bulk < 0 || p.skip > 0 {
		return 0
	}
	return p.pos + p.bulk + 2
}

func (p *parser) nextMulti(b []byte) (n int, ok bool, err error) {
	if p.left < 0 {
		count, ok, err := p.count(b)
		if !ok || err != nil {
			return 0, false, err
		}
		if count <= 0 {
			return p.pos, true, nil
		}
		p.left = count
	}
	for p.left > 0 {
		if p.skip > 0 {
			step := min(p.skip, len(b)-p.pos)
			p.pos, p.skip = p.pos+step, p.skip-step
			if p.skip > 0 {
				break
			}
			p.left--
			continue
		}
		if p.bulk < 0 {
			if ok, err := p.length(b); !ok || err != nil {
				return p.forget(), false, err
			}
			continue
		}
		if len(b)-p.pos < p.bulk+2 {
			break
		}
		p.argument()
	}
	if p.left > 0 {
		return p.forget(), false, nil
	}
	p.fill(b)
	return p.pos, true, nil
}

// forget gives up the bytes read so far of a command that is only being read past.
func (p *parser) forget() (n int) {
	if p.tooBig == 0 {
		return 0
	}
	n, p.pos = p.pos, 0
	return n
}

func (p *parser) argument() {
	p.args = append(p.args, span{p.pos, p.pos + p.bulk})
	p.pos += p.bulk + 2
	p.bulk = -1
	p.left--
}

func (p *parser) fill(b []byte) {
	if p.tooBig > 0 {
		return
	}
	for _, s := range p.args {
		p.argv = append(p.argv, b[s.from:s.to:s.to])
	}
}

// count reads the line "*n".
func (p *parser) count(b []byte) (n int, ok bool, err error) {
	v, ok := p.short(b, '*')
	if !ok {
		line, whole, err := p.line(b, "too big mbulk count string")
		if !whole || err != nil {
			return 0, false, err
		}
		v, ok = parseInt(line[1:])
	}
	switch {
	case !ok || v > maxItems:
		return 0, false, protocolError("invalid multibulk length")
	case v > maxItemsNoAuth && p.noAuth:
		return 0, false, protocolError("unauthenticated multibulk length")
	}
	return int(v), true, nil
}

// length reads the line "$n" and decides whether the argument is kept.
func (p *parser) length(b []byte) (ok bool, err error) {
	start := p.pos
	v, ok := p.short(b, '$')
	if !ok {
		line, whole, err := p.line(b, "too big bulk count string")
		if !whole || err != nil {
			return false, err
		}
		if b[start] != '$' {
			return false, protocolError("expected '$', got '" + printable(b[start]) + "'")
		}
		v, ok = parseInt(line[1:])
	}
	switch {
	case !ok || v < 0 || v > maxSkippedBulk:
		return false, protocolError("invalid bulk length")
	case p.noAuth && (v > maxBulkNoAuth || p.pos+int(v) > maxBulkNoAuth):
		return false, protocolError("unauthenticated bulk length")
	}
	p.keep(b, int(v))
	return true, nil
}

func (p *parser) keep(b []byte, v int) {
	switch {
	case p.tooBig > 0:
		p.tooBig = max(p.tooBig, v)
	case v > p.maxBulk:
		p.tooBig = v
	case p.tooLong(b, p.pos+v+2):
		p.tooBig = p.pos + v + 2
	default:
		p.bulk = v
		return
	}
	p.skip = v + 2
}

func (p *parser) tooLong(b []byte, size int) bool {
	return size > p.usual && len(p.args) > 0 && size > p.total(b[p.args[0].from:p.args[0].to])
}

// short reads a line of kind and up to six digits, as nearly all are. Any other is left as it is.
func (p *parser) short(b []byte, kind byte) (v int64, ok bool) {
	rest := b[p.pos:]
	if p.seen != 0 || len(rest) < len("$1\r\n") || rest[0] != kind || rest[1] == '0' {
		return 0, false
	}
	for i, ch := range rest[1:min(len(rest)-1, len("$123456\r"))] {
		d := ch - '0'
		if d > 9 {
			if ok = ch == '\r' && i > 0; ok {
				p.pos += i + len("$\r\n")
			}
			return v, ok
		}
		v = v*10 + int64(d)
	}
	return 0, false
}

func printable(ch byte) string {
	if ch == '\r' || ch == '\n' {
		return " "
	}
	return string([]byte{ch})
}

// line reads up to a carriage return and one byte more, as Redis does. The line it gives has at least one byte.
func (p *parser) line(b []byte, tooLong string) (line []byte, ok bool, err error) {
	i := bytes.IndexByte(b[p.pos+p.seen:], '\r')
	if i < 0 {
		p.seen = len(b) - p.pos
		if p.seen > maxInline {
			return nil, false, protocolError(tooLong)
		}
		return nil, false, nil
	}
	end := p.pos + p.seen + i
	if end+2 > len(b) {
		p.seen += i
		return nil, false, nil
	}
	line = b[p.pos:end]
	if len(line) == 0 {
		line = b[p.pos : end+1]
	}
	p.pos, p.seen = end+2, 0
	return line, true, nil
}

func (p *parser) nextInline(b []byte) (n int, ok bool, err error) {
	limit := maxInline
	if p.noAuth {
		limit = maxBulkNoAuth
	}
	i := bytes.IndexByte(b[p.seen:], '\n')
	if i < 0 {
		p.seen = len(b)
		i = 0
	} else {
		ok = true
		i += p.seen
	}
	if max(i, p.seen) > limit {
		return 0, false, protocolError("too big inline request")
	}
	if !ok {
		return 0, false, nil
	}
	line := b[:i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	if !p.split(line) {
		return 0, false, protocolError("unbalanced quotes in request")
	}
	return i + 1, true, nil
}

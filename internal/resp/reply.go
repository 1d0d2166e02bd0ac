package resp

import "strconv"

// replies collects what is to be sent to one client, in its version of the protocol. It belongs to that client.
type replies struct {
	out   []byte
	sent  int // of out, bytes already written
	resp3 bool
}

// pending is how many bytes wait to be sent.
func (r *replies) pending() int { return len(r.out) - r.sent }

func (r *replies) raw(s string) { r.out = append(r.out, s...) }
func (r *replies) ok()          { r.raw("+OK\r\n") }
func (r *replies) crlf()        { r.out = append(r.out, '\r', '\n') }

func (r *replies) simple(s string) {
	r.out = append(append(r.out, '+'), s...)
	r.crlf()
}

// fail answers an error; s starts with its code. Line ends inside become spaces.
func (r *replies) fail(s string) {
	r.out = append(r.out, '-')
	for i := 0; i < len(s); i++ {
		ch := s[i]
		if ch == '\r' || ch == '\n' {
			ch = ' '
		}
		r.out = append(r.out, ch)
	}
	r.crlf()
}

func (r *replies) header(kind byte, n int64) {
	r.out = append(r.out, kind)
	if 0 <= n && n < 10 {
		r.out = append(r.out, byte('0'+n))
	} else {
		r.out = strconv.AppendInt(r.out, n, 10)
	}
	r.crlf()
}

func (r *replies) int(n int64) { r.header(':', n) }
func (r *replies) array(n int) { r.header('*', int64(n)) }

func (r *replies) bool(b bool) {
	if b {
		r.int(1)
	} else {
		r.int(0)
	}
}

func (r *replies) bulk(b []byte) {
	r.header('$', int64(len(b)))
	r.out = append(r.out, b...)
	r.crlf()
}

func (r *replies) bulkString(s string) {
	r.header('$', int64(len(s)))
	r.out = append(r.out, s...)
	r.crlf()
}

func (r *replies) null() {
	if r.resp3 {
		r.raw("_\r\n")
	} else {
		r.raw("$-1\r\n")
	}
}

func (r *replies) nullArray() {
	if r.resp3 {
		r.raw("_\r\n")
	} else {
		r.raw("*-1\r\n")
	}
}

// mapOf starts a map of n pairs; RESP2 sees a flat array.
func (r *replies) mapOf(n int) {
	if r.resp3 {
		r.header('%', int64(n))
	} else {
		r.array(2 * n)
	}
}

// setOf starts a set of n elements; RESP2 sees an array.
func (r *replies) setOf(n int) {
	if r.resp3 {
		r.header('~', int64(n))
	} else {
		r.array(n)
	}
}

// verbatim answers text that a person reads.
func (r *replies) verbatim(s string) {
	if !r.resp3 {
		r.bulkString(s)
		return
	}
	r.header('=', int64(len(s)+4))
	r.raw("txt:")
	r.raw(s)
	r.crlf()
}

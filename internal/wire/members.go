package wire

import (
	"encoding/binary"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// HelloSize is the length of every HELLO's body: at least that of the longest GREET and CHALLENGE.
const HelloSize = 128

// AppendHello appends the body of a TypeHello frame, padded to HelloSize.
func (e *Encoder) AppendHello(dst []byte, t hlc.Stamp, h *Hello) []byte {
	start := len(dst)
	dst = append(e.begin(dst, t), byte(h.State))
	dst = appendName(dst, h.Name)
	var padding [HelloSize]byte
	return append(dst, padding[len(dst)-start:]...)
}

// Hello parses the body of a TypeHello frame. A shorter one is refused, since it would buy more than it costs.
func (d *Decoder) Hello(body []byte, sender record.Ref, into *Hello) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	r.check(len(body) >= HelloSize, ErrTruncated)
	into.State = r.memberState()
	into.Name = r.name()
	return t, r.err
}

// AppendGreet appends the body of a TypeGreet frame.
func (e *Encoder) AppendGreet(dst []byte, t hlc.Stamp, g *Greet) []byte {
	dst = append(e.begin(dst, t), byte(g.State))
	dst = appendName(dst, g.Name)
	dst = binary.AppendUvarint(dst, g.Sessions)
	dst = binary.AppendUvarint(dst, g.Bytes)
	dst = binary.AppendUvarint(dst, g.Dots)
	return append(dst, g.LoadPct)
}

// Greet parses the body of a TypeGreet frame.
func (d *Decoder) Greet(body []byte, sender record.Ref, into *Greet) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.State = r.memberState()
	into.Name = r.name()
	into.Sessions = r.uvarint()
	into.Bytes = r.uvarint()
	into.Dots = r.uvarint()
	into.LoadPct = r.u8()
	return t, r.err
}

// AppendLeave appends the body of a TypeLeave frame.
func (e *Encoder) AppendLeave(dst []byte, t hlc.Stamp, l *Leave) []byte {
	return binary.AppendUvarint(e.begin(dst, t), l.High)
}

// Leave parses the body of a TypeLeave frame.
func (d *Decoder) Leave(body []byte, sender record.Ref, into *Leave) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.High = r.uvarint()
	return t, r.err
}

// AppendProbe appends the body of a TypeProbe or TypeProbeAck frame.
func (e *Encoder) AppendProbe(dst []byte, t hlc.Stamp, p *Probe) []byte {
	return binary.BigEndian.AppendUint64(e.begin(dst, t), p.Nonce)
}

// Probe parses the body of a TypeProbe or TypeProbeAck frame.
func (d *Decoder) Probe(body []byte, sender record.Ref, into *Probe) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Nonce = r.u64()
	return t, r.err
}

// AppendProbeReq appends the body of a TypeProbeReq frame.
func (e *Encoder) AppendProbeReq(dst []byte, t hlc.Stamp, p *ProbeReq) []byte {
	return binary.BigEndian.AppendUint64(e.ref(e.begin(dst, t), p.Target), p.Nonce)
}

// ProbeReq parses the body of a TypeProbeReq frame.
func (d *Decoder) ProbeReq(body []byte, sender record.Ref, into *ProbeReq) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Target = r.ref()
	into.Nonce = r.u64()
	return t, r.err
}

// AppendDoubt appends the body of a TypeDoubt frame.
func (e *Encoder) AppendDoubt(dst []byte, t hlc.Stamp, p *Doubt) []byte {
	return e.ref(e.begin(dst, t), p.Target)
}

// Doubt parses the body of a TypeDoubt frame.
func (d *Decoder) Doubt(body []byte, sender record.Ref, into *Doubt) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Target = r.ref()
	return t, r.err
}

// AppendChallenge appends the body of a TypeChallenge frame.
func (e *Encoder) AppendChallenge(dst []byte, t hlc.Stamp, c *Challenge) []byte {
	return append(e.begin(dst, t), c.Nonce[:]...)
}

// Challenge parses the body of a TypeChallenge frame.
func (d *Decoder) Challenge(body []byte, sender record.Ref, into *Challenge) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Nonce = r.nonce()
	return t, r.err
}

// AppendResponse appends the body of a TypeResponse frame.
func (e *Encoder) AppendResponse(dst []byte, t hlc.Stamp, p *Response) []byte {
	dst = append(e.begin(dst, t), p.Nonce[:]...)
	dst = append(dst, p.Challenge[:]...)
	return binary.AppendUvarint(dst, p.High)
}

// Response parses the body of a TypeResponse frame.
func (d *Decoder) Response(body []byte, sender record.Ref, into *Response) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.Nonce = r.nonce()
	into.Challenge = r.nonce()
	into.High = r.uvarint()
	return t, r.err
}

func (r *reader) nonce() (n Nonce) {
	copy(n[:], r.bytes(len(n)))
	return n
}

package wire

import (
	"encoding/binary"
	"net/netip"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	// HelloSize is the length of every HELLO's body: at least that of a CHALLENGE, which is all that a stranger's HELLO brings,
	// and of a GREET that introduces nobody.
	HelloSize = 128
	// MaxIntroduced is how many members a GREET introduces at most, so that it fits into the smallest frame.
	MaxIntroduced = 48
)

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
	return appendAddrs(append(dst, g.FullPct), g.Peers[:min(len(g.Peers), MaxIntroduced)])
}

// Greet parses the body of a TypeGreet frame.
func (d *Decoder) Greet(body []byte, sender record.Ref, into *Greet) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.State = r.memberState()
	into.Name = r.name()
	into.Sessions = r.uvarint()
	into.Bytes = r.uvarint()
	into.Dots = r.uvarint()
	into.FullPct = r.u8()
	into.Peers = r.addrs(into.Peers[:0])
	return t, r.err
}

// appendAddrs appends addresses, each with its length before it.
func appendAddrs(dst []byte, list []netip.AddrPort) []byte {
	dst = append(dst, byte(len(list)))
	for _, a := range list {
		ip := a.Addr().Unmap().AsSlice()
		dst = append(append(dst, byte(len(ip))), ip...)
		dst = binary.BigEndian.AppendUint16(dst, a.Port())
	}
	return dst
}

// addrs takes addresses of single hosts.
func (r *reader) addrs(into []netip.AddrPort) []netip.AddrPort {
	n := int(r.u8())
	r.check(n <= MaxIntroduced, ErrLimit)
	for ; n > 0 && r.err == nil; n-- {
		size := int(r.u8())
		r.check(size == 4 || size == 16, ErrValue)
		if r.err != nil {
			return into
		}
		ip, _ := netip.AddrFromSlice(r.bytes(size))
		port := r.bytes(2)
		r.check(ip.IsValid() && !ip.Is4In6() && !ip.IsMulticast() && !ip.IsUnspecified(), ErrValue)
		if r.err != nil {
			return into
		}
		a := netip.AddrPortFrom(ip, binary.BigEndian.Uint16(port))
		r.check(a.Port() != 0, ErrValue)
		into = append(into, a)
	}
	return into
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

package wire

import (
	"fmt"
	"strings"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Debug is a frame in one line: its header and its opened body, for tests, logs and people. No key, value or owner
// stands in it: a key shows as tag gives it, by its length when tag is nil. It interns the origins that the body names;
// with origins nil, in a place of its own.
func Debug(h *Header, body []byte, origins *record.Origins, tag func(record.Key) string) string {
	p := newPrinter(origins, tag)
	sender := p.d.Origins.Intern(h.Origin)
	p.put("%v", h.Type)
	if h.Addressed {
		p.put(" addressed")
	}
	p.put(" from=%s packet=%d key=%x", p.ref(sender), h.Packet, h.KeyID)
	p.body(h.Type, body, sender)
	return p.b.String()
}

// DebugStream is a stream message in one line, as Debug is for a frame.
func DebugStream(typ StreamType, body []byte, origins *record.Origins, tag func(record.Key) string) string {
	p := newPrinter(origins, tag)
	p.put("%v", typ)
	p.streamBody(typ, body)
	return p.b.String()
}

// printer writes the debug form.
type printer struct {
	b   strings.Builder
	d   Decoder
	tag func(record.Key) string
}

func newPrinter(origins *record.Origins, tag func(record.Key) string) *printer {
	if origins == nil {
		origins = new(record.Origins)
	}
	if tag == nil {
		tag = keyLength
	}
	return &printer{d: Decoder{Origins: origins}, tag: tag}
}

func keyLength(k record.Key) string { return fmt.Sprintf("key(%dB)", len(k.Name)) }

func (p *printer) put(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

// time begins a body's form, and reports whether the body could be parsed.
func (p *printer) time(t hlc.Stamp, err error) bool {
	if err != nil {
		p.put(" malformed: %v", err)
		return false
	}
	p.put(" t=%v", t)
	return true
}

// ref is an origin's short form: the first half of the node's id and the end of its incarnation's.
func (p *printer) ref(ref record.Ref) string {
	o := p.d.Origins.Origin(ref)
	return fmt.Sprintf("%x/%x", o.Node[:4], o.Incarnation[len(o.Incarnation)-3:])
}

func (p *printer) version(v record.Version) string { return v.At.String() + "@" + p.ref(v.By) }

func (p *printer) body(typ Type, body []byte, sender record.Ref) {
	switch typ {
	case TypeData, TypeRepair:
		p.batch(body, sender)
	case TypeFrag:
		p.fragment(body, sender)
	case TypeHeartbeat:
		p.heartbeat(body, sender)
	case TypeNack:
		p.nack(body, sender)
	case TypeAck:
		p.ack(body, sender)
	default:
		p.member(typ, body, sender)
	}
}

func (p *printer) batch(body []byte, sender record.Ref) {
	var b Batch
	if !p.time(p.d.Batch(body, sender, &b)) {
		return
	}
	p.ackFrom(b.AckFrom)
	p.items(b.Items)
}

func (p *printer) ackFrom(nodes []record.NodeID) {
	for _, n := range nodes {
		p.put(" ack-from=%v", n)
	}
}

func (p *printer) fragment(body []byte, sender record.Ref) {
	var f Fragment
	if !p.time(p.d.Fragment(body, sender, &f)) {
		return
	}
	p.ackFrom(f.AckFrom)
	p.put(" of=%s dots=%s id=%016x %d/%d total=%dB size=%dB bytes=%dB",
		p.ref(f.Origin), seqText(f.Dots), f.ID, f.Index, f.Count(), f.Total, f.Size, len(f.Bytes))
	if f.Repair {
		p.put(" repair")
	}
}

func (p *printer) heartbeat(body []byte, sender record.Ref) {
	var h Heartbeat
	if !p.time(p.d.Heartbeat(body, sender, &h)) {
		return
	}
	p.put(" high=%d sent=%d", h.High, h.Sent)
	if !h.Full {
		return
	}
	p.put(" %v %q sessions=%d bytes=%d full=%d%% wall=%d", h.State, h.Name, h.Sessions, h.Bytes, h.FullPct, h.WallMillis)
	for _, id := range h.KeyIDs {
		p.put(" key=%x", id)
	}
	p.put(" config=%016x vectors=%016x dead=%016x epoch=%d root=%016x made=%d",
		h.Config, h.VectorHash, h.DeadHash, h.Epoch, h.Root, h.Made)
	if h.Incomplete {
		p.put(" incomplete")
	}
	p.vectors(h.Vectors)
	for _, heard := range h.Heard {
		p.put(" heard{%s loss=%d/200", p.ref(heard.Origin), heard.LossPct)
		if heard.Multicast {
			p.put(" multicast")
		}
		if heard.Shut {
			p.put(" shut")
		}
		p.put("}")
	}
}

func (p *printer) vectors(vectors []Vector) {
	for i := range vectors {
		p.put(" vector{%s %s}", p.ref(vectors[i].Origin), rangeText(vectors[i].Set.Ranges()))
	}
}

func (p *printer) nack(body []byte, sender record.Ref) {
	var n Nack
	if !p.time(p.d.Nack(body, sender, &n)) {
		return
	}
	for _, w := range n.Wants {
		p.put(" want{%s %s}", p.ref(w.Origin), rangeText(w.Ranges))
	}
	for _, w := range n.Frags {
		p.put(" frags{%s dot=%d id=%016x %s}", p.ref(w.Origin), w.Seq, w.ID, rangeText(w.Ranges))
	}
}

func (p *printer) ack(body []byte, sender record.Ref) {
	var a Ack
	if p.time(p.d.Ack(body, sender, &a)) {
		p.put(" %s", rangeText(a.Set.Ranges()))
	}
}

func (p *printer) member(typ Type, body []byte, sender record.Ref) {
	switch typ {
	case TypeHello:
		var h Hello
		if p.time(p.d.Hello(body, sender, &h)) {
			p.put(" %v %q", h.State, h.Name)
		}
	case TypeGreet:
		var g Greet
		if p.time(p.d.Greet(body, sender, &g)) {
			p.put(" %v %q sessions=%d bytes=%d dots=%d full=%d%% peers=%v", g.State, g.Name, g.Sessions, g.Bytes, g.Dots, g.FullPct, g.Peers)
		}
	case TypeLeave:
		var l Leave
		if p.time(p.d.Leave(body, sender, &l)) {
			p.put(" high=%d", l.High)
		}
	default:
		p.proof(typ, body, sender)
	}
}

func (p *printer) proof(typ Type, body []byte, sender record.Ref) {
	switch typ {
	case TypeProbe, TypeProbeAck:
		var probe Probe
		if p.time(p.d.Probe(body, sender, &probe)) {
			p.put(" nonce=%016x", probe.Nonce)
		}
	case TypeProbeReq:
		var req ProbeReq
		if p.time(p.d.ProbeReq(body, sender, &req)) {
			p.put(" target=%s nonce=%016x", p.ref(req.Target), req.Nonce)
		}
	case TypeDoubt:
		var doubt Doubt
		if p.time(p.d.Doubt(body, sender, &doubt)) {
			p.put(" target=%s", p.ref(doubt.Target))
		}
	case TypeChallenge:
		var c Challenge
		if p.time(p.d.Challenge(body, sender, &c)) {
			p.put(" nonce=%x", c.Nonce)
		}
	case TypeResponse:
		var r Response
		if p.time(p.d.Response(body, sender, &r)) {
			p.put(" nonce=%x challenge=%x high=%d", r.Nonce, r.Challenge, r.High)
		}
	}
}

func (p *printer) streamBody(typ StreamType, body []byte) {
	switch typ {
	case StreamTypePull:
		var pull StreamPull
		if p.time(p.d.StreamPull(body, &pull)) {
			p.put(" cursor=%016x fingerprints=%d", pull.Cursor, len(pull.Fingerprints))
		}
	case StreamTypeOffer:
		var o StreamOffer
		if p.time(p.d.StreamOffer(body, &o)) {
			p.put(" %v epoch=%d", o.State, o.Epoch)
			p.vectors(o.Vectors)
		}
	case StreamTypeEnd:
		p.time(p.d.StreamEnd(body))
	case StreamTypeWatch:
		p.time(p.d.StreamWatch(body))
	case StreamTypeLookup:
		var l StreamLookup
		if p.time(p.d.StreamLookup(body, &l)) {
			for _, k := range l.Keys {
				p.put(" %s", p.key(k))
			}
		}
	default:
		p.streamItems(typ, body)
	}
}

func (p *printer) streamItems(typ StreamType, body []byte) {
	switch typ {
	case StreamTypeChunk:
		var c StreamChunk
		if p.time(p.d.StreamChunk(body, &c)) {
			p.items(c.Items)
			p.put(" next=%016x", c.Cursor)
		}
	case StreamTypeFound:
		var f StreamFound
		if p.time(p.d.StreamFound(body, &f)) {
			p.items(f.Items)
		}
	}
}

func (p *printer) items(items []Item) {
	for i := range items {
		p.item(&items[i])
	}
}

func (p *printer) item(it *Item) {
	key := "-"
	if it.Kind != KindPull {
		key = p.key(it.Key)
	}
	p.put(" %v{%s", it.Kind, key)
	if it.Origin != 0 {
		p.put(" of=%s dots=%s", p.ref(it.Origin), seqText(it.Dots))
	}
	if t := it.State.Tomb; t != (record.Tombstone{}) {
		p.put(" tomb{at=%v until=%d hold=%v}", t.At, t.Until, t.Hold)
	}
	for i := range it.State.Births {
		p.birth(&it.State.Births[i])
	}
	p.put("}")
}

// key is a key's tag behind its database, or the name of a floor, which hides nothing.
func (p *printer) key(k record.Key) string {
	if db, ok := k.IsFloor(); ok {
		return fmt.Sprintf("floor(%d)", db)
	}
	return fmt.Sprintf("%d:%s", k.DB, p.tag(k))
}

func (p *printer) birth(b *record.Birth) {
	p.put(" birth{%s seq=%d", p.version(b.ID), b.Seq)
	if b.Weak {
		p.put(" weak")
	}
	if v := &b.Value; !v.IsZero() {
		p.put(" value{%s type=%d %dB", p.version(v.Version), v.Type, len(v.Bytes))
		if v.Owner != "" {
			p.put(" owner(%dB)", len(v.Owner))
		}
		p.put("}")
	}
	if d := &b.Deadline; !d.IsZero() {
		p.put(" deadline{%s due=%d promise=%d}", p.version(d.Version), d.Due, d.Promise)
	}
	p.put(" latest=%d span=%d", b.Latest, b.Span)
	if b.Absolute != 0 {
		p.put(" absolute=%d", b.Absolute)
	}
	p.put("}")
}

// seqText is ascending numbers in the form of rangeText.
func seqText(seqs []uint64) string {
	var s dots.Set
	for _, seq := range seqs {
		s.Add(seq)
	}
	return rangeText(s.Ranges())
}

func rangeText(ranges []dots.Range) string {
	if len(ranges) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, r := range ranges {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, r.Lo)
		if r.Hi != r.Lo {
			fmt.Fprintf(&b, "-%d", r.Hi)
		}
	}
	return b.String()
}

var kindNames = [...]string{KindState: "state", KindTouch: "touch", KindNothing: "nothing", KindPull: "pull"}

func (k ItemKind) String() string {
	if k >= KindState && k <= KindPull {
		return kindNames[k]
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

var stateNames = [...]string{Joining: "joining", Synced: "synced", Leaving: "leaving", Suspect: "suspect", Dead: "dead"}

func (s MemberState) String() string {
	if s >= Joining && s <= Dead {
		return stateNames[s]
	}
	return fmt.Sprintf("state-%d", uint8(s))
}

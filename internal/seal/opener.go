package seal

import (
	"crypto/cipher"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/replay"
	"github.com/sessioncast/sessioncast/internal/wire"
)

const (
	// MaxAdmitted is how many origins may be admitted at a time. Each costs a replay window of about 1 KiB.
	MaxAdmitted = 1024

	// MaxStrangers is how many origins that are not admitted have their cipher kept. Beyond it the one kept longest goes,
	// which costs no more than deriving its key again.
	MaxStrangers = 256
)

// Opened is a frame that has been opened.
type Opened struct {
	Header wire.Header
	Body   []byte

	// Proven says that the sender is admitted, so the frame is no replay. A frame that is not proven was sealed by
	// somebody with the key at some time: it may do no more than start or answer a challenge.
	Proven bool
}

// Opener opens what others send to one origin and keeps their replay windows. One loop owns it.
type Opener struct {
	self     record.Origin
	ring     *Keyring
	admitted map[record.Origin]*sender

	// The ciphers of origins that are not admitted; queue is a ring in the order of their coming.
	strangers map[record.Origin]*sender
	queue     [MaxStrangers]record.Origin
	next      int

	scratch scratch
}

// sender is what an Opener keeps of an origin.
type sender struct {
	window  replay.Window
	ciphers [2]senderCipher // the latest two, so that reordering around a change of epoch or key costs nothing
}

type senderCipher struct {
	keyID [4]byte
	epoch uint64
	aead  cipher.AEAD // nil: the slot is empty
}

// NewOpener makes the Opener of self.
func NewOpener(k *Keyring, self record.Origin) *Opener {
	return &Opener{
		self:      self,
		ring:      k,
		admitted:  make(map[record.Origin]*sender),
		strangers: make(map[record.Origin]*sender),
	}
}

// SetKeyring opens with k's keys from the next frame on. Who is admitted stays admitted.
func (o *Opener) SetKeyring(k *Keyring) {
	o.ring = k
	clear(o.strangers)
	for _, s := range o.admitted {
		s.ciphers = [2]senderCipher{}
	}
}

// Admit starts origin's replay window: packets up to and including from are refused from now on, later ones are
// proven. For an origin admitted already it only refuses more, never less. It reports false when MaxAdmitted
// origins are admitted.
func (o *Opener) Admit(origin record.Origin, from uint64) bool {
	s := o.admitted[origin]
	if s == nil {
		if len(o.admitted) >= MaxAdmitted {
			return false
		}
		if s = o.strangers[origin]; s == nil {
			s = new(sender)
		}
		delete(o.strangers, origin)
		o.admitted[origin] = s
	}
	s.window.StartAt(from)
	return true
}

// Admitted reports whether origin is admitted.
func (o *Opener) Admitted(origin record.Origin) bool { return o.admitted[origin] != nil }

// Forget undoes Admit. Packets of the origin, old ones too, open again, as not proven.
func (o *Opener) Forget(origin record.Origin) { delete(o.admitted, origin) }

// Open checks a frame, cheapest first, and decrypts it. The body is appended to dst, or, when dst is nil, decrypted in
// place, where frame stood: even a frame refused for its tag is then overwritten, so it must be the caller's
// own copy. The space behind dst may not overlap frame in any other way. Open keeps neither.
//
// When it fails the error is one of wire's or this package's as it stands, and Opened holds at most the header, which
// nobody vouches for. A refused frame changes nothing; refusing allocates nothing, but for the cipher of a
// sender, key and epoch (2^22 packets) not met lately.
func (o *Opener) Open(dst, frame []byte) (Opened, error) {
	var op Opened
	if len(frame) < wire.Overhead {
		return op, wire.ErrShort
	}
	h := &op.Header
	if err := wire.ParseHeader(frame, h); err != nil {
		return op, err
	}
	if h.Origin == o.self {
		return op, ErrOwn
	}
	key := o.ring.find(h.KeyID)
	if key == nil {
		return op, ErrKey
	}
	s := o.admitted[h.Origin]
	if s != nil && !s.window.Check(h.Packet) {
		return op, ErrReplay
	}
	body, err := o.decrypt(dst, frame, h, s, key)
	if err != nil {
		return op, err
	}
	op.Body = body
	op.Proven = s != nil && s.window.Accept(h.Packet)
	return op, nil
}

// OpenOwn reports whether a frame that Open refused with ErrOwn was sealed with a key of the ring, for everybody. frame is
// overwritten.
func (o *Opener) OpenOwn(frame []byte) bool {
	var h wire.Header
	if len(frame) < wire.Overhead || wire.ParseHeader(frame, &h) != nil || h.Origin != o.self || h.Addressed {
		return false
	}
	key := o.ring.find(h.KeyID)
	if key == nil {
		return false
	}
	_, err := o.decrypt(nil, frame, &h, nil, key)
	return err == nil
}

// decrypt opens the body of a frame whose header is h. s is the sender if it is admitted.
func (o *Opener) decrypt(dst, frame []byte, h *wire.Header, s *sender, key *ringKey) ([]byte, error) {
	if s == nil {
		s = o.strangers[h.Origin]
	}
	epoch := h.Packet >> epochBits
	aead := s.cipher(h.KeyID, epoch)
	known := aead != nil
	if !known {
		aead = key.senderAEAD(o.ring.cluster, h.Origin, epoch)
	}
	sealed := frame[wire.HeaderSize:]
	if dst == nil {
		dst = sealed[:0]
	}
	aad := o.scratch.aadOf(frame, h.Addressed, o.self)
	out, err := aead.Open(dst, o.scratch.nonceOf(h.Packet), sealed, aad)
	if err != nil {
		return nil, ErrTag
	}
	// Only now, or forged frames could drive out the ciphers in use.
	if !known {
		if s == nil {
			s = o.meet(h.Origin)
		}
		s.keep(senderCipher{h.KeyID, epoch, aead})
	}
	return out[len(dst):], nil
}

// meet makes room for a stranger and enters it.
func (o *Opener) meet(origin record.Origin) *sender {
	delete(o.strangers, o.queue[o.next])
	o.queue[o.next] = origin
	o.next = (o.next + 1) % MaxStrangers
	s := new(sender)
	o.strangers[origin] = s
	return s
}

// cipher is the cipher of a key and epoch, nil if it is not kept. A nil sender keeps none.
func (s *sender) cipher(keyID [4]byte, epoch uint64) cipher.AEAD {
	if s == nil {
		return nil
	}
	for i := range s.ciphers {
		if c := &s.ciphers[i]; c.epoch == epoch && c.keyID == keyID {
			return c.aead
		}
	}
	return nil
}

// keep makes c the latest cipher and drops the older of the two kept.
func (s *sender) keep(c senderCipher) {
	s.ciphers[1] = s.ciphers[0]
	s.ciphers[0] = c
}

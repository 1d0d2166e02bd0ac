package transfer

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// Taker pulls from one donor.
type Taker struct {
	table   *table.Table
	encoder *wire.Encoder
	decoder wire.Decoder
	offer   wire.StreamOffer
	chunk   wire.StreamChunk
	got     Progress
	offered bool
	judge   judge

	PartBits int // makes the comparison this fine, whatever the table holds; may be set before Pull
}

// Progress is how far a transfer has come.
type Progress struct {
	Clock   hlc.Stamp     // the donor's, in its last message
	Offer   []wire.Vector // what the donor held when it began; valid until the next message
	Marks   []wire.Marks  // how old that may be
	Cursor  uint64        // every record before it is merged
	Keys    uint64        // records merged
	NoRoom  bool          // some records found no room in the table
	Dropped int           // births that ended at the donor, see Judge
	Done    bool          // the donor has sent all it had
}

// NewTaker makes the puller's end.
func NewTaker(t *table.Table, origins *record.Origins) *Taker {
	return &Taker{
		table:   t,
		encoder: wire.NewEncoder(origins, 0),
		decoder: wire.Decoder{Origins: origins},
	}
}

// Pull appends the body of the message that starts the transfer at cursor, at the puller's clock t. With compare it
// tells what the table holds already, so that only the difference comes.
func (k *Taker) Pull(dst []byte, t hlc.Stamp, cursor uint64, compare bool) []byte {
	p := wire.StreamPull{Cursor: cursor}
	if compare {
		bits := k.PartBits
		if bits == 0 {
			bits = k.table.PartBits()
		}
		p.Fingerprints = k.table.Parts(bits)
	}
	k.got.Cursor = cursor
	return k.encoder.AppendStreamPull(dst, t, &p)
}

// Take takes a message of the donor, merging what it holds at the wall time now (Unix milliseconds). After an error the
// transfer is over; what was merged stays, and Cursor is where to go on.
func (k *Taker) Take(typ wire.StreamType, body []byte, now int64) (Progress, error) {
	if k.got.Done || k.offered == (typ == wire.StreamTypeOffer) {
		return k.got, ErrOrder
	}
	var err error
	switch typ {
	case wire.StreamTypeOffer:
		err = k.takeOffer(body)
	case wire.StreamTypeChunk:
		err = k.takeChunk(body, now)
	case wire.StreamTypeEnd:
		if k.got.Clock, err = k.decoder.StreamEnd(body); err == nil {
			k.got.Done = true
		}
	default:
		err = ErrOrder
	}
	return k.got, err
}

func (k *Taker) takeOffer(body []byte) (err error) {
	if k.got.Clock, err = k.decoder.StreamOffer(body, &k.offer); err != nil {
		return err
	}
	k.offered, k.got.Offer, k.got.Marks = true, k.offer.Vectors, k.offer.Marks
	return nil
}

func (k *Taker) takeChunk(body []byte, now int64) (err error) {
	if k.got.Clock, err = k.decoder.StreamChunk(body, &k.chunk); err != nil {
		return err
	}
	if k.chunk.Cursor < k.got.Cursor {
		return ErrOrder
	}
	for i := range k.chunk.Items {
		it := &k.chunk.Items[i]
		if it.Kind != wire.KindState {
			return ErrKind
		}
		switch k.table.MergeFrom(now, it.Key, &it.State, k.judge.past()) {
		case table.NoRoom:
			k.got.NoRoom = true
		case table.Incomplete:
			return ErrKind
		}
		k.judge.note(it.Key, &it.State)
		k.got.Keys++
	}
	k.got.Dropped += k.judge.close(k.table, now, k.got.Cursor, k.chunk.Cursor)
	k.got.Cursor = k.chunk.Cursor
	return nil
}

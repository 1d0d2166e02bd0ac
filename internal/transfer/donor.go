package transfer

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// batchBytes is how much is read from the table at a time: some less than a chunk takes, so that most batches make one
// chunk although sizes are estimated.
const batchBytes = wire.ChunkTarget - 16<<10

// Donor answers one pull. Memory: one batch, which is 256 KiB and at most one key more, and the puller's fingerprints, at most
// 2 MiB.
type Donor struct {
	table   *table.Table
	encoder *wire.Encoder
	builder *wire.StreamBuilder
	item    wire.Item

	offer  wire.StreamOffer
	differ *table.Differ // by the puller's fingerprints, nil when it gave none

	stage  stage
	cursor uint64
	ready  [][]byte // chunks of a batch that took more than one, not yet sent

	BatchBytes int // read from the table at a time, about; may be lowered before the first Next

	Keys   uint64 // records sent so far
	Floors uint64 // of those sent once more at the end
}

// stage is what comes next.
type stage uint8

const (
	sendOffer stage = iota
	sendChunks
	sendFloors
	sendEnd
	sentAll
)

// NewDonor prepares the answer to pull. The offer is what the machine held before anything is read from the table: all
// of it is in the chunks, what is written meanwhile may be. The pull's fingerprints belong to the Donor from now on.
//
// The puller's fingerprints are older than the offer, and what it holds only grows; so where the sums of a part agree, at
// the moment the donor reads it, the puller holds all that was offered.
func NewDonor(t *table.Table, origins *record.Origins, pull *wire.StreamPull, state wire.MemberState, offer []wire.Vector) *Donor {
	epoch, _ := t.Epoch()
	return &Donor{
		table:   t,
		encoder: wire.NewEncoder(origins, 0),
		builder: wire.NewStreamBuilder(origins),
		item:    wire.Item{Kind: wire.KindState},
		offer:   wire.StreamOffer{State: state, Epoch: uint64(epoch), Vectors: offer},
		differ:  table.NewDiffer(pull.Fingerprints),
		cursor:  pull.Cursor,

		BatchBytes: batchBytes,
	}
}

// Skipped is how many parts of the table were left out so far, because the puller has them alike.
func (d *Donor) Skipped() uint64 {
	if d.differ == nil {
		return 0
	}
	return d.differ.Alike
}

// SetMarks adds to the offer how old its dots may be.
func (d *Donor) SetMarks(marks []wire.Marks) { d.offer.Marks = marks }

// Next appends the body of the next message to dst, at the donor's clock t. more is false with the last one, and ever
// after.
func (d *Donor) Next(dst []byte, t hlc.Stamp) (typ wire.StreamType, body []byte, more bool) {
	switch d.stage {
	case sendOffer:
		d.stage = sendChunks
		body, _ = d.encoder.AppendStreamOffer(dst, t, &d.offer)
		d.offer.Vectors, d.offer.Marks = nil, nil
		return wire.StreamTypeOffer, body, true
	case sendChunks:
		if len(d.ready) == 0 {
			body = d.read(dst, t)
		} else {
			body = append(dst, d.ready[0]...)
			d.ready = d.ready[1:]
		}
		if len(d.ready) == 0 && d.cursor == lastCursor {
			d.stage = sendFloors
		}
		return wire.StreamTypeChunk, body, true
	case sendFloors:
		d.stage = sendEnd
		return wire.StreamTypeChunk, d.floors(dst, t), true
	case sendEnd:
		d.stage = sentAll
	}
	return wire.StreamTypeEnd, d.encoder.AppendStreamEnd(dst, t), false
}

// read makes chunks of the next batch, the first behind dst. All but the last say that nothing of the batch is behind them,
// because the table does not tell where within a batch a key stands.
func (d *Donor) read(dst []byte, t hlc.Stamp) (first []byte) {
	d.ready = nil
	finish := func(cursor uint64) {
		if chunk := d.builder.Chunk(cursor); first == nil {
			first = chunk
		} else {
			d.ready = append(d.ready, chunk)
		}
	}
	d.builder.Reset(dst, t)
	next, done := d.table.Chunk(d.cursor, d.BatchBytes, d.differ, func(k record.Key, s *record.State) {
		d.item.Key, d.item.State = k, *s
		d.Keys++
		if !d.builder.Add(&d.item) {
			finish(d.cursor)
			d.builder.Reset(nil, t)
			d.builder.Add(&d.item) // the first always goes in
		}
	})
	if done {
		next = lastCursor
	}
	d.cursor = next
	finish(next)
	d.item = wire.Item{Kind: wire.KindState} // keep nothing of the table's
	return first
}

// floors makes a chunk of every database's floor, of which one raised meanwhile may stand behind the cursor: what it
// killed was not sent, so the puller, which will count all that was offered as held, has to know why.
func (d *Donor) floors(dst []byte, t hlc.Stamp) []byte {
	d.builder.Reset(dst, t)
	for db := range uint8(record.Databases) {
		d.item.Key = record.FloorKey(db)
		if d.table.Load(d.item.Key, &d.item.State) {
			d.builder.Add(&d.item)
			d.Floors++
		}
	}
	return d.builder.Chunk(lastCursor)
}

package transfer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

const start = 1_800_000_000_000

// node is a table with what it needs to take part.
type node struct {
	*table.Table
	origins *record.Origins
	clock   *hlc.Clock
	wall    int64
}

func newNode(id byte, maxBytes int64) *node {
	n := &node{origins: new(record.Origins), clock: new(hlc.Clock), wall: start}
	self := record.Origin{Node: record.NodeID{id}, Incarnation: record.Incarnation{1, id}}
	n.Table = table.New(table.Config{Self: self, Origins: n.origins, Clock: n.clock, MaxBytes: maxBytes})
	return n
}

func (n *node) put(name, value string) {
	n.wall++
	if _, err := n.Put(n.wall, record.Key{Name: name}, &table.Write{Value: []byte(value)}); err != nil {
		panic(err)
	}
}

func (n *node) destroy(name string) {
	n.wall++
	if _, err := n.Destroy(n.wall, record.Key{Name: name}, false); err != nil {
		panic(err)
	}
}

// failer is a test or a property.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// pull starts a transfer from donor at cursor, through the byte form of the pull.
func (n *node) pull(t failer, donor *node, cursor uint64, compare bool) (*Donor, *Taker) {
	t.Helper()
	taker := NewTaker(n.Table, n.origins)
	return n.start(t, donor, taker, cursor, compare)
}

// pullBy compares parts of so many bits.
func (n *node) pullBy(t failer, donor *node, cursor uint64, bits int) (*Donor, *Taker) {
	t.Helper()
	taker := NewTaker(n.Table, n.origins)
	taker.PartBits = bits
	return n.start(t, donor, taker, cursor, true)
}

func (n *node) start(t failer, donor *node, taker *Taker, cursor uint64, compare bool) (*Donor, *Taker) {
	t.Helper()
	body := taker.Pull(nil, n.clock.Read(n.wall), cursor, compare)
	var pull wire.StreamPull
	decoder := wire.Decoder{Origins: donor.origins}
	if _, err := decoder.StreamPull(body, &pull); err != nil {
		t.Fatal(err)
	}
	var offer wire.Vector
	offer.Origin, _ = donor.origins.Lookup(donor.origins.Origin(1))
	offer.Set.AddRange(1, donor.OwnHigh())
	vectors := []wire.Vector{offer}
	if offer.Set.Empty() {
		vectors = nil
	}
	return NewDonor(donor.Table, donor.origins, &pull, wire.Synced, vectors), taker
}

// step carries one message. The body is overwritten afterwards: the taker may keep nothing of it.
func step(t failer, d *Donor, k *Taker, donor, puller *node) (wire.StreamType, Progress, bool) {
	t.Helper()
	typ, body, more := d.Next(nil, donor.clock.Read(donor.wall))
	if len(body) > wire.MaxStreamBody {
		t.Fatalf("%v of %d bytes", typ, len(body))
	}
	got, err := k.Take(typ, body, puller.wall)
	if err != nil {
		t.Fatalf("%v: %v", typ, err)
	}
	clear(body)
	return typ, got, more
}

func finish(t failer, d *Donor, k *Taker, donor, puller *node) Progress {
	t.Helper()
	for {
		if _, got, more := step(t, d, k, donor, puller); !more {
			return got
		}
	}
}

// contains reports whether merging what a holds into b would change nothing.
func contains(t failer, b, a *node) {
	t.Helper()
	before := b.Root()
	d, k := b.pull(t, a, 0, false)
	finish(t, d, k, a, b)
	if b.Root() != before {
		t.Fatal("the taker's table lacks something of the donor's")
	}
}

func draw(t *rapid.T, n *node, label string) {
	for range rapid.IntRange(0, 60).Draw(t, label) {
		name := fmt.Sprint("s", rapid.IntRange(0, 40).Draw(t, "name"))
		switch rapid.IntRange(0, 5).Draw(t, "op") {
		case 0:
			n.destroy(name)
		case 1:
			n.put(name, strings.Repeat("large", rapid.IntRange(1, 60_000).Draw(t, "size")))
		default:
			n.put(name, rapid.StringN(0, 20, 80).Draw(t, "value"))
		}
	}
}

func TestACompleteTransferBringsAllTheDonorHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		donor, taker := newNode(1, 0), newNode(2, 0)
		draw(t, donor, "donor's")
		draw(t, taker, "taker's")
		d, k := taker.pull(t, donor, 0, rapid.Bool().Draw(t, "compare"))
		if got := finish(t, d, k, donor, taker); !got.Done || got.NoRoom {
			t.Fatalf("%+v", got)
		}
		contains(t, taker, donor)
	})
}

func TestATransferIntoAnEmptyTableMakesEqualRoots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		donor, taker := newNode(1, 0), newNode(2, 0)
		draw(t, donor, "donor's")
		d, k := taker.pull(t, donor, 0, rapid.Bool().Draw(t, "compare"))
		finish(t, d, k, donor, taker)
		if donor.Root() != taker.Root() {
			t.Fatal("roots differ")
		}
	})
}

func TestATransferGoesOnWithAnotherDonorAtTheCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, taker := newNode(1, 0), newNode(2, 0), newNode(3, 0)
		for i := range rapid.IntRange(1, 300).Draw(t, "keys") {
			a.put(fmt.Sprint(i), strings.Repeat("x", rapid.IntRange(0, 20_000).Draw(t, "size")))
		}
		d, k := b.pull(t, a, 0, false)
		finish(t, d, k, a, b) // the donors hold the same
		compare := rapid.Bool().Draw(t, "compare")
		d, k = taker.pull(t, a, 0, compare)
		cursor, more := uint64(0), true
		for range rapid.IntRange(0, 20).Draw(t, "messages before the first donor dies") {
			if !more {
				break
			}
			var got Progress
			_, got, more = step(t, d, k, a, taker)
			cursor = got.Cursor
		}
		d, k = taker.pull(t, b, cursor, compare)
		if got := finish(t, d, k, b, taker); cursor > 0 && got.Keys == b.keys() && !compare {
			t.Fatal("the second donor sent everything again")
		}
		contains(t, taker, a)
	})
}

func (n *node) keys() (keys uint64) {
	n.Chunk(0, 1<<40, nil, func(record.Key, *record.State) { keys++ })
	return keys
}

func TestWhatWasOfferedComesAlthoughTheDonorWritesMeanwhile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		donor, taker, still := newNode(1, 0), newNode(2, 0), newNode(3, 0)
		draw(t, donor, "before")
		draw(t, taker, "taker's")
		d, k := still.pull(t, donor, 0, false)
		finish(t, d, k, donor, still) // what the donor held when it made its offer
		d, k = taker.pull(t, donor, 0, true)
		for more := true; more; {
			_, _, more = step(t, d, k, donor, taker)
			donor.put(fmt.Sprint("s", rapid.IntRange(0, 40).Draw(t, "name")), "meanwhile")
		}
		contains(t, taker, still)
	})
}

func TestAFlushMeanwhileComesWithWhatItKilled(t *testing.T) {
	donor, taker := newNode(1, 0), newNode(2, 0)
	for i := range 40 {
		donor.put(fmt.Sprint(i), "value")
	}
	d, k := taker.pull(t, donor, 0, false)
	d.BatchBytes = 1
	for range 20 {
		step(t, d, k, donor, taker)
	}
	donor.wall++
	if _, err := donor.Flush(donor.wall, 0); err != nil {
		t.Fatal(err)
	}
	finish(t, d, k, donor, taker)
	if donor.Root() != taker.Root() {
		t.Error("the taker lacks the floor, or shows what it killed")
	}
	if d.Floors != 1 {
		t.Errorf("%d floors sent at the end", d.Floors)
	}
}

func TestPartsThatAgreeAreSkipped(t *testing.T) {
	donor, taker := newNode(1, 0), newNode(2, 0)
	for i := range 5000 {
		donor.put(fmt.Sprint(i), "value")
	}
	d, k := taker.pull(t, donor, 0, true)
	if got := finish(t, d, k, donor, taker); got.Keys != 5000 {
		t.Fatalf("the first transfer brought %d keys", got.Keys)
	}
	for i := range 3 {
		donor.put(fmt.Sprint("new", i), "value")
	}
	d, k = taker.pull(t, donor, 0, true)
	got := finish(t, d, k, donor, taker)
	if got.Keys < 3 || got.Keys > 30 {
		t.Errorf("three new keys cost %d", got.Keys)
	}
	if d.Keys != got.Keys || d.Skipped() < 2000 {
		t.Errorf("the donor sent %d keys and skipped %d parts", d.Keys, d.Skipped())
	}
	if donor.Root() != taker.Root() {
		t.Error("roots differ")
	}
}

func TestValuesLargerThanAChunkArriveAndCursorsNeverSkip(t *testing.T) {
	donor, taker := newNode(1, 0), newNode(2, 0)
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		donor.put(fmt.Sprint("large", i), strings.Repeat("x", 200_000+dice.IntN(record.MaxValue-200_000)))
		donor.put(fmt.Sprint("small", i), "y")
	}
	// A new donor after every message: only what cursors say is behind us has arrived.
	cursor, done := uint64(0), false
	for rounds := 0; !done; rounds++ {
		if rounds > 1000 {
			t.Fatal("no progress")
		}
		d, k := taker.pull(t, donor, cursor, false)
		step(t, d, k, donor, taker)
		for was := cursor; cursor == was && !done; {
			typ, got, more := step(t, d, k, donor, taker)
			cursor, done = got.Cursor, !more
			if typ == wire.StreamTypeChunk && cursor == lastCursor {
				done = true
			}
		}
	}
	if donor.Root() != taker.Root() {
		t.Error("roots differ")
	}
}

func TestShortageOfRoomIsReported(t *testing.T) {
	donor, taker := newNode(1, 0), newNode(2, 10_000)
	for i := range 100 {
		donor.put(fmt.Sprint(i), strings.Repeat("x", 1000))
	}
	d, k := taker.pull(t, donor, 0, false)
	if got := finish(t, d, k, donor, taker); !got.NoRoom || !got.Done {
		t.Errorf("%+v", got)
	}
}

func TestTheOfferArrives(t *testing.T) {
	donor, taker := newNode(1, 0), newNode(2, 0)
	donor.put("a", "1")
	donor.put("b", "2")
	d, k := taker.pull(t, donor, 0, false)
	typ, got, _ := step(t, d, k, donor, taker)
	if typ != wire.StreamTypeOffer || len(got.Offer) != 1 || got.Offer[0].Set.Max() != 2 {
		t.Fatalf("%v: %+v", typ, got)
	}
	if taker.origins.Origin(got.Offer[0].Origin) != donor.origins.Origin(1) {
		t.Error("the offer names another origin")
	}
}

func TestMessagesOutOfOrderAreRefused(t *testing.T) {
	donor := newNode(1, 0)
	donor.put("a", "1")
	message := func(typ wire.StreamType) []byte {
		d, _ := newNode(9, 0).pull(t, donor, 0, false)
		for {
			got, body, _ := d.Next(nil, 1)
			if got == typ {
				return body
			}
		}
	}
	offer, chunk, end := message(wire.StreamTypeOffer), message(wire.StreamTypeChunk), message(wire.StreamTypeEnd)
	type sent struct {
		typ  wire.StreamType
		body []byte
	}
	for name, messages := range map[string][]sent{
		"a chunk before the offer": {{wire.StreamTypeChunk, chunk}},
		"an end before the offer":  {{wire.StreamTypeEnd, end}},
		"a second offer":           {{wire.StreamTypeOffer, offer}, {wire.StreamTypeOffer, offer}},
		"a pull":                   {{wire.StreamTypeOffer, offer}, {wire.StreamTypePull, offer}},
		"a chunk after the end":    {{wire.StreamTypeOffer, offer}, {wire.StreamTypeEnd, end}, {wire.StreamTypeChunk, chunk}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(2, 0)
			k := NewTaker(n.Table, n.origins)
			k.Pull(nil, 1, 0, false)
			var err error
			for _, m := range messages {
				_, err = k.Take(m.typ, m.body, start)
			}
			if !errors.Is(err, ErrOrder) {
				t.Errorf("got %v", err)
			}
		})
	}
	n := newNode(2, 0)
	k := NewTaker(n.Table, n.origins)
	k.Pull(nil, 1, 1<<60, false)
	if _, err := k.Take(wire.StreamTypeOffer, offer, start); err != nil {
		t.Fatal(err)
	}
	b := wire.NewStreamBuilder(donor.origins)
	b.Reset(nil, 1)
	if _, err := k.Take(wire.StreamTypeChunk, b.Chunk(1<<59), start); !errors.Is(err, ErrOrder) {
		t.Errorf("a cursor that goes back: %v", err)
	}
}

func FuzzTakerSurvivesAnything(f *testing.F) {
	donor := newNode(1, 0)
	donor.put("a", "1")
	donor.destroy("b")
	d, _ := newNode(9, 0).pull(f, donor, 0, false)
	for more := true; more; {
		var typ wire.StreamType
		var body []byte
		typ, body, more = d.Next(nil, donor.clock.Read(donor.wall))
		f.Add(uint8(typ), body)
	}
	f.Fuzz(func(t *testing.T, typ uint8, body []byte) {
		n := newNode(2, 1<<20)
		k := NewTaker(n.Table, n.origins)
		k.Pull(nil, 1, 0, true)
		_, _ = k.Take(wire.StreamType(typ), body, start)
		k.offered = true
		_, _ = k.Take(wire.StreamType(typ), body, start)
	})
}

func TestAChangeInALargeTableCostsAboutOneRecord(t *testing.T) {
	const sessions, changed = 30_000, 300
	donor, taker := newNode(1, 0), newNode(2, 0)
	for i := range sessions {
		donor.put(fmt.Sprint(i), "value")
	}
	d, k := taker.pull(t, donor, 0, true) // an empty table compares by the bucket, of which none is alike
	finish(t, d, k, donor, taker)
	for i := range changed {
		donor.put(fmt.Sprint(i), "changed")
	}
	d, k = taker.pull(t, donor, 0, true)
	got := finish(t, d, k, donor, taker)
	if got.Keys < changed || got.Keys > 2*changed {
		t.Errorf("%d changes of %d sessions cost %d records", changed, sessions, got.Keys)
	}
	if donor.Root() != taker.Root() {
		t.Error("roots differ")
	}
}

// Both ends change while the transfer goes on, donors change, too, and each pull compares by another grain: what any donor
// offered before the last transfer arrives.
func TestFinerComparisonsGoOnWithOtherDonors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, taker, still := newNode(1, 0), newNode(2, 0), newNode(3, 0), newNode(4, 0)
		draw(t, a, "first")
		sync := func(from, to *node) {
			d, k := to.pull(t, from, 0, false)
			finish(t, d, k, from, to)
		}
		sync(a, b)
		sync(a, taker)
		draw(t, a, "changed")
		draw(t, taker, "the taker's own")
		sync(a, b)
		sync(a, still) // what both donors hold as the transfer begins
		cursor, more := uint64(0), true
		for _, donor := range []*node{a, b, a, b} {
			d, k := taker.pullBy(t, donor, cursor, rapid.IntRange(table.PartBitsMin, table.PartBitsMax).Draw(t, "bits"))
			d.BatchBytes = rapid.SampledFrom([]int{1, 1000, batchBytes}).Draw(t, "batch")
			more = true
			for range rapid.IntRange(1, 30).Draw(t, "messages") {
				if !more {
					break
				}
				var got Progress
				_, got, more = step(t, d, k, donor, taker)
				cursor = max(cursor, got.Cursor)
				donor.put(fmt.Sprint("s", rapid.IntRange(0, 40).Draw(t, "name")), "meanwhile")
				taker.put(fmt.Sprint("s", rapid.IntRange(0, 40).Draw(t, "name")), "meanwhile, too")
			}
			if !more {
				break
			}
		}
		if more {
			d, k := taker.pullBy(t, a, cursor, table.PartBitsMax)
			finish(t, d, k, a, taker)
		}
		contains(t, taker, still)
	})
}

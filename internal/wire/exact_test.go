package wire

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/dots"
)

// Every limit is tried, so that none is exceeded by a byte.
func TestNoBodyExceedsItsLimitByAByte(t *testing.T) {
	w := newWorld()
	var beat Heartbeat
	var nack Nack
	var wide dots.Set
	for i := range uint64(40) {
		wide.AddRange(1000*i+1, 1000*i+1+i*20)
	}
	beat = Heartbeat{Full: true, State: Synced}
	for _, ref := range w.refs {
		beat.Vectors = append(beat.Vectors, Vector{ref, wide})
		beat.Heard = append(beat.Heard, Heard{Origin: ref})
		nack.Wants = append(nack.Wants, Want{ref, wide.Ranges()})
		nack.Frags = append(nack.Frags, FragWant{ref, 1, 1, wide.Ranges()})
	}
	e := w.encoder()
	for limit := 100; limit < 1400; limit++ {
		b, _, _ := e.AppendHeartbeat(nil, now, &beat, limit)
		n, _, _ := e.AppendNack(nil, now, &nack, limit)
		a := e.AppendAck(nil, now, &Ack{wide}, limit)
		if len(b) > limit || len(n) > limit || len(a) > limit {
			t.Fatalf("limit %d: heartbeat %d, NACK %d, ACK %d", limit, len(b), len(n), len(a))
		}
		if _, err := w.decoder().Nack(n, w.self(), &Nack{}); err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
	}
}

func TestItemsLeaveTheSenderItsNumber(t *testing.T) {
	w := newWorld()
	e, it := w.encoder(), w.update(w.self())
	e.AppendItem(nil, &it)
	if b := e.AppendProbeReq(nil, now, &ProbeReq{Target: w.self()}); len(b) != 17 {
		t.Errorf("the sender took %d bytes to name", len(b)-16)
	}
}

func TestDotsOfABatchAreCountedTogether(t *testing.T) {
	w := newWorld()
	item := "03" + "01" + "00" + "ff1f" + "00" // nothing known of a key without a name, dots 1 to 4096
	for n, want := range []error{nil, nil, nil, ErrLimit} {
		b, err := hex.DecodeString(clock + "00" + strings.Repeat(item, n) + "00")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.decoder().Batch(b, w.self(), &Batch{}); !errors.Is(err, want) {
			t.Errorf("%d × 4096 dots: %v, want %v", n, err, want)
		}
	}
}

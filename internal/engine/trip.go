package engine

import "time"

// trip is how long answers of a peer to probes take on the way.
type trip struct {
	nonce uint64
	asked time.Time // zero: no answer is to come
	time  time.Duration
}

// note takes in an answer. A fast one tells what the way takes, a slow one may tell of a busy node as well: a longer way is believed
// little by little.
func (t *trip) note(now time.Time, nonce uint64) {
	if t.asked.IsZero() || t.nonce != nonce {
		return
	}
	took := min(now.Sub(t.asked), tripMax)
	t.asked = time.Time{}
	if t.time == 0 || took < t.time {
		t.time = took
		return
	}
	t.time += (took - t.time) / 4
}

// proveLonger takes in that a peer is heard that was taken for dead, because no answer had come since it was asked: the way may take as long. Where answers
// are lost each such mistake so makes the next less likely, by twice the time.
func (t *trip) proveLonger(now time.Time) {
	if !t.asked.IsZero() {
		t.time = max(t.time, min(now.Sub(t.asked), tripMax))
	}
}

package engine

import "time"

const (
	offsetSamples = 4
	offsetWindow  = 3 * time.Second
)

// offsetMeter estimates how far a peer's wall clock is ahead of ours from what it says. A datagram's time under way makes a
// clock look slower than it is, most of all where it waited while this node was stopped, or was held back and sent again
// by someone else. So the largest offset of the last moments counts.
type offsetMeter struct {
	at   [offsetSamples]time.Time
	by   [offsetSamples]time.Duration
	last int
}

func (o *offsetMeter) note(now time.Time, by time.Duration) {
	o.last = (o.last + 1) % offsetSamples
	o.at[o.last], o.by[o.last] = now, by
}

// read is the offset, and how long ago the peer told its clock.
func (o *offsetMeter) read(now time.Time) (by, age time.Duration) {
	by, age = o.by[o.last], now.Sub(o.at[o.last])
	for i, at := range o.at {
		if !at.IsZero() && now.Sub(at) <= offsetWindow {
			by = max(by, o.by[i])
		}
	}
	return by, age
}

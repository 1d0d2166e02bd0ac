package engine

import "time"

const (
	offsetSamples = 4
	offsetWindow  = 3 * time.Second
)

// offsetMeter estimates how far a peer's wall clock is ahead of ours from what it says. A datagram's time under way makes a
// clock look slower than it is, most of all where it waited while this node was stopped, or was held back and sent again
// by someone else. So the largest offset of the last moments counts, and of what may have waited while it stood
// still nothing is believed (readClock).
type offsetMeter struct {
	at   [offsetSamples]time.Time
	by   [offsetSamples]time.Duration
	last int
	told bool // by the peer; before it is a guess by its hybrid clock, which may be far ahead of its wall clock

	stood time.Duration // for how long this node stood still since the last of them
}

func (o *offsetMeter) note(now time.Time, by time.Duration) {
	o.last = (o.last + 1) % offsetSamples
	o.at[o.last], o.by[o.last] = now, by
	o.stood = 0
}

// skip takes a while during which this node stood still for no time at all, until the peer tells its clock again: what it knew before is
// as good as it was. Then that is as old as it is, since the peer's clock may have been set meanwhile.
func (o *offsetMeter) skip(still time.Duration) { o.stood += still }

// read is the offset, and how long ago the peer told its clock, without the time that this node stood still since.
func (o *offsetMeter) read(now time.Time) (by, age time.Duration) {
	awake := now.Add(-o.stood)
	by, age = o.by[o.last], awake.Sub(o.at[o.last])
	for i, at := range o.at {
		if !at.IsZero() && awake.Sub(at) <= offsetWindow {
			by = max(by, o.by[i])
		}
	}
	return by, age
}

// readClock notes what p says that its clock shows, unless it may have said so while this node stood still. Before it is told
// it is guessed.
func (m *Machine) readClock(p *peer, millis int64, told bool) {
	if m.now.Before(m.health.backlog) {
		return
	}
	if told && !p.offset.told {
		p.offset = offsetMeter{told: true}
	}
	p.offset.note(m.now, time.Duration(millis-m.wall())*time.Millisecond)
}

package engine

import (
	"time"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// takeData merges changes that their origin sent.
func (m *Machine) takeData(p *peer, body []byte) error {
	b := &m.parsed.batch
	t, err := m.decoder.Batch(body, p.ref, b)
	if err != nil {
		return err
	}
	m.observe(p, t)
	m.owe(p, b.AckFrom)
	m.count.DataIn++
	for i := range b.Items {
		if b.Items[i].Origin != p.ref {
			return wire.ErrValue
		}
		m.takeItem(p, t, &b.Items[i])
	}
	return nil
}

// takeItem merges one key's news and covers its dots, unless the news could not be applied in full: then the dots
// stay open and are repaired by value.
func (m *Machine) takeItem(p *peer, t hlc.Stamp, it *wire.Item) {
	o := m.origin(it.Origin)
	if o.coversAll(it.Dots) {
		m.count.Duplicates++
		return
	}
	if !m.merge(p, t, it) {
		m.announce(o, it.Dots[len(it.Dots)-1])
		return
	}
	m.count.DotsIn += uint64(len(it.Dots))
	o.cover(it.Dots)
	o.tries = 0
	m.noteKeys(it)
	m.checkGap(o)
}

// merge reports whether the item is applied in full.
func (m *Machine) merge(p *peer, t hlc.Stamp, it *wire.Item) bool {
	switch it.Kind {
	case wire.KindNothing:
		return true
	case wire.KindState, wire.KindTouch:
		m.elder = elder{m, p, t}
		switch m.table.MergeFrom(m.wall(), it.Key, &it.State, &m.elder) {
		case table.Applied:
			return true
		case table.NoRoom:
			m.count.NoRoom++
			m.refused()
		}
	}
	return false
}

// noteKeys remembers which key the dots changed, so that this node can repair them for others.
func (m *Machine) noteKeys(it *wire.Item) {
	for _, seq := range it.Dots {
		m.table.Note(it.Origin, seq, it.Key)
	}
}

// announce notes that dots of o up to seq exist.
func (m *Machine) announce(o *origin, seq uint64) {
	if o.announced == 0 && m.join.fetch != nil {
		o.fetchTo = seq // met while a transfer is under way, which most likely brings it
	}
	o.announced = max(o.announced, seq)
	m.checkGap(o)
}

// takeRepair merges what another node sent again, of any origin.
func (m *Machine) takeRepair(p *peer, body []byte) error {
	b := &m.parsed.batch
	t, err := m.decoder.Batch(body, p.ref, b)
	if err != nil {
		return err
	}
	m.observe(p, t)
	for i := range b.Items {
		it := &b.Items[i]
		m.count.RepairsIn++
		p.ack.due = p.ack.due || it.Origin == p.ref // the request for it may have been lost with the change
		if it.Kind == wire.KindPull {
			m.wantPull(p, it)
			continue
		}
		m.takeItem(p, t, it)
	}
	return nil
}

// wantPull asks for a transfer from who cannot repair dots one by one any more.
func (m *Machine) wantPull(p *peer, it *wire.Item) {
	if !m.origin(it.Origin).coversAll(it.Dots) {
		m.pullFrom(p)
	}
}

// observe moves our clock by a peer's, which is the only thing that does.
func (m *Machine) observe(p *peer, t wire.Time) {
	p.stamped = max(p.stamped, t.Millis())
	if m.clock.Observe(t, m.wall(), m.cfg.MaxSkew) {
		p.aheadTold = false
		return
	}
	if !p.aheadTold {
		p.aheadTold = true
		d := m.describe(p)
		d.Offset = time.Duration(t.Millis()-m.wall()) * time.Millisecond // what was measured may be from before a step
		m.event(Event{Kind: EventClockAhead, Member: d, Addr: p.addr})
	}
}

package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// push sends this node's own changes to the group: the present state of each changed key, once, whatever number of
// changes it stands for.
type push struct {
	high    uint64 // own dots up to here were taken from the table's log
	queue   []record.Key
	dirty   map[record.Key]*dirtyKey
	spare   []*dirtyKey
	flushAt time.Time
	window  time.Time // start of the batching window
	frames  int       // sent in it
	solicit []record.NodeID

	builder *wire.BatchBuilder
	item    wire.Item
	values  []byte // of the item
	named   []record.NodeID
	asked   uint64 // own dots up to here were to be confirmed by those whom a frame named
}

// dirtyKey is a key whose changes have not been sent.
type dirtyKey struct {
	seqs []uint64
	full bool // not only its deadline changed
}

// burstFrames may leave within one batchDelay before changes are made to wait for company: a lone write leaves at
// once, a flood fills its frames.
const burstFrames = 16

// takeWrote moves the table's new dots into the backlog.
func (m *Machine) takeWrote() {
	high := m.table.OwnHigh()
	if high == m.push.high {
		return
	}
	first := m.push.high + 1
	m.push.high = high
	o := m.origin(m.self)
	o.held.AddRange(first, high)
	o.announced = high
	m.beat.data(m.now)
	m.pace.flows(m.now)
	if !m.anyoneLive() { // who comes later lacks these dots with all that were before, and asks
		return
	}
	if high-first >= ringDots { // the log forgot the oldest: peers pull them
		m.count.BacklogDropped += high - first - ringDots + 1
		first = high - ringDots + 1
	}
	for seq := first; seq <= high; seq++ {
		if k, touch, ok := m.table.LogKey(m.self, seq); ok {
			m.soil(k, seq, touch)
		}
	}
}

// soil adds a change to the backlog.
func (m *Machine) soil(k record.Key, seq uint64, touch bool) {
	d := m.push.dirty[k]
	if d == nil {
		if len(m.push.queue) >= maxBacklog {
			m.count.BacklogDropped++
			return
		}
		if len(m.push.queue) == 0 {
			m.openWindow()
		}
		d = m.newDirty()
		m.push.dirty[k] = d
		m.push.queue = append(m.push.queue, k)
	} else {
		m.count.Conflated++
	}
	if len(d.seqs) < wire.MaxItemDots {
		d.seqs = append(d.seqs, seq)
	}
	d.full = d.full || !touch
}

func (m *Machine) newDirty() *dirtyKey {
	if n := len(m.push.spare); n > 0 {
		d := m.push.spare[n-1]
		m.push.spare = m.push.spare[:n-1]
		return d
	}
	return new(dirtyKey)
}

// openWindow decides when the first change of a backlog leaves.
func (m *Machine) openWindow() {
	if m.now.Sub(m.push.window) >= batchDelay {
		m.push.window, m.push.frames = m.now, 0
	}
	m.push.flushAt = m.now
	if m.push.frames >= burstFrames {
		m.push.flushAt = m.push.window.Add(batchDelay)
	}
}

func (m *Machine) pushDeadline() time.Time {
	switch {
	case len(m.frags.out) > 0:
		return m.pace.readyAt(m.now)
	case len(m.push.solicit) > 0:
		return m.now
	case len(m.push.queue) == 0:
		return time.Time{}
	}
	if ready := m.pace.readyAt(m.now); ready.After(m.push.flushAt) {
		return ready
	}
	return m.push.flushAt
}

func (m *Machine) pollPush() {
	for named := range slices.Chunk(m.push.solicit, wire.MaxAckFrom) {
		m.push.builder.Reset(m.begin(wire.TypeData, group), m.stamp(), named, m.room())
		m.finish(group, m.push.builder.Finish())
	}
	m.push.solicit = m.push.solicit[:0]
	if len(m.push.queue) == 0 || !m.due(m.push.flushAt) {
		return
	}
	for len(m.push.queue) > 0 && m.pace.ready(m.now) && m.frags.wholes() < maxOutgoing {
		m.pushFrame()
	}
	if len(m.push.queue) == 0 {
		m.push.queue = m.push.queue[:0:cap(m.push.queue)]
	}
}

// sent is up to where every own dot has left, or waits for nobody: what may be announced. Announcing more would make the
// peers ask for what is about to come.
func (m *Machine) sent() uint64 {
	first := m.push.high + 1
	if len(m.push.queue) > 0 { // in the order of the keys' first changes
		first = m.push.dirty[m.push.queue[0]].seqs[0]
	}
	for _, f := range m.frags.out {
		if f.head.Origin == m.self && !f.head.Repair {
			first = min(first, f.head.Dots[0])
		}
	}
	return first - 1
}

// Unhurried reports whether new local changes need not be told at once, by Wrote: nobody would hear them, or they would
// wait for the company of others. Deadline covers them in either case.
func (m *Machine) Unhurried() bool {
	return !m.anyoneLive() || len(m.push.queue) > 0 && m.push.flushAt.After(m.now)
}

func (m *Machine) anyoneLive() bool {
	return slices.ContainsFunc(m.members.list, (*peer).live)
}

// pushFrame sends as many changes as fit into one frame, or starts to send one that does not fit into any.
func (m *Machine) pushFrame() {
	p := &m.push
	p.named = p.named[:0]
	if m.awaited() {
		p.named = m.askFor(p.named, p.high)
		p.asked = p.high
	}
	p.builder.Reset(m.begin(wire.TypeData, group), m.stamp(), p.named, m.room())
	sent := 0
	for len(p.queue) > 0 && p.builder.Items() < wire.MaxItems {
		if m.leaveOld() {
			continue
		}
		m.loadItem(p.queue[0])
		if !p.builder.Add(&p.item) {
			break
		}
		m.count.DotsOut += uint64(len(p.item.Dots))
		m.clean()
		sent++
	}
	p.frames++
	if sent == 0 && len(p.queue) == 0 {
		m.abandon()
		return
	}
	if sent == 0 {
		m.abandon()
		m.fragmentOut(&p.item, group, false, nil)
		m.count.DotsOut += uint64(len(p.item.Dots))
		m.clean()
		return
	}
	m.count.DataOut++
	m.finish(group, p.builder.Finish())
}

// touchesPeeked is more than fit into a frame.
const touchesPeeked = 64

// awaited reports whether somebody may wait for what the next frame carries. For touches alone nobody does who is not known to:
// most of them the table makes itself, ahead of need.
func (m *Machine) awaited() bool {
	p := &m.push
	if len(m.acks.waiters) > 0 {
		return true
	}
	for _, k := range p.queue[:min(len(p.queue), touchesPeeked)] {
		if p.dirty[k].full {
			return true
		}
	}
	return false
}

// leaveOld takes the first key off the backlog if its changes waited, in a process that was suspended, for so long that what they
// made may be forgotten: then they are left to transfers.
func (m *Machine) leaveOld() bool {
	seqs := m.push.dirty[m.push.queue[0]].seqs
	if !m.anyOld(m.origin(m.self), seqs[:1]) {
		return false
	}
	m.count.BacklogDropped += uint64(len(seqs))
	m.clean()
	return true
}

// abandon takes back a frame begun for the group and not finished. Its packet number stays unused.
func (m *Machine) abandon() { m.beat.sent-- }

// loadItem fills p.item with the present state of the key.
func (m *Machine) loadItem(k record.Key) {
	it, d := &m.push.item, m.push.dirty[k]
	it.Origin, it.Key, it.Dots = m.self, k, d.seqs
	it.Kind = wire.KindState
	var known bool
	if m.push.values, known = m.table.LoadCopy(k, &it.State, m.push.values[:0]); !known {
		m.loadNothing(it)
		return
	}
	if !d.full {
		it.Kind = wire.KindTouch
	}
}

// loadNothing makes of it, whose key is not held any more, the news that there is nothing; or the floor of the key's
// database, if there is one: what the dots made may have died of that, and who covers them must not do so without.
func (m *Machine) loadNothing(it *wire.Item) {
	it.Kind = wire.KindNothing
	if _, isFloor := it.Key.IsFloor(); isFloor {
		return
	}
	if floor := record.FloorKey(it.Key.DB); m.table.Load(floor, &it.State) {
		it.Key, it.Kind = floor, wire.KindState
	}
}

// clean takes the first key off the backlog.
func (m *Machine) clean() {
	p := &m.push
	k := p.queue[0]
	p.queue = p.queue[1:]
	d := p.dirty[k]
	delete(p.dirty, k)
	d.seqs, d.full = d.seqs[:0], false
	if len(p.spare) < maxSpareDirty {
		p.spare = append(p.spare, d)
	}
}

package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// assemblies are the items on their way in fragments, out of this node and into it.
type assemblies struct {
	out    []*outgoing
	pieces int // the first of out, which complete what others hold in part
	open   map[assemblyID]*assembly
	list   []*assembly // oldest first
	held   int         // bytes of all of them
	next   time.Time
}

// outgoing is an item that leaves in fragments, as fast as the pacer lets it.
type outgoing struct {
	to     destination
	head   wire.Fragment // all but Index and Bytes
	bytes  []byte
	ranges []dots.Range // of fragment indices + 1 still to be sent
}

// A fragment's own fields get so many bytes of a frame, whatever they are, so that all who send fragments of an item
// over paths of one payload cut it in the same places.
const (
	fragmentHead    = 128
	fragmentAckFrom = 4 // nodes named in a fragment at most
)

// fragmentOut starts to send an item that fits into no frame; only, if not nil, limits it to those fragments. It
// returns how many bytes that is.
func (m *Machine) fragmentOut(it *wire.Item, to destination, again bool, only []dots.Range) int {
	encoded := m.encoder.AppendItem(nil, it)
	f := &outgoing{to: to, bytes: encoded, head: wire.Fragment{
		Origin: it.Origin, Dots: append([]uint64(nil), it.Dots...),
		ID: wire.FragmentID(encoded), Total: uint32(len(encoded)), Repair: again,
	}}
	if !again {
		f.head.AckFrom = append([]record.NodeID(nil), m.push.named[:min(len(m.push.named), fragmentAckFrom)]...)
	}
	size := m.room() - fragmentHead
	for m.encoder.FragmentRoom(&f.head, m.room()) < size && len(f.head.Dots) > 1 {
		f.head.Dots = f.head.Dots[:len(f.head.Dots)/2] // the peers ask for the later ones
	}
	f.head.Size = uint32(size)
	f.ranges = []dots.Range{{Lo: 1, Hi: uint64(f.head.Count())}}
	if only != nil {
		f.ranges = clip(only, uint64(f.head.Count()))
	}
	m.frags.enqueue(f, only != nil)
	return int(total(f.ranges)) * size
}

// enqueue adds f; pieces of an item that is there but for them go before whole items, in the order in which they were asked for.
func (a *assemblies) enqueue(f *outgoing, piece bool) {
	if !piece {
		a.out = append(a.out, f)
		return
	}
	a.out = slices.Insert(a.out, a.pieces, f)
	a.pieces++
}

// wholes is how many whole items are being sent.
func (a *assemblies) wholes() int { return len(a.out) - a.pieces }

// clip is ranges within 1 to n.
func clip(ranges []dots.Range, n uint64) (clipped []dots.Range) {
	for _, r := range ranges {
		if r.Lo <= n {
			clipped = append(clipped, dots.Range{Lo: r.Lo, Hi: min(r.Hi, n)})
		}
	}
	return clipped
}

// sendFragments sends what the pacer allows.
func (m *Machine) sendFragments() {
	for len(m.frags.out) > 0 && m.pace.ready(m.now) {
		f := m.frags.out[0]
		if m.sendFragment(f) {
			m.frags.out = m.frags.out[1:]
			m.frags.pieces = max(m.frags.pieces-1, 0)
		}
	}
}

// sendFragment sends the next fragment of f and reports whether that was the last.
func (m *Machine) sendFragment(f *outgoing) bool {
	if len(f.ranges) == 0 {
		return true
	}
	index := f.ranges[0].Lo - 1
	if f.ranges[0].Lo++; f.ranges[0].Lo > f.ranges[0].Hi {
		f.ranges = f.ranges[1:]
	}
	from := index * uint64(f.head.Size)
	f.head.Index = uint32(index)
	f.head.Bytes = f.bytes[from:min(from+uint64(f.head.Size), uint64(len(f.bytes)))]
	m.count.FragmentsOut++
	m.finish(f.to, m.encoder.AppendFragment(m.begin(wire.TypeFrag, f.to), m.stamp(), &f.head))
	return len(f.ranges) == 0
}

// assemblyID names an item in one version, whoever sends its fragments: every holder's encoding of it is the same.
type assemblyID struct {
	origin record.Ref
	id     uint64
}

// assembly is an item on its way in.
type assembly struct {
	key   assemblyID
	head  wire.Fragment
	bytes []byte
	have  dots.Set // fragment indices + 1
	from  *peer    // who sent the last fragment
	askAt time.Time
	tries int
}

// takeFragment adds a piece, and merges the item when it was the last.
func (m *Machine) takeFragment(p *peer, body []byte) error {
	f := &m.parsed.fragment
	t, err := m.decoder.Fragment(body, p.ref, f)
	if err != nil {
		return err
	}
	m.observe(p, t)
	if len(f.Dots) == 0 {
		return wire.ErrValue
	}
	m.count.FragmentsIn++
	p.fragmentAt = m.now
	o := m.origin(f.Origin)
	if o.coversAll(f.Dots) {
		m.owe(p, f.AckFrom)
		m.count.Duplicates++
		return nil
	}
	a := m.assembly(p, f)
	if a != nil {
		m.addFragment(a, p, f)
	}
	o.announced = max(o.announced, f.Dots[len(f.Dots)-1])
	if a != nil && a.have.Count() == uint64(a.head.Count()) {
		return m.completeAssembly(p, t, a)
	}
	m.checkGap(o)
	return nil
}

// assembly finds or opens the one that f belongs to; nil when there is no room for it.
func (m *Machine) assembly(p *peer, f *wire.Fragment) *assembly {
	key := assemblyID{f.Origin, f.ID}
	a := m.frags.open[key]
	if a != nil && (a.head.Total != f.Total || a.head.Size != f.Size) {
		m.dropAssembly(a) // of another path's size; start over
		a = nil
	}
	if a != nil {
		a.head.Dots = mergeSeqs(a.head.Dots, f.Dots)
		return a
	}
	for len(m.frags.list) > 0 && (len(m.frags.list) >= maxAssemblies || m.frags.held+int(f.Total) > maxAssembly) {
		m.dropAssembly(m.frags.list[0])
		m.count.FragmentDrops++
	}
	if int(f.Total) > maxAssembly {
		m.count.FragmentDrops++
		return nil
	}
	a = &assembly{key: key, head: *f, bytes: make([]byte, f.Total), from: p}
	a.head.Dots = append([]uint64(nil), f.Dots...)
	a.head.AckFrom, a.head.Bytes = nil, nil
	m.frags.open[key] = a
	m.frags.list = append(m.frags.list, a)
	m.frags.held += int(f.Total)
	return a
}

// mergeSeqs joins two ascending lists; the first is mostly all there is.
func mergeSeqs(a, b []uint64) []uint64 {
	var s dots.Set
	for _, seq := range a {
		s.Add(seq)
	}
	grown := false
	for _, seq := range b {
		grown = s.Add(seq) || grown
	}
	if !grown || s.Count() > wire.MaxItemDots {
		return a
	}
	a = a[:0]
	for _, r := range s.Ranges() {
		for seq := r.Lo; seq <= r.Hi; seq++ {
			a = append(a, seq)
		}
	}
	return a
}

func (m *Machine) addFragment(a *assembly, p *peer, f *wire.Fragment) {
	if !a.have.Add(uint64(f.Index) + 1) {
		m.count.Duplicates++
		return
	}
	copy(a.bytes[uint64(f.Index)*uint64(f.Size):], f.Bytes)
	a.from, a.tries = p, 0
	// The next may be just behind; a hole, or silence after the last one seen, is asked for.
	wait := nackRetryMin
	if !a.have.IsPrefix() {
		wait = nackJitterMax
	}
	a.askAt = m.jitter(wait, wait+nackJitterMax)
	if m.frags.next.IsZero() || a.askAt.Before(m.frags.next) {
		m.frags.next = a.askAt
	}
}

func (m *Machine) dropAssembly(a *assembly) {
	delete(m.frags.open, a.key)
	m.frags.held -= len(a.bytes)
	for i, b := range m.frags.list {
		if a == b {
			m.frags.list = append(m.frags.list[:i], m.frags.list[i+1:]...)
			break
		}
	}
	m.checkGap(m.origin(a.key.origin))
}

// completeAssembly merges the item.
func (m *Machine) completeAssembly(p *peer, t hlc.Stamp, a *assembly) error {
	var it wire.Item
	err := m.decoder.ParseItem(a.bytes, &it)
	it.Origin, it.Dots = a.key.origin, a.head.Dots
	m.dropAssembly(a)
	if err != nil {
		return err
	}
	p.ack.due = p.ack.due || it.Origin == p.ref
	m.takeItem(p, t, &it)
	return nil
}

// exclude appends r to ranges, without the dots that are arriving in fragments.
func (f *assemblies) exclude(ref record.Ref, r dots.Range, ranges []dots.Range) []dots.Range {
	for _, a := range f.list {
		if a.key.origin != ref {
			continue
		}
		for _, seq := range a.head.Dots {
			if seq < r.Lo || seq > r.Hi {
				continue
			}
			if seq > r.Lo {
				ranges = append(ranges, dots.Range{Lo: r.Lo, Hi: seq - 1})
			}
			if r.Lo = seq + 1; r.Lo > r.Hi {
				return ranges
			}
		}
	}
	return append(ranges, r)
}

// pollAssemblies asks for the fragments that are missing, of who sent the others, then of any holder; one that makes
// no progress is given up, and its dots are asked for whole.
func (m *Machine) pollAssemblies() {
	if !m.due(m.frags.next) {
		return
	}
	var next deadline
	for _, a := range append([]*assembly(nil), m.frags.list...) {
		if m.origin(a.key.origin).coversAll(a.head.Dots) { // a later version came first
			m.dropAssembly(a)
			continue
		}
		if m.due(a.askAt) {
			if m.hopeless(a) {
				m.count.FragmentDrops++
				m.dropAssembly(a)
				continue
			}
			m.askForFragments(a)
		}
		next.add(a.askAt)
	}
	m.frags.next = next.at
}

// hopeless reports whether a was asked for often enough in vain. While its sender sends fragments at all, those of a may wait
// behind them for as long as its pace takes.
func (m *Machine) hopeless(a *assembly) bool {
	return a.tries >= assemblyTries && m.now.Sub(a.from.fragmentAt) > assemblyStall
}

func (m *Machine) askForFragments(a *assembly) {
	a.askAt = m.nackRetry(a.tries)
	a.tries++
	to := a.from
	if a.tries > nackOriginMax || !to.live() {
		if h := m.holder(m.origin(a.key.origin)); h != nil {
			to = h
		}
	}
	missing := a.have.Missing(uint64(a.head.Count()), nackRanges)
	n := wire.Nack{Frags: []wire.FragWant{{
		Origin: a.key.origin, Seq: m.latestMissing(a), ID: a.key.id, Ranges: missing,
	}}}
	m.count.NacksOut++
	frame, _, _ := m.encoder.AppendNack(m.begin(wire.TypeNack, to.dest()), m.stamp(), &n, m.room())
	m.finish(to.dest(), frame)
}

// latestMissing is by which dot to ask for a: where its key has changed meanwhile the dot's new state comes instead, which has to be news.
func (m *Machine) latestMissing(a *assembly) uint64 {
	o, seqs := m.origin(a.key.origin), a.head.Dots
	for i := len(seqs) - 1; i > 0; i-- {
		if !o.held.Contains(seqs[i]) {
			return seqs[i]
		}
	}
	return seqs[0]
}

// resendFragments sends the asked fragments, if the key's state is still the one they are of; else its new state.
func (m *Machine) resendFragments(p *peer, w *wire.FragWant) {
	o := m.lookup(w.Origin)
	if o == nil || !o.held.Contains(w.Seq) || m.resending(p, w) {
		return
	}
	k, _, known := m.table.LogKey(w.Origin, w.Seq)
	var it wire.Item
	it.Origin, it.Dots, it.Kind, it.Key = w.Origin, []uint64{w.Seq}, wire.KindState, k
	if !known || m.anyOld(o, it.Dots) || !m.table.Load(k, &it.State) ||
		wire.FragmentID(m.encoder.AppendItem(nil, &it)) != w.ID {
		m.collect(p, o, []dots.Range{{Lo: w.Seq, Hi: w.Seq}})
		return
	}
	if m.frags.pieces >= maxPieces { // the whole would cost more: it is asked for the pieces again
		m.count.RepairDenied++
		return
	}
	m.fragmentOut(&it, p.dest(), true, w.Ranges)
}

// resending reports whether fragments of the same version are on their way to p already.
func (m *Machine) resending(p *peer, w *wire.FragWant) bool {
	for _, f := range m.frags.out {
		if f.head.ID == w.ID && (f.to == group || f.to == p.dest()) {
			return true
		}
	}
	return false
}

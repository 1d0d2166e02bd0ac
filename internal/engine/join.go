package engine

import (
	"slices"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// join brings this node to what the others know, at its start and whenever it fell too far behind. Changes that
// arrive meanwhile are merged from the first moment; the transfer and they commute.
type join struct {
	state   wire.MemberState // Joining or Synced
	solo    bool             // synced for want of anyone to ask
	started time.Time
	hellos  int
	helloAt time.Time

	fetch   *fetch
	lastID  uint64
	retryAt time.Time
	wait    time.Duration
	noRoom  bool // what the wait is for: not a donor, but room
	voices  voices
}

// fetch is a transfer under way.
type fetch struct {
	id      uint64
	donor   *peer
	cursor  uint64
	compare bool
	started bool                  // this donor's offer came
	claim   []wire.Vector         // what every donor so far held at its start
	judged  bool                  // the first donor made up for old dots: absence counts
	old     map[record.Ref]uint64 // of what is judged: up to where dots were old as it began
	absence *Absence              // of the present donor
	donors  int
	tried   []*peer
	issued  bool // handed out by Poll
}

// blind reports whether this node knows nothing yet and nobody tells it: it asks for no repairs.
func (j *join) blind() bool {
	return j.state == wire.Joining && j.fetch == nil && j.voices.donor == nil
}

// gives reports whether a joiner gets the state from p at this moment.
func (j *join) gives(p *peer) bool {
	return j.state == wire.Joining && j.fetch != nil && j.fetch.started && j.fetch.donor == p
}

// donorCame ends the wait after failed transfers: whoever failed then may be there again.
func (j *join) donorCame() {
	if !j.noRoom {
		j.retryAt, j.wait = time.Time{}, 0
	}
}

func (j *join) helloNow(now time.Time) { j.hellos, j.helloAt = 0, now }

func (j *join) deadline() time.Time {
	var d deadline
	d.add(j.helloAt)
	if j.fetch != nil && !j.fetch.issued {
		d.add(j.started)
	}
	switch {
	case j.state != wire.Joining || j.fetch != nil:
	case j.voices.donor != nil:
		d.add(j.voices.until)
	case !j.retryAt.IsZero(): // until then neither another donor nor being alone is considered
		d.add(j.retryAt)
	default:
		d.add(j.started.Add(joinWait))
	}
	return d.at
}

func (m *Machine) pollJoin() {
	j := &m.join
	if j.started.IsZero() {
		j.started, j.helloAt = m.now, m.now
		m.event(Event{Kind: EventJoining})
	}
	if m.due(j.helloAt) {
		m.sendHello()
	}
	if j.state != wire.Joining || j.fetch != nil || m.pollVoices() || m.now.Before(j.retryAt) {
		return
	}
	j.retryAt = time.Time{}
	alone := m.now.Sub(j.started) >= joinWait
	if donor := m.donor(nil); donor != nil && (donor.roomy() || alone) { // one that lacks some waits for others to greet
		m.startFetch(&fetch{donor: donor, compare: m.table.Bytes() > 0})
	} else if alone {
		m.goAlone()
	}
}

// goAlone makes a node synced that nobody can give anything, unless who may is merely silent, was heard a moment ago, has not said yet
// whether it can, or is heard and cannot be proven; or there is nobody yet who could be asked where the others are.
func (m *Machine) goAlone() {
	j := &m.join
	m.noteHeard()
	if m.justHeard() || m.mayComeBack() || m.beside() || m.mayBeElsewhere() {
		j.retryAt = m.now.Add(fetchRetryMin)
		return
	}
	if m.members.anyUntold() {
		j.helloNow(m.now) // its greeting was lost
		j.retryAt = m.now.Add(fetchRetryMin)
		return
	}
	j.solo = true
	m.becomeSynced(Member{})
	m.settleOwed(true)
}

// sendHello calls, at first quickly, then slowly for as long as nobody is there or nobody was synced.
func (m *Machine) sendHello() {
	j := &m.join
	m.finish(group, m.encoder.AppendHello(m.begin(wire.TypeHello, group), m.stamp(),
		&wire.Hello{Name: m.cfg.Name, State: m.State()}))
	j.hellos++
	switch {
	case j.hellos < len(helloAt):
		j.helloAt = m.now.Add(helloAt[j.hellos] - helloAt[j.hellos-1])
	case j.solo || j.state == wire.Joining || m.Peers() == 0:
		j.helloAt = m.jitter(helloSteady-steadyJitter, helloSteady+steadyJitter)
	default:
		j.helloAt = time.Time{}
	}
}

// takeHello answers a call: at once when synced and nothing found no room, later otherwise, so that the fastest greeting is of use.
func (m *Machine) takeHello(p *peer, body []byte) error {
	var h wire.Hello
	t, err := m.decoder.Hello(body, p.ref, &h)
	if err != nil {
		return err
	}
	m.observe(p, t)
	p.name = rename(p.name, h.Name)
	m.setSaid(p, h.State)
	m.scheduleGreet(p)
	return nil
}

// scheduleGreet owes p a greeting; several calls in a row cost one.
func (m *Machine) scheduleGreet(p *peer) {
	at := m.now
	if m.State() != wire.Synced || m.full.lacks() {
		at = m.now.Add(greetBusy)
	}
	if p.greetAt.IsZero() || at.Before(p.greetAt) {
		p.greetAt = at
	}
	m.wakeMembers()
}

func (m *Machine) greet(p *peer) {
	p.greetAt = time.Time{}
	var held uint64
	for _, o := range m.known {
		if o != nil {
			held += o.held.Count()
		}
	}
	m.finish(p.dest(), m.encoder.AppendGreet(m.begin(wire.TypeGreet, p.dest()), m.stamp(), &wire.Greet{
		Name: m.cfg.Name, State: m.State(), Sessions: uint64(m.table.Stats().Sessions), Bytes: uint64(m.table.Bytes()), Dots: held,
		FullPct: m.fullness(), Peers: m.introductions(p),
	}))
}

func (m *Machine) takeGreet(p *peer, body []byte) error {
	var g wire.Greet
	t, err := m.decoder.Greet(body, p.ref, &g)
	if err != nil {
		return err
	}
	m.observe(p, t)
	p.name, p.sessions, p.bytes, p.fullPct = rename(p.name, g.Name), g.Sessions, g.Bytes, int(g.FullPct)
	m.setSaid(p, g.State)
	m.takeIntroductions(g.Peers)
	return nil
}

// donor is the first synced peer in the order of their proof, which is the order of their answers; if there is no other, one that
// is about to leave, and then one so full that it may lack what found no room there.
func (m *Machine) donor(tried []*peer) *peer {
	var full, leaving *peer
	for _, p := range m.members.list {
		switch {
		case slices.Contains(tried, p):
		case p.state == wire.Synced && p.roomy():
			return p
		case p.state == wire.Synced && full == nil:
			full = p
		case p.state == wire.Leaving && leaving == nil:
			leaving = p
		}
	}
	if leaving != nil {
		return leaving
	}
	return full
}

// pullFrom catches up by a transfer of what differs; not before this node, which has all from its donor, knows what time it is.
func (m *Machine) pullFrom(p *peer) {
	if m.join.fetch != nil || m.join.voices.donor != nil || m.now.Before(m.join.retryAt) || !p.synced() {
		return
	}
	m.startFetch(&fetch{donor: p, compare: true})
}

// startFetch begins a transfer, or goes on with one from another donor. Poll hands it out.
func (m *Machine) startFetch(f *fetch) {
	m.join.lastID++
	f.id, f.started, f.issued = m.join.lastID, false, false
	f.tried = append(f.tried, f.donor)
	m.join.fetch = f
	m.count.FetchesStarted++
	for _, o := range m.known {
		if o != nil && o.ref != m.self {
			o.fetchTo = o.announced
		}
	}
}

// issueFetch hands out the transfer that this Poll, or a Step before it, decided on.
func (m *Machine) issueFetch() {
	f := m.join.fetch
	if f == nil || f.issued {
		return
	}
	f.issued = true
	m.out.Fetches = append(m.out.Fetches, Fetch{
		ID: f.id, Donor: f.donor.origin, To: f.donor.addr, Cursor: f.cursor, Compare: f.compare,
	})
}

func (m *Machine) takeOffer(in FetchStarted) {
	f := m.join.fetch
	if f == nil || f.id != in.ID || f.started {
		return
	}
	m.adoptMarks(in.Marks)
	m.noteOffer(f.donor, in.Offer)
	if f.donors == 0 {
		f.judged = m.makesUp(in.Offer)
		if f.judged && f.compare { // only who sends all shows what it lacks
			f.compare = false
			m.startFetch(f)
			return
		}
	}
	f.started = true
	if m.join.state == wire.Joining {
		m.event(Event{Kind: EventFetching, Member: m.describe(f.donor), Addr: f.donor.addr})
	}
	f.absence = m.newAbsence(in.Offer, f.judged)
	if f.donors++; f.donors == 1 {
		f.claim = in.Offer
		if f.judged {
			f.old = m.oldIn(in.Offer)
		}
		return
	}
	f.claim = common(f.claim, in.Offer)
}

// common is what two donors both held: parts of the state came from each, so no more is known to be complete.
func common(a, b []wire.Vector) []wire.Vector {
	both := a[:0]
	for _, v := range a {
		for i := range b {
			if b[i].Origin == v.Origin {
				v.Set.Intersect(&b[i].Set)
				both = append(both, v)
				break
			}
		}
	}
	return both
}

func (m *Machine) takeProgress(in FetchProgress) {
	if f := m.join.fetch; f != nil && f.id == in.ID {
		f.cursor = max(f.cursor, in.Cursor)
	}
}

// takeFetchDone covers what the donors held, or goes on with the next donor from where the last one ended.
func (m *Machine) takeFetchDone(in FetchDone) {
	j := &m.join
	f := j.fetch
	if f == nil || f.id != in.ID {
		return
	}
	j.fetch = nil
	m.tellDropped(f, in.Dropped)
	if in.Err == nil && !in.NoRoom && f.started {
		m.completeFetch(f)
		return
	}
	m.count.FetchesFailed++
	m.noteBroken(f)
	if in.NoRoom {
		m.refused()
	}
	if f.donor = m.donor(f.tried); f.donor != nil && !in.NoRoom {
		m.startFetch(f)
		return
	}
	m.endFetch()
	j.noRoom = in.NoRoom
	j.wait = min(max(2*j.wait, fetchRetryMin), fetchRetryMax)
	j.retryAt = m.now.Add(j.wait)
}

// tellDropped tells of sessions that ended elsewhere. A large one may be on its way out in fragments, which are not what is held
// any more.
func (m *Machine) tellDropped(f *fetch, dropped int) {
	if dropped == 0 {
		return
	}
	m.frags.out = nil
	m.count.EndedElsewhere += uint64(dropped)
	m.event(Event{Kind: EventEnded, Member: m.describe(f.donor), Addr: f.donor.addr, Sessions: dropped})
}

// completeFetch covers the dots that came with the transfer; what is missing still is asked for one by one.
func (m *Machine) completeFetch(f *fetch) {
	m.withoutOld(f.claim, f.old)
	for i := range f.claim {
		v := &f.claim[i]
		if v.Origin == m.self {
			continue
		}
		o := m.origin(v.Origin)
		o.held.Union(&v.Set)
		o.announced = max(o.announced, o.held.Max())
		o.tries = 0
	}
	m.join.wait, m.join.retryAt = 0, time.Time{}
	m.endFetch()
	m.join.solo = false
	if m.join.state == wire.Joining && !m.awaitVoices(f.donor) {
		m.settleJoin(f.donor)
	}
	m.beat.fullNow(m.now)
}

// settleJoin makes a node synced that has what donor gave last.
func (m *Machine) settleJoin(donor *peer) {
	m.becomeSynced(m.describe(donor))
	m.settleOwed(false)
	m.joinedFrom(donor)
}

func (m *Machine) endFetch() {
	for _, o := range m.known {
		if o != nil {
			o.fetchTo = 0
			m.checkGap(o)
		}
	}
}

// becomeSynced by what donor gave last; the zero Member for who found itself alone.
func (m *Machine) becomeSynced(donor Member) {
	m.join.state = wire.Synced
	m.event(Event{Kind: EventSynced, Member: donor, Addr: donor.Addr})
	m.beat.fullNow(m.now)
	for _, o := range m.known {
		if o != nil {
			m.checkGap(o)
		}
	}
}

// rejoinDots is how many dots a node that found itself alone must lack of what a peer holds to count as joining again;
// fewer are repaired one by one, in milliseconds.
const rejoinDots = 256

// considerRejoin makes a node that synced itself alone join again when it meets one that knows much more.
func (m *Machine) considerRejoin(p *peer) {
	if !m.join.solo || m.join.state != wire.Synced || p.state != wire.Synced || m.join.fetch != nil {
		return
	}
	var lacks, theirs, ours uint64
	for _, o := range m.known {
		if o == nil {
			continue
		}
		ours += o.held.Count()
		lacks += o.missing()
		if set := p.holds[o.ref]; set != nil {
			theirs += set.Count()
		} else if o.ref == p.ref {
			theirs += o.announced
		}
	}
	if lacks < rejoinDots || theirs <= ours {
		return
	}
	m.join.state, m.join.started = wire.Joining, m.now
	m.event(Event{Kind: EventJoining})
	m.beat.fullNow(m.now)
	m.startFetch(&fetch{donor: p, compare: true})
}

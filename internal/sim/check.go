package sim

import (
	"fmt"
	"time"

	"github.com/sessioncast/sessioncast/internal/dots"
	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// watcher is what one incarnation of a node was seen to hold: what it may not forget.
type watcher struct {
	stale bool          // the table may have changed since the last look
	taken uint64        // frames that may change a table, at the last look
	at    time.Duration // of the last look
	keys  map[record.Key]*seen
	state record.State // scratch

	wentBy   int64                       // the latest time that the node was seen to go by,
	forgotBy int64                       // and by which it might forget, its clock within the limit: as for what has gone, it stays so when the clock is set back
	donated  [record.Databases]hlc.Stamp // floors of this life's donors
	crowded  uint64                      // births crowded out by others of their key, at the last look
}

// seen is the most that a node was seen to know of a key.
type seen struct {
	tomb     hlc.Stamp
	hold     hlc.Stamp
	held     hlc.Stamp                    // the tombstone at the last look, which may be an earlier one that came when tomb was collected
	until    int64                        // of held
	stranger map[record.Version]bool      // births, in the observer's terms, that a collected tombstone never met: nil while tomb is held
	births   map[record.Version]seenBirth // in the node's own terms
	touchDue int64                        // of a change of the deadline that this node acknowledged
	touchAt  record.Version               // its stamp; a later register overrides it
	wroteAt  hlc.Stamp                    // the latest that the last operation of a user here may be stamped
	touched  record.Version               // the birth that lived then; its death ends it
	ended    ending                       // the latest end that was seen here
}

type seenBirth struct {
	value, deadline record.Version
	latest          int64
}

// lookEvery is how often what only time changes is looked at.
const lookEvery = 50 * time.Millisecond

func (c *watcher) reset() {
	*c = watcher{keys: make(map[record.Key]*seen)}
}

func (c *watcher) of(k record.Key) *seen {
	s := c.keys[k]
	if s == nil {
		s = &seen{births: make(map[record.Version]seenBirth)}
		c.keys[k] = s
	}
	return s
}

// check looks at a node after a step: at everything when its table changed, and now and then because time passed.
func (n *Node) check() {
	w := n.world
	if !n.up || w.err != nil {
		return
	}
	if n.machine.Cloned() {
		w.fail("clone", "node %d takes something for a clone's, and has none", n.id)
		return
	}
	n.noteOwn()
	n.watch.wentBy = max(n.watch.wentBy, n.clusterMillis())
	if !n.wasFar {
		n.watch.forgotBy = max(n.watch.forgotBy, n.forgetMillis())
	}
	c := n.machine.Counters()
	if c.SealRefused > 0 {
		w.fail("frames", "node %d could not seal a frame of its own", n.id)
		return
	}
	taken := c.DataIn + c.RepairsIn + c.FragmentsIn
	if !n.watch.stale && taken == n.watch.taken && w.now < n.watch.at+lookEvery {
		return
	}
	n.watch.stale, n.watch.taken, n.watch.at = false, taken, w.now
	w.stats.Checks++
	n.checkSizes()
	n.checkMemory()
	for _, k := range w.ledger.keys {
		n.checkKey(k)
	}
	n.watch.crowded = n.table.Stats().Crowded
}

// checkKey holds what the node has of a key against what it had and what was ever done.
func (n *Node) checkKey(k record.Key) {
	s := &n.watch.state
	if !n.table.Load(k, s) {
		*s = record.State{Births: s.Births[:0]}
	}
	h, was := n.world.ledger.of(k), n.watch.of(k)
	if s.IsEmpty() && was.tomb == 0 && len(was.births) == 0 {
		return
	}
	if n.other != isOther(k) && !s.IsEmpty() {
		n.broken("promise 7", k, "holds a session of the other cluster")
		return
	}
	n.checkTomb(k, s, h, was)
	for i := range s.Births {
		n.checkBirth(k, s, &s.Births[i], h, was)
	}
	n.checkForgotten(k, s, was)
	n.checkVisible(k, s, was)
}

func (n *Node) broken(promise string, k record.Key, format string, args ...any) {
	n.world.fail(promise, "%s, key %q: %s; it holds %s", nodeName(n.id), k.Name, fmt.Sprintf(format, args...), n.describe(k))
}

func (n *Node) checkTomb(k record.Key, s *record.State, h *history, was *seen) {
	if s.Tomb.At < was.held && n.forgetMillis() < was.until {
		n.broken("promise 3", k, "forgets tombstone %v, kept until %d", was.held, was.until)
	}
	switch {
	case s.Tomb.At > was.tomb:
		was.stranger = nil
	case s.Tomb.At < was.held:
		n.noteStrangers(h, was)
	}
	if t := s.Tomb.At; t != 0 && t != was.held && !h.hasTomb(t) {
		n.broken("promise 8", k, "has a tombstone %v that nobody made", t)
	}
	if s.Tomb.At < was.held {
		was.until = 0 // collected in time; a clock that jumps back afterwards makes no difference
	}
	was.held = s.Tomb.At
	if s.Tomb.At != 0 {
		was.tomb = max(was.tomb, s.Tomb.At)
		was.hold = max(was.hold, s.Tomb.Hold)
		was.until = max(was.until, s.Tomb.Until)
	}
}

// noteStrangers: what was created before the tombstone that is collected now, and elsewhere, and was not heard of here, lives on where it
// does, if the tombstone is not remembered: a known limit. What was covered here by then has ended.
func (n *Node) noteStrangers(h *history, was *seen) {
	if n.table.Stats().TombsDropped == 0 { // each is remembered
		return
	}
	highest := was.held == was.tomb
	if was.stranger == nil {
		was.stranger = make(map[record.Version]bool)
	}
	held := n.held()
	for id, fact := range h.births {
		if set := held[id.By]; set == nil || !set.Contains(fact.seq) {
			was.stranger[id] = was.stranger[id] || highest
		} else if id.At <= was.held {
			delete(was.stranger, id)
		}
	}
}

// checkBirth is promise 3, and that nothing is made up.
func (n *Node) checkBirth(k record.Key, s *record.State, b *record.Birth, h *history, was *seen) {
	id := n.global(b.ID)
	fact, known := h.births[id]
	switch {
	case !known:
		n.broken("promise 8", k, "has a birth %v that nobody made", b.ID)
	case fact.weak != b.Weak || fact.seq != b.Seq:
		n.broken("promise 8", k, "has birth %v with marks that it was not made with", b.ID)
	case b.ID.At <= s.Tomb.At:
		n.broken("promise 3", k, "birth %v lives under tombstone %v, which is held", b.ID, s.Tomb.At)
	case b.ID.At <= was.tomb && !was.stranger[id] && !h.astray[id]:
		n.broken("promise 3", k, "birth %v lives under tombstone %v", b.ID, was.tomb)
	case b.Weak && b.ID.At <= was.hold && !was.stranger[id] && !h.astray[id]:
		n.broken("promise 3", k, "weak birth %v lives under the hold %v", b.ID, was.hold)
	case b.ID.At <= n.floorSeen(k.DB):
		if v, ok := n.table.Get(n.wall(), k); ok && v.Birth.At <= n.floorSeen(k.DB) {
			n.broken("promise 3", k, "birth %v is visible under its database's floor", b.ID)
		}
	}
	if what := n.unwritten(id, &b.Value, h); what != "" {
		n.broken("promise 8", k, "has %s", what)
	}
	had := was.births[b.ID]
	if n.origins.Later(had.value, b.Value.Version) || n.origins.Later(had.deadline, b.Deadline.Version) || had.latest > b.Latest {
		n.broken("promise 2", k, "a register of birth %v went back", b.ID)
	}
	was.births[b.ID] = seenBirth{b.Value.Version, b.Deadline.Version, b.Latest}
}

// floorSeen is the highest floor that this node was seen to hold.
func (n *Node) floorSeen(db uint8) hlc.Stamp {
	if s := n.watch.keys[record.FloorKey(db)]; s != nil {
		return s.tomb
	}
	return 0
}

// checkForgotten: a birth goes for one of five reasons only; or since it went elsewhere, for one of them, so long ago that no
// tombstone tells of it.
func (n *Node) checkForgotten(k record.Key, s *record.State, was *seen) {
	if len(was.births) == len(s.Births) {
		return
	}
	n.noteEnd(k, s, was)
	for id, had := range was.births {
		if holdsBirth(s, id) {
			continue
		}
		floor := n.floorSeen(k.DB)
		h, now := n.world.ledger.of(k), n.forgetMillis()
		switch {
		case had.latest+2*maxSkew.Milliseconds() <= now:
			h.expired[n.global(id)] = true
			delete(was.births, id)
		case n.crowdedOut(h, id):
			h.crowded[n.global(id)] = true
			delete(was.births, id)
		case id.At <= max(was.tomb, was.hold, floor), crowded(s), h.collected(id.At, now), n.expiredElsewhere(h, id),
			n.flushedElsewhere(k, id):
			delete(was.births, id)
		default:
			n.broken("promise 2", k, "forgets birth %v, promised until %d, at %d", id, had.latest, n.clusterMillis())
			return
		}
	}
}

// expiredElsewhere reports whether some node forgot an old birth at its end: after a long separation that is an end for all.
func (n *Node) expiredElsewhere(h *history, id record.Version) bool {
	return h.expired[n.global(id)] && id.At.Millis()+n.table.Keep().Milliseconds() <= n.clusterMillis()
}

// flushedElsewhere reports whether an old birth lies under a floor of its database that a donor held as it sent a part of a transfer. The
// birth may be judged absent before this node holds that floor, which comes with a later bucket. (A tombstone comes with its key, and is
// merged first.)
func (n *Node) flushedElsewhere(k record.Key, id record.Version) bool {
	_, floor := k.IsFloor()
	return !floor && id.At.Millis()+n.table.Keep().Milliseconds() <= n.clusterMillis() && id.At <= n.watch.donated[k.DB]
}

// noteDonated remembers the floors of who sends a part of a transfer.
func (n *Node) noteDonated(donor *Node) {
	var s record.State
	for db := range uint8(record.Databases) {
		if donor.table.Load(record.FloorKey(db), &s) {
			n.watch.donated[db] = max(n.watch.donated[db], s.Tomb.At)
		}
	}
}

func holdsBirth(s *record.State, id record.Version) bool {
	for i := range s.Births {
		if s.Births[i].ID == id {
			return true
		}
	}
	return false
}

func crowded(s *record.State) bool { return len(s.Births) >= record.MaxBirths }

// crowdedOut reports whether births were crowded out here since the last look, and id had as many later ones of its kind beside it as that takes. Those may
// have gone since.
func (n *Node) crowdedOut(h *history, id record.Version) bool {
	if n.table.Stats().Crowded == n.watch.crowded {
		return false
	}
	id = n.global(id)
	later := 0
	for other, fact := range h.births {
		if fact.weak == h.births[id].weak && n.world.origins.Later(other, id) {
			later++
		}
	}
	return later >= record.MaxBirths
}

// checkVisible is promise 5: nothing is hidden before what was promised, by the node's own clock as well, however far a
// fast peer has moved the cluster's time; nor shown long after.
func (n *Node) checkVisible(k record.Key, s *record.State, was *seen) {
	if _, floor := k.IsFloor(); floor {
		return
	}
	if n.strange() {
		return
	}
	view, visible := n.table.Get(n.wall(), k)
	value, d := s.Winner(n.origins, n.floorSeen(k.DB))
	now := n.clusterMillis()
	switch {
	case d == nil && visible:
		n.broken("promise 3", k, "shows a session that it does not hold")
		return
	case d == nil:
		return
	case !visible && (d.Deadline.Due == 0 || n.wall() < d.Deadline.Promise):
		n.broken("promise 5", k, "hidden at %d", n.wall())
	case visible && d.Deadline.Due != 0 && now >= d.Deadline.Promise+maxSkew.Milliseconds():
		n.broken("promise 5", k, "visible at %d", now)
	case visible && d.Deadline.Due != 0 && n.readsClocks() && now >= d.Deadline.Promise+max(n.trueSkew(), now-n.wall()):
		n.broken("promise 5", k, "visible at %d, and the clocks are %d ms apart", now, n.trueSkew())
	case visible && view.Version != value.Value.Version:
		n.broken("promise 1", k, "a read gives another value than the latest")
	}
	if visible {
		n.checkEnded(k, &d.Deadline, was)
	}
	was.forgetTouch(n.origins.Later(d.Deadline.Version, was.touchAt) || !holdsBirth(s, was.touched))
	if !visible && n.wall() < was.touchDue && !n.leaving {
		n.broken("promise 5", k, "hidden at %d, and a touch was acknowledged until %d", n.wall(), was.touchDue)
	}
}

// takeGarbage delivers what nobody with the key has made: promise 8, it moves counters and nothing else.
func (n *Node) takeGarbage(p *packet) {
	vectorSum(n) // takes in what was written, if the machine has not been told yet
	if n.settle(); !n.runs() {
		return
	}
	root, members, offer := n.root(), len(n.machine.Members(n.time())), vectorSum(n)
	n.machine.Step(n.time(), engine.Datagram{Data: p.data, From: p.from, Multicast: p.multicast})
	if n.root() != root || len(n.machine.Members(n.time())) != members || vectorSum(n) != offer {
		n.world.fail("promise 8", "%s is changed by garbage", nodeName(n.id))
	}
	frames := n.machine.Counters().FramesOut
	n.settle()
	if now := n.machine.Counters().FramesOut; now != frames {
		n.world.fail("promise 7", "%s sends %d frames because of garbage", nodeName(n.id), now-frames)
	}
}

// settle polls until nothing is due at this moment.
func (n *Node) settle() {
	for n.poll(); n.runs() && n.world.err == nil; n.poll() {
		if d := n.machine.Deadline(); d.IsZero() || d.After(n.time()) {
			return
		}
	}
}

// vectorSum is a number that changes with what the node holds.
func vectorSum(n *Node) (sum uint64) {
	for _, v := range n.machine.Offer() {
		sum += n.origins.Hash(v.Origin) ^ v.Set.Hash()
	}
	return sum
}

// checkDots: whoever covers a dot holds what it stands for. Without this acknowledgements, repairs and transfers say
// more than is true, and the last copy of a write may be believed to be one of many.
func (n *Node) checkDots() {
	w := n.world
	if !n.up || w.err != nil {
		return
	}
	held := n.held()
	for i := range w.ledger.dots {
		d := &w.ledger.dots[i]
		if set := held[d.origin]; set != nil && set.Contains(d.seq) && !n.includes(d.key, &d.made) {
			n.broken("dots", d.key, "covers dot %d of %s without %s", d.seq, w.originName(d.origin), w.describeGlobal(&d.made))
			return
		}
	}
}

// checkMembers: nobody becomes a member but who was started with the cluster's key, whatever is forged or replayed.
func (n *Node) checkMembers() {
	if !n.up {
		return
	}
	for _, m := range n.machine.Members(n.time()) {
		if started, ok := n.world.started[m.Origin]; !ok || started.other != n.other {
			n.world.fail("promise 7", "%s has a member that is none: %s", nodeName(n.id), m.Name)
		}
	}
}

// held is what the node holds of each origin, in the observer's terms.
func (n *Node) held() map[record.Ref]*dots.Set {
	held := make(map[record.Ref]*dots.Set)
	offer := n.machine.Offer()
	for i := range offer {
		held[n.globalRef(offer[i].Origin)] = &offer[i].Set
	}
	return held
}

// checkSizes is promise 8: nothing that others can make grow exceeds its limit.
func (n *Node) checkSizes() {
	for _, s := range n.machine.Sizes() {
		if s.N > s.Most {
			n.world.fail("promise 8", "%s holds %d %s, the limit is %d", nodeName(n.id), s.N, s.What, s.Most)
		}
	}
}

// tombSlack is more than a tombstone, which is taken however full a node is, or one's growth by a touch, may cost.
const tombSlack = 192

// checkMemory is promise 8 for sessions: others' are taken to 110 % of the limit, and nothing but tombstones beyond.
func (n *Node) checkMemory() {
	limit := n.world.opts.MaxBytes
	if s := n.table.Stats(); limit > 0 && s.Bytes > limit*11/10+tombSlack*(1+s.Tombstones+s.Sessions+s.Hidden) {
		n.world.fail("promise 8", "%s holds %d bytes, %d tombstones, %d sessions, %d hidden; the limit is %d",
			nodeName(n.id), s.Bytes, s.Tombstones, s.Sessions, s.Hidden, limit)
	}
}

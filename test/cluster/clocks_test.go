package cluster

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessioncast/sessioncast/internal/clocktest"
	"github.com/sessioncast/sessioncast/internal/keeper"
	"github.com/sessioncast/sessioncast/internal/node"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// What the clocks of hosts do to sessions. Time passes in these bodies, so that the longest run in virtual time only.
var clocks = []body{
	{name: "two clocks five seconds apart", run: func(b *testbed) { apart(b, 0, nearLimit) }, once: true},
	{name: "three clocks five seconds apart", run: func(b *testbed) { apart(b, nearLimit, 0, nearLimit/2) }, once: true},
	{name: "one clock jumps an hour forward and back", run: func(b *testbed) { oneJumps(b, time.Hour) }, once: true},
	{name: "one clock jumps an hour back and forward", run: func(b *testbed) { oneJumps(b, -time.Hour) }, once: true},
	{name: "all clocks jump an hour forward", run: allForward, once: true},
	{name: "all clocks jump an hour back", run: allBack, once: true},
	{name: "two of three clocks jump an hour back", run: twoBack, once: true},
	{name: "a node comes with a clock a day ahead", run: func(b *testbed) { dayAhead(b, 2) }, once: true},
	{name: "the second node comes with a clock a day ahead", run: func(b *testbed) { dayAhead(b, 1) }, once: true},
	{name: "a node comes with a clock a day behind", run: dayBehind, once: true},
	{name: "clocks drift apart", run: drift, once: true, long: true},
	{name: "clocks are corrected by slewing", run: slewed, once: true, long: true},
}

const (
	clockLimit = 5 * time.Second // the allowed skew
	nearLimit  = clockLimit - 100*time.Millisecond

	settles = 10 * time.Second // until peers have confirmed a clock, or not
)

// clocked starts a node on each of these clocks.
func (b *testbed) clocked(clocks ...*clocktest.Clock) []*member {
	b.Helper()
	list := specs(len(clocks))
	for i, c := range clocks {
		list[i].change = on(c)
	}
	return b.start(list...)
}

func on(c *clocktest.Clock) func(*node.Config) {
	return func(cfg *node.Config) { cfg.Now = c.Now }
}

func (m *member) due(ttl time.Duration) int64 { return m.Table().Time(m.wall()) + ttl.Milliseconds() }

// login writes a session of this lifetime.
func (m *member) login(name string, ttl time.Duration) {
	m.bed.Helper()
	if _, err := m.Table().Put(m.wall(), key(name), &table.Write{Value: []byte(bodyMark), Due: m.due(ttl)}); err != nil {
		m.bed.Fatalf("%s writes: %v", m.name, err)
	}
}

// touch extends a session as a request of its user does; where this node's clock keeps it from that it reports false.
func (m *member) touch(name string, ttl time.Duration) bool {
	m.bed.Helper()
	res, err := m.Table().Expire(m.wall(), key(name), m.due(ttl), table.ExpireAlways)
	if err != nil && !errors.Is(err, table.ErrClock) || !res.Existed {
		m.bed.Fatalf("%s is asked to extend a session that lives: it existed is %v, %v", m.name, res.Existed, err)
	}
	return err == nil
}

// user has a session that every node must show, touched on one node after another shortly before it would end.
type user struct {
	bed   *testbed
	nodes []*member
	name  string
	ttl   time.Duration
	next  int
	last  time.Time // of the touches
}

// touchMargin is how long before its end a session is touched, under the virtual clock.
const touchMargin = 300 * time.Millisecond

// margin is touchMargin, or on sockets what a busy machine may need to carry a touch to all nodes.
func (b *testbed) margin() time.Duration {
	if b.virtual() {
		return touchMargin
	}
	return time.Second
}

func (b *testbed) user(nodes []*member, name string, ttl time.Duration) *user {
	b.Helper()
	u := &user{bed: b, nodes: nodes, name: name, ttl: ttl, last: time.Now()}
	nodes[0].login(name, ttl)
	b.allRead(nodes, name, "")
	return u
}

// look requires that every node shows the session, and touches it when it is time to.
func (u *user) look() {
	u.bed.Helper()
	if u.late() {
		u.comeBack()
	}
	for _, m := range u.nodes {
		if _, found := m.get(u.name); !found && !u.late() {
			u.bed.Fatalf("%s does not show %s, touched %v ago with a lifetime of %v", m.name, u.name, time.Since(u.last), u.ttl)
		}
	}
	if time.Since(u.last) < u.ttl-u.bed.margin() || u.late() {
		return
	}
	for range u.nodes {
		u.next++
		at := time.Now()
		if u.nodes[u.next%len(u.nodes)].touch(u.name, u.ttl) {
			u.last = at
			return
		}
	}
	u.bed.Fatalf("no node extends %s", u.name)
}

// late reports whether a busy machine kept the test waiting until the session had ended by right.
func (u *user) late() bool { return !u.bed.virtual() && time.Since(u.last) >= u.ttl }

// comeBack logs in again.
func (u *user) comeBack() {
	u.bed.Helper()
	u.bed.Logf("%s was to be touched after %v of its %v: the machine is busy", u.name, time.Since(u.last), u.ttl)
	for _, m := range u.nodes {
		at := time.Now()
		_, err := m.Table().Put(m.wall(), key(u.name), &table.Write{Value: []byte(bodyMark), Due: m.due(u.ttl)})
		if err == nil {
			u.last = at
			u.bed.allRead(u.nodes, u.name, "")
			return
		}
		if !errors.Is(err, table.ErrClock) {
			u.bed.Fatalf("%s writes: %v", m.name, err)
		}
	}
	u.bed.Fatalf("no node takes %s", u.name)
}

// leave waits until every node has ended the session: no earlier than its lifetime, and no later than what touches are
// promised beyond it, clocks may differ by, and a sweep takes.
func (u *user) leave() {
	u.bed.Helper()
	latest := u.ttl + max(time.Second, u.ttl/16) + 2*clockLimit + time.Second
	for _, m := range u.nodes {
		u.bed.within(latest-time.Since(u.last), m.name+" ends the session that nobody uses", func() bool {
			_, found := m.get(u.name)
			return !found
		})
		// An end is named in whole milliseconds, counted from the one in which the request came.
		if after := time.Since(u.last); after <= u.ttl-time.Millisecond {
			u.bed.Errorf("%s ended a session after %v of its %v", m.name, after, u.ttl)
		}
	}
}

// pass lets time pass while these users come and go.
func (b *testbed) pass(d time.Duration, users ...*user) {
	b.Helper()
	every := max(20*time.Millisecond, d/10_000)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		for _, u := range users {
			u.look()
		}
	}
}

// jump moves these clocks, and waits until their nodes have noticed: that takes a look at the clocks.
func (b *testbed) jump(by time.Duration, list ...*clocktest.Clock) {
	b.Helper()
	for _, c := range list {
		c.Jump(by)
	}
	b.pass(2 * keeper.Interval)
}

// lastWins has nodes write one session in turn: whatever their clocks show, each sees the one before and overrides it.
func (b *testbed) lastWins(nodes []*member, round string) {
	b.Helper()
	for i := range 3 * len(nodes) {
		value := fmt.Sprint(round, i)
		m := nodes[i%len(nodes)]
		m.put("in turn", value)
		b.allRead(nodes, "in turn", value)
	}
}

// logoutHolds destroys on every node what another one made.
func (b *testbed) logoutHolds(nodes []*member, round string) {
	b.Helper()
	for i, m := range nodes {
		name := fmt.Sprint(round, " of ", m.name)
		m.put(name, "logged in")
		b.allRead(nodes, name, "logged in")
		other := nodes[(i+1)%len(nodes)]
		other.destroy(name)
		b.allMiss(nodes, name)
		if _, err := m.tryPut(name, "late"); !errors.Is(err, table.ErrDestroyed) {
			b.Errorf("%s, after a logout on %s: %v, want ErrDestroyed", m.name, other.name, err)
		}
	}
}

func apart(b *testbed, offs ...time.Duration) {
	var list []*clocktest.Clock
	for _, off := range offs {
		list = append(list, clocktest.New(off))
	}
	nodes := b.clocked(list...)
	b.lastWins(nodes, "first")
	u := b.user(nodes, "kept alive", 2*time.Second)
	b.pass(3*u.ttl, u)
	b.lastWins(nodes, "then")
	b.logoutHolds(nodes, "logout")
	u.leave()
	noDivergence(b, nodes)
}

func oneJumps(b *testbed, far time.Duration) {
	one := clocktest.New(0)
	nodes := b.clocked(one, clocktest.New(0), clocktest.New(0))
	jumper, others := nodes[0], nodes[1:]
	b.lastWins(nodes, "before")
	b.fill(others, "old", 100, 64)
	b.holds(jumper, 101)
	u := b.user(nodes, "kept alive", 4*time.Second)
	b.jump(far, one)
	b.pass(time.Second, u)
	if far > 0 {
		b.refuses(jumper, table.ErrClockStepped)
	} else {
		b.lastWins(nodes, "behind")
	}
	b.pass(settles, u)
	if far > 0 {
		b.refuses(jumper, table.ErrClockAhead)
	} else {
		b.lastWins(nodes, "still behind")
	}
	b.lastWins(others, "meanwhile")
	b.allRead(nodes, "in turn", "meanwhile5")
	jumper.destroy("old1")
	b.allMiss(nodes, "old1")
	b.jump(-far, one)
	b.pass(settles, u)
	b.lastWins(nodes, "after")
	u.leave()
	for _, m := range nodes {
		b.eventually(m.name+" holds what nobody destroyed", func() bool { return m.len() == 100 })
	}
	noDivergence(b, nodes)
}

// refuses wants writes refused for this reason, in words that say what to do, and everything else to work.
func (b *testbed) refuses(m *member, want error) {
	b.Helper()
	_, err := m.tryPut("refused", "1")
	if !errors.Is(err, want) || !errors.Is(err, table.ErrClock) {
		b.Errorf("%s is asked to write: %v, want %v", m.name, err, want)
	}
	if err != nil && !strings.Contains(err.Error(), "set it right") && !strings.Contains(err.Error(), "restart this node") && !strings.Contains(err.Error(), "it is set back") {
		b.Errorf("%q does not say what to do", err)
	}
}

// All clocks agree again at once, so that they are believed: what has more than the hour to live lives on.
func allForward(b *testbed) {
	list := []*clocktest.Clock{clocktest.New(0), clocktest.New(0), clocktest.New(0)}
	nodes := b.clocked(list...)
	u := b.user(nodes, "kept alive", 2*time.Hour)
	b.jump(time.Hour, list...)
	b.pass(settles, u)
	b.lastWins(nodes, "after")
	b.logoutHolds(nodes, "logout")
	v := b.user(nodes, "kept alive since", 2*time.Second)
	b.pass(2*v.ttl, u, v)
	v.leave()
	noDivergence(b, nodes)
}

// Everything stays, and everything goes on: what all stamp is an hour ahead, and so nobody wins by that. Nor does who is started again, or
// loses.
func allBack(b *testbed) {
	list := []*clocktest.Clock{clocktest.New(0), clocktest.New(0), clocktest.New(0)}
	nodes := b.clocked(list...)
	b.fill(nodes, "old", 100, 64)
	b.jump(-time.Hour, list...)
	b.pass(settles)
	b.goesOn(nodes, "back")
	b.alike(nodes, "old", 100)
	nodes[0].Kill()
	nodes[0] = b.open(spec{name: nodes[0].name, host: nodes[0].host, change: on(list[0])})
	nodes[0].synced()
	b.eventually("it knows the others", func() bool { return nodes[0].Peers() == 2 })
	b.goesOn(nodes, "restarted")
	b.alike(nodes, "old", 100)
	noDivergence(b, nodes)
}

// Two of three are most: they go on by the time that both were set to, and the third, which is ahead of them, goes by it too and refuses writes until it
// is set back as well. Which of them is right nobody can know.
func twoBack(b *testbed) {
	list := []*clocktest.Clock{clocktest.New(0), clocktest.New(0), clocktest.New(0)}
	nodes := b.clocked(list...)
	two, third := nodes[:2], nodes[2]
	b.fill(nodes, "old", 100, 64)
	third.put("gone", "1")
	b.allRead(nodes, "gone", "1")
	b.jump(-time.Hour, list[0], list[1])
	b.lastWins(two, "at once")
	b.pass(settles)
	b.refuses(third, table.ErrClockAhead)
	b.goesOn(two, "back")
	b.allRead(nodes, "in turn", "back5")
	third.destroy("gone")
	b.allMiss(nodes, "gone")
	b.jump(-time.Hour, list[2])
	b.pass(settles)
	b.goesOn(nodes, "all back")
	b.alike(nodes, "old", 100)
	noDivergence(b, nodes)
}

// goesOn sees to it that the last of writes on all nodes wins, that logouts stick, and that who is there stays; it leaves a session behind.
func (b *testbed) goesOn(nodes []*member, name string) {
	b.Helper()
	b.lastWins(nodes, name)
	b.logoutHolds(nodes, name+", logout")
	u := b.user(nodes, name+", kept alive", 2*time.Second)
	b.pass(2*u.ttl, u)
	u.leave()
}

// What a node destroys and flushes while its clock is a day ahead bears its peers' time.
func dayAhead(b *testbed, others int) {
	const day = 24 * time.Hour
	nodes := b.hosts(others)
	nodes[0].put("old", "1")
	nodes[0].put("gone", "1")
	u := b.user(nodes, "kept alive", 3*time.Second)
	clock := clocktest.New(day)
	ahead := b.open(spec{name: "ahead", host: 3, change: on(clock)})
	ahead.synced()
	b.refuses(ahead, table.ErrClockAhead)
	b.allRead([]*member{ahead}, "old", "1")
	ahead.destroy("gone")
	if _, err := ahead.Table().Flush(ahead.wall(), 1); err != nil {
		b.Error(err)
	}
	b.allMiss(nodes, "gone")
	for _, m := range nodes {
		var s record.State
		for _, k := range []record.Key{key("gone"), record.FloorKey(1)} {
			b.eventually("the destroys arrive", func() bool { return m.Table().Load(k, &s) && s.Tomb.At != 0 })
			if off := s.Tomb.At.Millis() - now(); off > 20_000 {
				b.Errorf("%s: destroyed %d ms from now", m.name, off)
			}
		}
	}
	u.nodes = append(nodes, ahead)
	b.pass(2*u.ttl, u)
	b.refuses(ahead, table.ErrClockAhead)
	b.lastWins(nodes, "meanwhile")
	b.jump(-day, clock)
	b.pass(settles, u)
	b.lastWins(u.nodes, "right again")
	u.leave()
}

// Who comes with a clock a day behind goes by those who were there: its writes live, and end, as everybody's.
func dayBehind(b *testbed) {
	nodes := b.hosts(2)
	nodes[0].put("old", "1")
	u := b.user(nodes, "kept alive", 3*time.Second)
	clock := clocktest.New(-24 * time.Hour)
	behind := b.open(spec{name: "behind", host: 3, change: on(clock)})
	behind.synced()
	all := append(nodes, behind)
	b.allRead(all, "old", "1")
	b.lastWins(all, "behind")
	b.logoutHolds(all, "logout")
	u.nodes = all
	b.pass(2*u.ttl, u)
	b.jump(24*time.Hour, clock)
	b.pass(settles, u)
	b.lastWins(all, "right again")
	u.leave()
	noDivergence(b, all)
}

// drift is an hour of clocks that go wrong as fast as a time daemon lets them.
func drift(b *testbed) {
	list := []*clocktest.Clock{clocktest.New(0), clocktest.New(0), clocktest.New(0)}
	nodes := b.clocked(list...)
	list[0].Slew(500)
	list[1].Slew(-500)
	u := b.user(nodes, "kept alive", 30*time.Second)
	for range 6 {
		b.pass(10*time.Minute, u)
		b.lastWins(nodes, list[0].Off().String())
	}
	b.logoutHolds(nodes, "logout")
	u.leave()
	noDivergence(b, nodes)
}

// slewed is clocks at both ends of what is allowed that are corrected as fast as time daemons do, a twelfth of the time.
func slewed(b *testbed) {
	list := []*clocktest.Clock{clocktest.New(nearLimit / 2), clocktest.New(-nearLimit / 2), clocktest.New(0)}
	nodes := b.clocked(list...)
	u := b.user(nodes, "kept alive", 2*time.Second)
	for _, c := range list {
		c.Correct(83_333)
	}
	b.pass(time.Minute, u)
	for i, c := range list {
		if off := c.Off(); off.Abs() > time.Millisecond {
			b.Fatalf("clock %d is %v off: this tests nothing", i, off)
		}
	}
	b.lastWins(nodes, "right")
	b.logoutHolds(nodes, "logout")
	u.leave()
	noDivergence(b, nodes)
}

package cluster

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/table"
)

// killRounds is how often a writer is killed: as often as SESSIONCAST_KILLS says, else so often that it takes seconds.
func killRounds(t *testing.T, usual int) int {
	if n, err := strconv.Atoi(os.Getenv("SESSIONCAST_KILLS")); err == nil {
		return n
	}
	if testing.Short() {
		return usual / 10
	}
	return usual
}

// "Killing the writer right after an acknowledged write loses nothing: checked thousands of times"
func TestAWriterKilledRightAfterAnAcknowledgementLosesNothing(t *testing.T) {
	notRaced(t)
	for _, lost := range []float64{0, 20} {
		t.Run(fmt.Sprint(lost, " percent loss"), func(t *testing.T) {
			rounds := killRounds(t, 200)
			synctest.Test(t, func(t *testing.T) {
				runOn(t, newMemory(), func(b *testbed) { killWriters(b, rounds, lost) })
			})
		})
	}
}

// killing counts what came of it.
type killing struct {
	rounds, logouts int
	unconfirmed     int // writes of which nobody confirmed any in time: not judged
	alone           int // of the survivors one only held the write when its writer died
}

func killWriters(b *testbed, rounds int, lossPercent float64) {
	nodes := make([]*member, 3)
	for i, s := range specs(3) {
		nodes[i] = b.launch(s)
		defer func() { nodes[i].Kill() }()
	}
	b.met(nodes)
	b.net.lose(b.T, lossPercent)
	var k killing
	for k.rounds < rounds {
		at := (k.rounds + k.unconfirmed) % 3
		if !k.round(b, nodes, at) {
			continue
		}
		nodes[at] = b.launch(spec{name: nodes[at].name, host: at})
		b.met(nodes)
	}
	b.Logf("%d writers killed right after a write that a peer had confirmed, %d of the writes logouts: none was lost. In %d of the rounds one survivor only held it at that moment; %d writes were confirmed by nobody and not judged",
		k.rounds, k.logouts, k.alone, k.unconfirmed)
	if lossPercent > 0 && k.alone == 0 {
		b.Error("every survivor held every write when its writer died: nothing had to spread")
	}
}

// met waits until all are synced and know each other.
func (b *testbed) met(nodes []*member) {
	b.Helper()
	for _, m := range nodes {
		m.synced()
		b.eventually(m.name+" knows the others", func() bool { return m.Peers() == len(nodes)-1 })
	}
}

// round has a node write, or destroy what was written in a round before, and kills it as soon as a peer has confirmed that. It
// reports false when nobody did.
func (k *killing) round(b *testbed, nodes []*member, at int) bool {
	writer, survivors := nodes[at], []*member{nodes[(at+1)%3], nodes[(at+2)%3]}
	name, want := fmt.Sprint("round ", k.rounds+k.unconfirmed), fmt.Sprint("written in round ", k.rounds)
	var seq uint64
	logout := k.rounds%4 == 3
	if logout {
		writer.put(name, "to be logged out")
		b.allRead(nodes, name, "to be logged out")
		res, err := writer.Table().Destroy(now(), key(name), true)
		if err != nil {
			b.Fatal(err)
		}
		seq = res.Seq
	} else {
		seq = writer.put(name, want)
	}
	if writer.AwaitSync(context.Background(), seq, 1, time.Second) == 0 {
		k.unconfirmed++
		return false
	}
	writer.Kill()
	k.rounds++
	right := func(m *member) bool {
		got, found := m.get(name)
		return found == !logout && (logout || got == want)
	}
	if right(survivors[0]) != right(survivors[1]) {
		k.alone++
	}
	defer func() {
		for _, m := range survivors {
			if b.Failed() {
				b.Logf("%s in round %d (right: %v): %+v; members %+v", m.name, k.rounds, right(m), m.Counters(), m.Members())
			}
		}
	}()
	for _, m := range survivors {
		b.eventually(fmt.Sprintf("%s has what was confirmed in round %d", m.name, k.rounds), func() bool { return right(m) })
	}
	if logout {
		k.logouts++
		_, err := survivors[k.rounds%2].Table().Put(now(), key(name), &table.Write{If: table.IfPresent})
		if _, found := survivors[k.rounds%2].get(name); err != nil || found {
			b.Errorf("a session logged out is back: %v", err)
		}
	}
	return true
}

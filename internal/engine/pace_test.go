package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/wire"
)

// bottleneck passes so many bytes per second to each of the nodes behind it, and drops the rest.
type bottleneck struct {
	b          *bench
	bytesPer   float64
	behind     func(node int) bool
	tokens     [8]float64
	at         [8]time.Time
	sent, lost int
}

func (k *bottleneck) drop(_, to int, _ wire.Type, f Frame) bool {
	if !k.behind(to) {
		return false
	}
	if d := k.b.now.Sub(k.at[to]); d > 0 {
		k.tokens[to] = min(k.tokens[to]+k.bytesPer*d.Seconds(), 32<<10)
		k.at[to] = k.b.now
	}
	k.sent++
	if k.tokens[to] < 0 {
		k.lost++
		return true
	}
	k.tokens[to] -= float64(len(f.Data) + 28)
	return false
}

func sessionName(i int) string { return fmt.Sprint("s", i) }

// flood has node 0 change many sessions for a while: more than the bottleneck takes.
func (b *bench) flood(d time.Duration, keys int) {
	for end, i := b.now.Add(d), 0; b.now.Before(end); i++ {
		for j := range 25 {
			b.put(0, sessionName((i*25+j)%keys), "0123456789012345678901234567890123456789012345678901234567890123456789")
		}
		b.run(10 * time.Millisecond)
	}
}

// "× 0.7 when the second-worst receiver loses more than 1 %, + 5 % otherwise"
func TestTheRateFindsTheBottleneckAndStaysThere(t *testing.T) {
	for _, peers := range []int{1, 4} {
		t.Run(fmt.Sprint(peers, " peers"), func(t *testing.T) {
			b := newBench(t, 1+peers)
			m := b.nodes[0].m
			m.cfg.MaxRate = 1_000_000
			m.pace.rate = 1_000_000
			b.run(3 * time.Second)
			k := &bottleneck{b: b, bytesPer: 100_000, behind: func(to int) bool { return to > 0 }}
			b.drop = k.drop
			for second := range 20 {
				if second == 8 {
					k.sent, k.lost = 0, 0
				}
				b.flood(time.Second, 20_000)
				t.Logf("%2d s: rate %.0f B/s, lost %.1f %%", second, m.pace.rate, 100*float64(k.lost)/float64(max(k.sent, 1)))
			}
			loss := float64(k.lost) / float64(k.sent)
			t.Logf("after 8 s %.1f %% lost", 100*loss)
			if loss > 0.15 {
				t.Errorf("%.0f %% lost in the long run", 100*loss)
			}
			if m.pace.rate < 0.4*k.bytesPer {
				t.Errorf("the rate is %.0f B/s where %.0f pass", m.pace.rate, k.bytesPer)
			}
		})
	}
}

// What ends with the cuts was congestion, on a road of any width, and the rate goes on finding it; what does not is the road's own
// loss, and the rate stays above its floor.
func TestOnlyLossThatCutsDoNotLowerIsTheRoadsOwn(t *testing.T) {
	const ceiling = 125e6
	for _, width := range []float64{5e6, 20e6, 60e6, 110e6} {
		for _, own := range []float64{0, 0.05} {
			p := pacer{rate: ceiling, full: true}
			worst := 0.0
			for step := range 400 {
				loss := own + (1-own)*max(0, 1-width/p.rate)
				if step >= 100 {
					worst = max(worst, loss)
				}
				p.sent = p.rate / 5
				p.adapt(loss, ceiling)
			}
			if own == 0 && p.road != 0 || worst > own+0.16 {
				t.Errorf("%.0f MB/s, %v lost at any rate: %.2f lost, of which %.2f is taken for the road's own", width/1e6, own, worst, p.road)
			}
			if p.rate < 0.5*width {
				t.Errorf("%.0f MB/s, %v lost at any rate: the rate is %.1f MB/s", width/1e6, own, p.rate/1e6)
			}
		}
	}
}

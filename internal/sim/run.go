package sim

import (
	"io"
	"time"

	"github.com/sessioncast/sessioncast/internal/keeper"
)

// Run runs a world to its end. The error says which promise was broken, when and how. What happened goes to log, line
// by line, unless that is nil.
func Run(o Options, log io.Writer) (Stats, error) {
	var tr *trace
	if log != nil {
		tr = newTrace(log)
	}
	w := newWorld(o, tr)
	w.log("%v", o)
	w.bootAll()
	begin := time.Duration(0)
	if o.Boot {
		begin = bootTime
	}
	w.after(begin, w.unleash)
	w.after(begin, w.scheduleWork)
	w.after(begin, w.scheduleTold)
	w.run(begin+o.Chaos, nil)
	if w.err == nil {
		w.heal()
		w.converge()
	}
	if w.err == nil {
		w.checkHealed()
	}
	if w.err == nil {
		w.aftermath()
	}
	w.stats.Virtual = w.now
	return w.stats, w.err
}

const (
	bootSpread = 50 * time.Millisecond // within which the nodes start
	bootTime   = 2 * time.Second       // until they know each other
)

// bootAll starts every node, nearly at once.
func (w *World) bootAll() {
	for _, n := range w.nodes {
		w.after(time.Duration(w.work.Int64N(int64(bootSpread))), func() {
			if !n.up {
				n.start()
			}
		})
		w.everyKeep(n)
	}
}

// everyKeep does what the shell does at its ticks.
func (w *World) everyKeep(n *Node) {
	w.after(keeper.Interval, func() {
		if n.runs() {
			n.keep()
			n.check()
			if n.dice.IntN(16) == 0 {
				n.checkDots()
				n.checkMembers()
				n.checkOwners()
			}
		}
		w.everyKeep(n)
	})
}

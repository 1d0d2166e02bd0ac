package sim

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	flagSeed   = flag.Uint64("sim.seed", 1, "seed for TestSeed")
	flagFaults = flag.String("sim.faults", "", "kinds of fault for TestSeed, with commas between them; all that its seed draws when empty")
	flagTime   = flag.Duration("sim.time", 0, "how long TestSwarm runs; 0: 10s, or 3s with -short")
	flagFrom   = flag.Uint64("sim.from", 1, "first seed of TestSwarm, so that an ordinary run can be repeated; 0: by the clock")
	flagCount  = flag.Uint64("sim.count", 0, "how many seeds TestSwarm runs; 0: as many as it has time for")
	flagWith   = flag.String("sim.with", "", "TestSwarm runs only seeds that draw these kinds of fault, with commas between them")
	flagKeep   = flag.Bool("sim.keep", false, "TestSwarm runs only seeds that keep tombstones for seconds")
	flagMemory = flag.Bool("sim.memory", false, "TestSwarm runs only seeds of small memories")
	flagSit    = flag.String("sim.situation", "", "TestSwarm runs only seeds of this rare situation: flood, apart, rejoin, brief, far-start or survivor")
	flagModes  = flag.String("sim.modes", "", "TestSwarm runs only seeds that draw these modes of the nodes, TestSeed runs its seed with them: multicast or mixed")
	flagTold   = flag.Bool("sim.told", false, "TestSwarm runs only seeds whose nodes wait until the others have told what they made")
	flagTail   = flag.Int("sim.tail", 60, "lines of a failing run's trace that are shown; TestSeed with -v shows all")
	flagShrink = flag.Bool("sim.shrink", true, "look for the smallest set of faults that fails")
	flagStop   = flag.Int("sim.failures", 1, "failing seeds after which TestSwarm stops")
)

// TestSeed runs one seed again.
func TestSeed(t *testing.T) {
	o := Draw(*flagSeed, AllFaults)
	if *flagFaults != "" {
		allowed, ok := ParseFaults(*flagFaults)
		if !ok {
			t.Fatalf("no such fault in %q", *flagFaults)
		}
		o = Draw(*flagSeed, allowed)
	}
	if *flagModes != "" {
		o.setModes(modes(*flagModes))
	}
	last := &tail{limit: *flagTail}
	log := io.Writer(last)
	if testing.Verbose() {
		log = os.Stdout
	}
	stats, err := Run(o, log)
	if err != nil {
		t.Fatalf("%v\n%v\n%v", o, last, err)
	}
	t.Logf("%v\n%+v", o, stats)
}

// TestSwarm runs as many seeds as it has time for, on all processors.
func TestSwarm(t *testing.T) {
	limit := *flagTime
	if limit == 0 {
		limit = 10 * time.Second
		if testing.Short() {
			limit = 3 * time.Second
		}
	}
	first := *flagFrom
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	with, ok := ParseFaults(*flagWith)
	if !ok {
		t.Fatalf("no such fault in %q", *flagWith)
	}
	s := swarm{next: first, left: *flagCount, with: with, until: time.Now().Add(limit)}
	if *flagCount == 0 {
		s.left = 1<<64 - 1
	}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(s.work)
	}
	wg.Wait()
	for _, f := range s.failures {
		t.Error(f)
	}
	t.Logf("from seed %d: %v", first, &s.total)
	fmt.Printf("simulated %v\n", &s.total)
}

// swarm is what the workers share.
type swarm struct {
	mu       sync.Mutex
	next     uint64
	left     uint64
	with     Faults
	until    time.Time
	total    Total
	failures []string
}

func (s *swarm) work() {
	for {
		o, more := s.draw()
		if !more {
			return
		}
		stats, err := Run(o, nil)
		var failure string
		if err != nil {
			failure = explain(o, err)
		}
		s.mu.Lock()
		s.total.add(&stats)
		if failure != "" {
			s.failures = append(s.failures, failure)
		}
		s.mu.Unlock()
	}
}

// draw is the next run, unless it was enough.
func (s *swarm) draw() (o Options, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 || len(s.failures) >= *flagStop || !time.Now().Before(s.until) {
		return o, false
	}
	s.left--
	for more = false; !more; more = s.wants(&o) {
		o = Draw(s.next, AllFaults)
		s.next++
	}
	return o, true
}

// wants reports whether the flags ask for such a run.
func (s *swarm) wants(o *Options) bool {
	return o.Faults.Has(s.with) && (o.Keep > 0 || !*flagKeep) && (o.MaxBytes > 0 || !*flagMemory) && (o.Told || !*flagTold) &&
		(*flagSit == "" || o.Situation == situation(*flagSit)) && (*flagModes == "" || o.Modes == modes(*flagModes))
}

// explain runs a failing seed again for its trace, and looks for the fewest faults that make it fail.
func explain(o Options, err error) string {
	if *flagShrink {
		o, err = Shrink(o, err)
	}
	log := &tail{limit: *flagTail}
	if _, again := Run(o, log); again == nil || again.Error() != err.Error() {
		return fmt.Sprintf("seed %d is not deterministic: first %v, then %v", o.Seed, err, again)
	}
	return fmt.Sprintf("%v\n%v\n%v\nrun it again: %s", o, log, err, o.Command())
}

// Total sums up runs.
type Total struct {
	Stats
	Runs, NodesSum int
	Slowest        time.Duration
}

func (t *Total) add(s *Stats) {
	t.Runs++
	t.NodesSum += s.Nodes
	t.Virtual += s.Virtual
	t.Operations += s.Operations
	t.Refused += s.Refused
	t.Datagrams += s.Datagrams
	t.Acked += s.Acked
	t.AckChecks += s.AckChecks
	t.Killed += s.Killed
	t.Checks += s.Checks
	t.Owned += s.Owned
	t.Told += s.Told
	t.Slowest = max(t.Slowest, s.Converged)
	t.Acquainted = max(t.Acquainted, s.Acquainted)
	t.Deafened += s.Deafened
	if t.Faults == nil {
		t.Faults = make(map[Faults]int)
	}
	for k, n := range s.Faults {
		t.Faults[k] += n
	}
}

func (t *Total) String() string {
	var faults []string
	for k, n := range t.Faults {
		faults = append(faults, fmt.Sprintf("%v %d", k, n))
	}
	sort.Strings(faults)
	return fmt.Sprintf("%d seeds, %d nodes, %.1f virtual hours, %d operations (%d refused, %d writes acknowledged; holders counted %d times, writer killed then %d times), "+
		"%d datagrams, %d checks, %d sessions found by their owner, %d peers found to have told what they made; "+
		"slowest convergence %v, acquaintance %v; %d runs deaf to multicast to the end; faults: %s", t.Runs, t.NodesSum, t.Virtual.Hours(), t.Operations, t.Refused, t.Acked, t.AckChecks, t.Killed,
		t.Datagrams, t.Checks, t.Owned, t.Told, t.Slowest.Round(time.Millisecond), t.Acquainted.Round(time.Millisecond), t.Deafened, strings.Join(faults, ", "))
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	for seed := range uint64(3) {
		var logs [2]strings.Builder
		for i := range logs {
			_, _ = Run(Draw(seed, AllFaults), &logs[i])
		}
		if logs[0].String() != logs[1].String() {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}

func TestFaultsHaveNames(t *testing.T) {
	for _, k := range append(AllFaults.Each(), AllFaults, 0) {
		if got, ok := ParseFaults(k.String()); !ok || got != k {
			t.Errorf("%v reads as %v", k, got)
		}
	}
}

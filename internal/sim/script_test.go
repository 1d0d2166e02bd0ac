package sim

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// TestScenarios runs the exchanges of docs/PROTOCOL.md one by one, on a network without faults but for those that the
// scenario makes. `go test -run TestScenarios -rewrite` writes what it got into the files.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for _, line := range strings.Split(d.Input, "\n") {
				if fields := strings.Fields(line); len(fields) > 0 {
					s.run(t, &out, fields[0], fields[1:])
				}
			}
			return out.String()
		})
	})
}

// script is a scenario under way.
type script struct {
	w     *World
	rules []*rule
	sent  map[string]bool // "a->b TYPE" since the last frames
	kept  []keptFrame     // by hold rules
	past  []keptFrame     // all, for replays
}

// rule keeps matching frames off the network.
type rule struct {
	from, to string
	typ      string
	left     int
	hold     bool
}

type keptFrame struct {
	from, to  *Node
	typ       string
	data      []byte
	multicast bool
}

// commands:
//
//	nodes N [up=M] [keep=D]              a new cluster; the first M start, and two seconds pass
//	put NODE KEY VALUE [ttl=D] [size=N] [create|update]
//	touch NODE KEY D                     moves the deadline
//	destroy NODE KEY [hold]
//	flush NODE
//	drop FROM TO TYPE [N]                the next N (1) frames of a type between two nodes are lost; * is any
//	hold FROM TO TYPE [N]                they wait for deliver
//	deliver                              what was held arrives, the last first
//	replay FROM TO TYPE                  everything of that kind arrives again
//	tick D
//	partition NODES NODES
//	heal
//	crash NODE, start NODE, leave NODE
//	stop NODE, resume NODE               it stands still, and what comes waits in its socket
//	clock NODE D                         its clock jumps to so far off, with 0s it is right again
//	state                                what each node shows, and its state
//	members NODE
//	frames                               who sent what to whom since the last time, heartbeats left out
//	count NODE COUNTER...
func (s *script) run(t *testing.T, out *strings.Builder, cmd string, args []string) {
	t.Helper()
	do, ok := map[string]func(*strings.Builder, []string){
		"nodes": s.nodes, "put": s.put, "touch": s.touch, "destroy": s.destroy, "flush": s.flush,
		"drop": s.drop, "hold": s.hold, "deliver": s.deliver, "replay": s.replay, "tick": s.tick,
		"partition": s.partition, "heal": s.heal, "crash": s.crash, "start": s.start, "leave": s.leave,
		"clock": s.clock, "stop": s.stop, "resume": s.resume,
		"state": s.state, "members": s.members, "frames": s.frames, "count": s.count,
	}[cmd]
	if !ok {
		t.Fatalf("no such command: %s", cmd)
	}
	do(out, args)
	if s.w.err != nil {
		t.Fatalf("%s: %v", cmd, s.w.err)
	}
}

func (s *script) nodes(_ *strings.Builder, args []string) {
	n, up, keep := number(args[0]), number(args[0]), time.Duration(0)
	for _, arg := range args[1:] {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "up":
			up = number(value)
		case "keep":
			keep = length(value)
		}
	}
	o := Options{
		Seed: 1, Nodes: n, Databases: 1, Ack: 1, SocketBytes: 8 << 20, StreamRate: 1e9, StreamBatch: 1 << 20,
		LogoutHold: time.Minute, Keep: keep, Rules: linkRules{delay: 100 * time.Microsecond},
	}
	*s = script{w: newWorld(o, nil), sent: make(map[string]bool)}
	s.w.healed = true // no fault but the scenario's
	s.w.filter = s.pass
	for _, node := range s.w.nodes[:up] {
		node.start()
	}
	for _, node := range s.w.nodes {
		s.w.everyKeep(node)
	}
	s.advance(2 * time.Second)
	clear(s.sent)
}

// pass is the network's filter.
func (s *script) pass(from, to *Node, frame []byte, multicast bool) bool {
	var h wire.Header
	if wire.ParseHeader(frame, &h) != nil {
		return false
	}
	k := keptFrame{from, to, h.Type.String(), slices.Clone(frame), multicast}
	dest := letter(to)
	if multicast {
		dest = "all"
	}
	if h.Type != wire.TypeHeartbeat {
		s.sent[fmt.Sprintf("%s->%s %v", letter(from), dest, h.Type)] = true
	}
	s.past = append(s.past, k)
	for _, r := range s.rules {
		if r.left > 0 && r.matches(&k) {
			r.left--
			if r.hold {
				s.kept = append(s.kept, k)
			}
			return false
		}
	}
	return true
}

func (r *rule) matches(k *keptFrame) bool {
	any := func(want, got string) bool { return want == "*" || want == got }
	return any(r.from, letter(k.from)) && any(r.to, letter(k.to)) && any(r.typ, k.typ)
}

func letter(n *Node) string { return nodeName(n.id)[len("node-"):] }

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func length(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func (s *script) node(name string) *Node { return s.w.nodes[name[0]-'a'] }

func (s *script) advance(d time.Duration) { s.w.run(s.w.now+d, nil) }

func (s *script) tick(_ *strings.Builder, args []string) { s.advance(length(args[0])) }

func (s *script) put(out *strings.Builder, args []string) {
	n, k := s.node(args[0]), record.Key{Name: args[1]}
	write := table.Write{Value: []byte(args[2])}
	for _, arg := range args[3:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "ttl":
			write.Due = n.clusterMillis() + length(value).Milliseconds()
		case "size":
			write.Value = []byte(strings.Repeat(args[2], number(value)))
		case "create":
			write.If, write.Explicit = table.IfAbsent, true
		case "update":
			write.If = table.IfPresent
		}
	}
	res, err := n.table.Put(n.wall(), k, &write)
	s.done(out, n, k, changeValue, res, err)
}

func (s *script) touch(out *strings.Builder, args []string) {
	n, k := s.node(args[0]), record.Key{Name: args[1]}
	res, err := n.table.Expire(n.wall(), k, n.clusterMillis()+length(args[2]).Milliseconds(), table.ExpireAlways)
	s.done(out, n, k, changeDeadline, res, err)
}

func (s *script) destroy(out *strings.Builder, args []string) {
	n, k := s.node(args[0]), record.Key{Name: args[1]}
	res, err := n.table.Destroy(n.wall(), k, len(args) > 2)
	s.done(out, n, k, changeTomb, res, err)
}

func (s *script) flush(out *strings.Builder, args []string) {
	n := s.node(args[0])
	seq, err := n.table.Flush(n.wall(), 0)
	s.done(out, n, record.FloorKey(0), changeTomb, table.Result{Done: true, Seq: seq}, err)
}

// done enters an operation into the ledger, so that every check holds in scenarios too, and tells how it went.
func (s *script) done(out *strings.Builder, n *Node, k record.Key, kind change, res table.Result, err error) {
	if err != nil || !res.Done {
		fmt.Fprintf(out, "not done: %v\n", err)
		return
	}
	n.wrote(k)
	if res.Seq == 0 {
		fmt.Fprintln(out, "local")
		return
	}
	n.enterDot(k, res.Seq, kind)
	n.step(engine.Wrote{})
}

func (s *script) drop(_ *strings.Builder, args []string) { s.addRule(args, false) }
func (s *script) hold(_ *strings.Builder, args []string) { s.addRule(args, true) }

func (s *script) addRule(args []string, hold bool) {
	left := 1
	if len(args) > 3 {
		left = number(args[3])
	}
	s.rules = append(s.rules, &rule{args[0], args[1], args[2], left, hold})
}

func (s *script) deliver(*strings.Builder, []string) {
	slices.Reverse(s.kept)
	for _, k := range s.kept {
		s.again(&k)
	}
	s.kept = nil
}

func (s *script) again(k *keptFrame) {
	p := s.w.newPacket(k.to, k.from.addr, k.data, k.multicast)
	s.w.queue.push(event{at: s.w.now, packet: p})
	s.advance(time.Millisecond)
}

func (s *script) replay(_ *strings.Builder, args []string) {
	r := rule{from: args[0], to: args[1], typ: args[2]}
	for _, k := range slices.Clone(s.past) {
		if r.matches(&k) {
			s.again(&k)
		}
	}
}

func (s *script) partition(_ *strings.Builder, args []string) {
	s.w.net.cut(+1, func(from, to int) bool {
		a, b := letter(s.w.nodes[from]), letter(s.w.nodes[to])
		return strings.Contains(args[0], a) != strings.Contains(args[0], b)
	})
}

func (s *script) heal(*strings.Builder, []string) { clear(s.w.net.links) }

func (s *script) crash(_ *strings.Builder, args []string) { s.node(args[0]).crash() }

func (s *script) start(_ *strings.Builder, args []string) { s.node(args[0]).start() }

func (s *script) stop(_ *strings.Builder, args []string) { s.node(args[0]).paused = true }

func (s *script) resume(_ *strings.Builder, args []string) { s.node(args[0]).resume() }

func (s *script) leave(_ *strings.Builder, args []string) {
	n := s.node(args[0])
	n.leaving = true
	n.step(engine.Leave{})
}

func (s *script) clock(_ *strings.Builder, args []string) {
	if n, by := s.node(args[0]), length(args[1]); by != 0 {
		n.goFar(by)
	} else {
		n.comeBack()
	}
}

func (s *script) state(out *strings.Builder, _ []string) {
	for _, n := range s.w.nodes {
		if !n.up {
			fmt.Fprintf(out, "%s: down\n", letter(n))
			continue
		}
		fmt.Fprintf(out, "%s: %v%s\n", letter(n), s.stateName(n.machine.State()), s.sessions(n))
	}
}

func (s *script) stateName(state wire.MemberState) string {
	return [...]string{"", "joining", "synced", "leaving", "suspect", "dead"}[state]
}

func (s *script) sessions(n *Node) string {
	var all []string
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		cursor = n.table.Scan(n.wall(), 0, cursor, 100, func(name string, v table.View) {
			value := string(v.Value)
			if len(value) > 20 {
				value = fmt.Sprintf("%d bytes", len(value))
			}
			if v.Due != 0 {
				value += fmt.Sprintf(" (%v left)", time.Duration(v.Due-n.clusterMillis()).Round(1)*time.Millisecond)
			}
			all = append(all, fmt.Sprintf(" %s=%s", name, value))
		})
	}
	sort.Strings(all)
	return strings.Join(all, "")
}

func (s *script) members(out *strings.Builder, args []string) {
	n := s.node(args[0])
	list := n.machine.Members(n.time())
	slices.SortFunc(list, func(a, b engine.Member) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range list {
		fmt.Fprintf(out, "%s %s\n", m.Name, s.stateName(m.State))
	}
}

func (s *script) frames(out *strings.Builder, _ []string) {
	var all []string
	for f := range s.sent {
		all = append(all, f)
	}
	sort.Strings(all)
	for _, f := range all {
		fmt.Fprintln(out, f)
	}
	clear(s.sent)
}

func (s *script) count(out *strings.Builder, args []string) {
	c := s.node(args[0]).machine.Counters()
	values := map[string]uint64{
		"replays": c.DropReplay, "nacks": c.NacksOut, "repairs": c.RepairsOut, "unproven": c.DropUnproven,
		"divergences": c.Divergences, "fetches": c.FetchesStarted, "tags": c.DropTag,
		"ended": c.EndedElsewhere, "told": s.node(args[0]).table.Stats().TombsTold,
	}
	for _, name := range args[1:] {
		fmt.Fprintf(out, "%s %d\n", name, values[name])
	}
}

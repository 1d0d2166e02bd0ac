package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	flagMutants = flag.Bool("sim.mutants", false, "plant every mutant, not just a quick one")
	flagMutant  = flag.String("sim.mutant", "", "plant only mutants whose name contains this")
)

// mutant is a bug that the simulation has to find: a piece of source put in the place of another.
type mutant struct {
	name string
	file string // under internal/
	old  string
	new  string
}

// mutantSeeds is how many seeds of TestSwarm a mutant may survive.
const mutantSeeds = 400

var mutants = []mutant{
	{"by multicast alone nothing reaches who does not hear it", "engine/reach.go",
		"return m.cfg.Mode == ModeMulticast && p.live() && !p.road.unheard.IsZero()", "return false"},
	{"who has answered has told what it made", "engine/told.go",
		"return p.made.since > stamp && prefix(&m.origin(p.ref).held) >= p.made.dots", "return p.made.since > stamp"},
	{"what was said before counts", "engine/told.go",
		"return p.made.since > stamp &&", "return"},
	{"who does not answer has told what it made", "engine/ack.go",
		"if w.told != 0 { // who does not answer", "if untold { // who does not answer"},
	{"no tombstone check", "record/record.go",
		"return b.ID.At <= t.At || b.ID.At <= floor ||", "return b.ID.At <= floor ||"},
	{"weak births outlive the hold", "record/record.go",
		"b.ID.At <= floor || b.Weak && b.ID.At <= t.Hold", "b.ID.At <= floor"},
	{"a touch covers its dot without its birth", "record/merge.go",
		"|| in.Deadline.IsZero() {\n\t\tm.Incomplete = true\n", "|| in.Deadline.IsZero() {\n"},
	{"the earlier value wins", "record/merge.go",
		"case o.Later(in.Value.Version, b.Value.Version) ||", "case o.Later(b.Value.Version, in.Value.Version) ||"},
	{"of two nodes' fields the later value wins whole", "record/merge.go",
		"changed = o.joinPatched(&b.Value, &in.Value)", "changed = o.Later(in.Value.Version, b.Value.Version)\n\t\tif changed {\n\t\t\tb.Value = in.Value\n\t\t}"},
	{"a whole write leaves the fields before it", "record/patched.go",
		"if f.At >= whole {", "if f.At >= whole || true {"},
	{"a removed field comes back", "record/patched.go",
		"return f.At > g.At\n", "return f.At > g.At && !f.Removed || g.Removed\n"},
	{"the index of owners hears of local writes only", "table/op.go",
		"\to.claim()\n", "\tif !o.remote {\n\t\to.claim()\n\t}\n"},
	{"repair with the wrong key", "engine/repair.go",
		"m.table.LogKey(d.Origin, d.Seq)", "m.table.LogKey(d.Origin, d.Seq^1)"},
	{"a prefix instead of intervals", "engine/origin.go",
		"o.held.Add(s)", "o.held.AddRange(1, s)"},
	{"what was not applied is covered", "engine/receive.go",
		"case table.NoRoom:\n", "case table.Incomplete:\n\t\t\treturn true\n\t\tcase table.NoRoom:\n"},
	{"cursor off by one", "transfer/donor.go",
		"d.cursor = next\n", "if next != lastCursor {\n\t\tnext++\n\t}\n\td.cursor = next\n"},
	{"a transfer claims what any donor held", "engine/join.go",
		"f.claim = common(f.claim, in.Offer)", "f.claim = append(f.claim, in.Offer...)"},
	{"a transfer goes on behind its cursor", "engine/join.go",
		"f.cursor = max(f.cursor, in.Cursor)", "f.cursor = max(f.cursor, in.Cursor|1<<63)"},
	{"purge without grace", "record/record.go",
		"return EpochEnd(satAdd(keep, 2*maxSkew.Milliseconds()))", "return EpochEnd(keep)"},
	{"packet numbers go round", "seal/sealer.go",
		"s.last++", "s.last = max(s.last, (s.last+1)%64)"},
	{"every touch stays local", "table/expire.go",
		"d == current && due <= d.Deadline.Promise", "d == current"},
	{"a fast peer hides sessions early", "table/table.go",
		"return max(t.skewMS.Load(), at-now) }", "return t.skewMS.Load() }"},
	{"flush does not reach later births here", "table/table.go",
		"return hlc.Stamp(t.floors[db].Load())", "return 0"},
	{"tombstones are forgotten at once", "record/record.go",
		"return max(at, hold).Add(life+2*maxSkew).Millis() + Pad(life.Milliseconds())", "return at.Millis()"},
	{"acknowledged before it is merged", "engine/receive.go",
		"if !m.merge(p, t, it) {", "if m.merge(p, t, it); false {"},
	{"expiry by local receipt time", "engine/receive.go",
		"m.elder = elder{m, p, t}\n", "m.elder = elder{m, p, t}\n\t\tfor i := range it.State.Births {\n\t\t\tif d := &it.State.Births[i].Deadline; d.Due != 0 {\n" +
			"\t\t\t\td.Due += m.wall() - d.At.Millis()\n\t\t\t\td.Promise = d.Due\n\t\t\t}\n\t\t}\n"},
	{"repair of the wrong range", "engine/repair.go",
		"groups[g].seqs = append(groups[g].seqs, d.Seq)", "groups[g].seqs = append(groups[g].seqs, d.Seq+1)"},
	{"a repair without seq -> key", "engine/receive.go",
		"m.table.Note(it.Origin, seq, it.Key)", "m.table.Note(it.Origin, seq, m.push.item.Key)"},
	{"who forgot a dot's key says that nothing is left of it", "engine/repair.go",
		"it.Kind = wire.KindPull", "it.Kind = wire.KindNothing"},
	{"a value conflated with a touch leaves as a touch", "engine/push.go",
		"d.full = d.full || !touch", "d.full = !touch"},
	{"whoever holds the last dot is taken to hold all", "engine/ack.go",
		"p.confirms = prefix(&p.mine)", "p.confirms = p.mine.Max()"},
	{"a transfer that broke off is complete", "engine/join.go",
		"if in.Err == nil && !in.NoRoom && f.started {", "if !in.NoRoom && f.started {"},
	{"who hears others that it cannot prove is alone", "engine/join.go",
		"m.mayComeBack() || m.beside()", "m.mayComeBack()"},
	{"a donor leaves in the middle of a transfer", "engine/leave.go",
		"takers > 0 && waited < giveWait || ", ""},
	{"who lacks what it was offered says nothing", "engine/owed.go",
		"\tif alone {", "\tif alone && m.now.IsZero() {"},
	{"a transfer without room is complete", "engine/join.go",
		"if in.Err == nil && !in.NoRoom && f.started {", "if in.Err == nil && f.started {"},
	{"an item is whole with a piece missing", "engine/frag.go",
		"if a != nil && a.have.Count() == uint64(a.head.Count()) {", "if a != nil && a.have.Count()+1 >= uint64(a.head.Count()) {"},
	{"what finds no room is covered", "engine/receive.go",
		"\t\t\tm.refused()\n", "\t\t\treturn true\n"},
	{"others' records are taken without limit", "table/merge.go",
		"if limit <= 0 || len(in.Births) == 0 {", "if limit < 1<<40 {"},
	{"any clock is followed", "hlc/hlc.go",
		"if remote.Millis() > wallMS+limit.Milliseconds() {", "if remote == Max {"},
	{"a stepped clock is believed", "keeper/steps.go",
		"s.off += step", "s.off = 0"},
	{"what peers said before a step counts after it", "keeper/steps.go",
		"case !steady:", "case s.mono < 0:"},
	{"a node that has just started trusts its clock", "keeper/keeper.go",
		"k.blind = joining && len(peers) == 0 || said.untold > 0 && said.untold >= said.told", "k.blind = false"},
	{"a tombstone's last until counts, not its latest", "record/merge.go",
		"t.Until = max(t.Until, in.Until)", "t.Until = in.Until"},
	{"what the sender lacks is over, however young", "engine/absence.go",
		"return m.isStrange(e.p) || e.t <= e.p.metAt || m.lacksClaim(e.p)", "return true"},
	{"absence is not judged", "engine/absence.go",
		"return a.Judged && set != nil && set.Contains(b.Seq)", "return false && set.Contains(b.Seq)"},
	{"what ended here long ago is taken again", "engine/absence.go",
		"return m.isStrange(e.p) || e.t <= e.p.metAt || m.lacksClaim(e.p)", "return false"},
	{"old dots are repaired one by one", "engine/repair.go",
		"ok = ok && d.Seq > m.old(m.origin(d.Origin))", "_ = ok"},
	{"who does not hear gets no copies", "engine/reach.go",
		"\tr.copies = true\n", "\tr.copies = false\n"},
	{"a copy is taken for multicast", "engine/members.go",
		"m.noteRoad(p, in.Multicast)", "m.noteRoad(p, true)"},
	{"copies never end", "engine/reach.go",
		"m.now.Sub(r.hears) >= copiesLinger", "m.now.Sub(r.hears) >= time.Hour"},
	{"who does not hear does not say so", "engine/reach.go",
		"\t\t}\n\t\tm.beatTo(p)\n\t}\n\treturn r.complainAt", "\t\t}\n\t}\n\treturn r.complainAt"},
	{"a doubt alone kills", "engine/watch.go",
		"if d.probes >= doubtProbes && m", "if d.probes >= 0 && m"},
	{"a refuted doubt kills", "engine/watch.go",
		"if answered || p.lane.in || p.lane.out {\n\t\tp.doubt.end(m.now)\n\t} else {\n\t\tp.doubt.lookAgain(m.now)\n\t\tm.wakeMembers()\n\t}", ""},
	{"who is set aside stays aside", "engine/setaside.go",
		"if bad == a.is {", "if bad == a.is || a.is {"},
	{"advice to pull covers what it was asked for", "engine/receive.go",
		"m.wantPull(p, it)\n", "m.origin(it.Origin).cover(it.Dots)\n"},
	{"introductions are not followed", "engine/seeds.go",
		"m.callLater(a, m.now.Add(introducedFor))", "_ = a"},
	{"who uses multicast alone introduces nobody", "engine/seeds.go",
		"\tif n == 0 {\n\t\treturn nil\n\t}\n\tfrom := m.calls.greets", "\tif m.cfg.Mode == ModeMulticast || n == 0 {\n\t\treturn nil\n\t}\n\tfrom := m.calls.greets"},
	{"a renewal bears a new stamp", "table/renew.go",
		"made := record.Version{At: mine.at, By: o.t.self()}", "made := o.stamp()"},
	{"a renewal takes the touch back", "table/renew.go",
		"o.setDeadline(birth, made, mine.due, record.Pad(mine.due-o.at))", "o.setDeadline(birth, made, won.Deadline.Due, 0)"},
	{"who answers nothing is counted as a holder", "engine/ack.go",
		"case p.confirms >= seq:\n", "case p.confirms >= seq || m.deaf(p):\n"},
	{"what one holds all are taken to hold", "engine/heartbeat.go",
		"m.confirm(p, &wire.Ack{Set: v.Set}, false)", "for _, q := range m.members.list {\n\t\t\tm.confirm(q, &wire.Ack{Set: v.Set}, false)\n\t\t}"},
	{"a collected tombstone leaves nothing", "table/collected.go",
		"tomb: was.At, hold: was.Hold}", "tomb: 0, hold: 0}"},
	{"fewer peers than asked are said to be enough", "engine/ack.go",
		"Met: h.held >= w.k", "Met: met"},
	{"what ended is not remembered", "table/ended.go",
		"if x == nil || !t.remembers(x, o.at)", "if x == nil || x != nil || !t.remembers(x, o.at)"},
	{"a peer of which nothing comes by unicast is not named", "engine/shut.go",
		"\t\tl.in, m.acks.recheck = true, true\n", "\t\tm.acks.recheck = true\n"},
	{"who was shut once stays so", "engine/shut.go",
		"case m.now.Sub(l.back) >= openAfter:", "case m.now.Sub(l.back) >= time.Hour:"},
}

// likely names, for bugs that few runs meet, faults without which they hardly show: seeds that draw those are run.
var likely = map[string]Faults{
	"who does not hear gets no copies":  NoMulticast,
	"a copy is taken for multicast":     NoMulticast,
	"copies never end":                  NoMulticast,
	"who does not hear does not say so": NoMulticast,
	"introductions are not followed":    NoMulticast,
	"who is set aside stays aside":      LinkLoss,

	"a donor leaves in the middle of a transfer":     Leaves,
	"who hears others that it cannot prove is alone": NoUnicast,

	"a peer of which nothing comes by unicast is not named": NoUnicast,
	"who was shut once stays so":                            NoUnicast,
	"who lacks what it was offered says nothing":            Leaves,
}

// keeping are the bugs that only parts show which are separated for longer than tombstones are kept: seeds that keep those for
// seconds are run.
var keeping = []string{"a collected tombstone leaves nothing", "absence is not judged", "old dots are repaired one by one"}

// tight are those that only small memories show.
var tight = []string{
	"a transfer without room is complete", "what finds no room is covered",
}

// rare names the situations without which bugs hardly show.
var rare = map[string]situation{
	"others' records are taken without limit":       flood,
	"a node that has just started trusts its clock": farStart,
	"what the sender lacks is over, however young":  rejoin,
	"what ended here long ago is taken again":       apart,
	"what ended is not remembered":                  brief,
}

// moded names the nodes' modes in which alone bugs show.
var moded = map[string]modes{
	"by multicast alone nothing reaches who does not hear it": allMulticast,
	"who uses multicast alone introduces nobody":              mixedModes,
}

// telling are the bugs that show only where nodes wait until the others have told what they made.
var telling = []string{"who has answered has told what it made", "what was said before counts", "who does not answer has told what it made"}

// quickMutants are planted in every ordinary run.
var quickMutants = []string{"no tombstone check", "a prefix instead of intervals", "acknowledged before it is merged"}

// TestEveryMutantCanBePlanted: a mutant names the source that it replaces, which must be there, once.
func TestEveryMutantCanBePlanted(t *testing.T) {
	for _, m := range mutants {
		if _, err := m.source(); err != nil {
			t.Error(err)
		}
	}
}

// TestMutants plants bugs and demands that the simulation finds each. It prints how many seeds that took.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("each mutant is compiled, which takes seconds")
	}
	var table []string
	begin := time.Now()
	for _, m := range mutants {
		if !*flagMutants && !slices.Contains(quickMutants, m.name) || !strings.Contains(m.name, *flagMutant) {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			line := m.hunt(t)
			t.Log(line)
			table = append(table, line)
		})
	}
	fmt.Printf("planted bug, seeds until it was found (at most %d), how\n%s\n%d bugs in %v\n",
		mutantSeeds, strings.Join(table, "\n"), len(table), time.Since(begin).Round(time.Second))
}

// source is the mutant's file with the bug in it.
func (m *mutant) source() (string, error) {
	text, err := os.ReadFile(filepath.Join("..", m.file))
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), m.old) != 1 {
		return "", fmt.Errorf("%s: %s does not hold %q once; change the mutant with the source", m.name, m.file, m.old)
	}
	return strings.Replace(string(text), m.old, m.new, 1), nil
}

// hunt runs seeds with the bug until one fails, and returns a line for the table.
func (m *mutant) hunt(t *testing.T) string {
	mutated, err := m.source()
	if err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, overlay, binary := filepath.Join(dir, "mutated.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "sim.test")
	write(t, file, []byte(mutated))
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: file}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, overlay, replace)
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ran := 0
	for from := uint64(1); ran < mutantSeeds; {
		out, err := exec.Command(binary, "-test.run=^TestSwarm$", "-test.timeout=10m", "-sim.time=10m", fmt.Sprint("-sim.from=", from),
			fmt.Sprint("-sim.count=", mutantSeeds-ran), "-sim.shrink=false", "-sim.tail=1", "-sim.with="+likely[m.name].String(),
			fmt.Sprint("-sim.keep=", slices.Contains(keeping, m.name)), fmt.Sprint("-sim.memory=", slices.Contains(tight, m.name)),
			fmt.Sprint("-sim.situation=", rare[m.name]), fmt.Sprint("-sim.modes=", moded[m.name]), fmt.Sprint("-sim.told=", slices.Contains(telling, m.name))).CombinedOutput()
		seeds, failed := foundAt.FindStringSubmatch(string(out)), failedSeed.FindStringSubmatch(string(out))
		if err == nil {
			break
		}
		if seeds == nil || failed == nil {
			t.Errorf("%v without a broken promise:\n%s", err, out)
			return fmt.Sprintf("%-60s  %v", m.name, err)
		}
		ran += atoi(seeds[1])
		seed := uint64(atoi(failed[1]))
		_, healthy := Run(Draw(seed, AllFaults), nil)
		if healthy == nil {
			return fmt.Sprintf("%-60s  %4d  %s", m.name, ran, verdict(string(out)))
		}
		t.Errorf("seed %d breaks a promise without the bug, too: %v", seed, healthy)
		from = seed + 1
	}
	t.Errorf("survived %d seeds", mutantSeeds)
	return fmt.Sprintf("%-60s  SURVIVED", m.name)
}

func atoi(digits string) int {
	n, _ := strconv.Atoi(digits) // what a regular expression found
	return n
}

// failedSeed is where TestSwarm says how to run a failing seed again.
var failedSeed = regexp.MustCompile(`run it again: .* -sim.seed=(\d+)`)

// foundAt is where TestSwarm says how many seeds it ran.
var foundAt = regexp.MustCompile(`simulated (\d+) seeds`)

// verdict is the line that says which promise broke.
func verdict(out string) string {
	before, _, _ := strings.Cut(out, "run it again")
	lines := strings.Split(strings.TrimSpace(before), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	return line[:min(len(line), 150)]
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

package sim

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// trace writes what happens in a run, frames with their content. A run without one is faster and otherwise the same.
type trace struct {
	to      io.Writer
	origins *record.Origins
	openers map[record.Origin]*seal.Opener // by destination; the zero origin's opens what goes to the group
}

// newTrace writes traces to a writer.
func newTrace(to io.Writer) *trace {
	return &trace{to: to, origins: new(record.Origins), openers: make(map[record.Origin]*seal.Opener)}
}

// tail keeps the last lines of a trace.
type tail struct {
	lines []string
	limit int
}

func (t *tail) Write(p []byte) (int, error) {
	if len(t.lines) >= t.limit {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, string(p))
	return len(p), nil
}

func (t *tail) String() string { return strings.Join(t.lines, "") }

func (w *World) log(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace.to, "%10.4f  %s\n", w.now.Seconds(), fmt.Sprintf(format, args...))
	}
}

func (w *World) logNode(n *Node, format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace.to, "%10.4f  %s  %s\n", w.now.Seconds(), nodeName(n.id), fmt.Sprintf(format, args...))
	}
}

// frame writes a frame as its receivers will read it.
func (t *trace) frame(w *World, n *Node, frame []byte, to netip.AddrPort) {
	dest, target := "all", record.Origin{}
	if to.IsValid() {
		dest = to.String()
		if peer := w.byIP[to]; peer != nil {
			dest, target = nodeName(peer.id), peer.origin
		}
	}
	opened, err := t.opener(n, target).Open([]byte{}, frame)
	if err != nil {
		w.logNode(n, "-> %s  frame of %d bytes: %v", dest, len(frame), err)
		return
	}
	w.logNode(n, "-> %s  %s", dest, wire.Debug(&opened.Header, opened.Body, t.origins, func(k record.Key) string {
		return fmt.Sprintf("%d/%s", k.DB, k.Name)
	}))
}

func (t *trace) opener(n *Node, target record.Origin) *seal.Opener {
	o := t.openers[target]
	if n.other {
		return seal.NewOpener(n.keyring, target)
	}
	if o == nil {
		o = seal.NewOpener(n.keyring, target)
		t.openers[target] = o
	}
	return o
}

// describe is what the node holds of a key.
func (n *Node) describe(k record.Key) string {
	var s record.State
	if n.table == nil || !n.table.Load(k, &s) {
		return "nothing"
	}
	return n.describeState(&s)
}

// describeKept is describe without a tombstone that some node may have collected rightly: one whose epoch has ended by a clock that is looked at.
func (n *Node) describeKept(k record.Key) string {
	var s record.State
	if !n.table.Load(k, &s) {
		return "nothing"
	}
	for _, m := range n.world.ours() {
		if m.runs() && record.EpochEnd(s.Tomb.Until) <= m.watch.forgotBy {
			s.Tomb = record.Tombstone{}
		}
	}
	if s.IsEmpty() {
		return "nothing"
	}
	return n.describeState(&s)
}

func (n *Node) describeState(s *record.State) string {
	var b strings.Builder
	if s.Tomb.At != 0 {
		fmt.Fprintf(&b, "T %v until %d hold %v", s.Tomb.At, s.Tomb.Until, s.Tomb.Hold)
	}
	for i := range s.Births {
		x := &s.Births[i]
		fmt.Fprintf(&b, " [birth %s weak %v seq %d, value %s (%d bytes), deadline %s due %d promise %d latest %d]",
			n.version(x.ID), x.Weak, x.Seq, n.version(x.Value.Version), len(x.Value.Bytes), n.version(x.Deadline.Version),
			x.Deadline.Due, x.Deadline.Promise, x.Latest)
	}
	return b.String()
}

// version names a version by its node.
func (n *Node) version(v record.Version) string {
	o := n.origins.Origin(v.By)
	return fmt.Sprintf("%v@%s/%x", v.At, nodeName(int(o.Node[7])), o.Incarnation[11:14])
}

package sim

import (
	"testing"
	"time"
)

// Who is reached no more by multicast hears the group until the last that waits in a slow link has come: nobody could know earlier that it needs
// copies (seed 5105090).
func TestMulticastEndsWhereTheLastOfItHasCome(t *testing.T) {
	w := quiet(3)
	w.run(5*time.Second, nil)
	for _, n := range w.nodes {
		n.core = true
	}
	slow := w.net.link(0, 1)
	slow.bandwidth, w.net.rules.backlogBytes = 100, 3000
	w.run(w.now+30*time.Second, nil)
	w.healedAt = w.now
	w.net.heal()
	w.net.deafen(+1, func(from, to int) bool { return from == 0 })
	ends := w.groupEnds()
	if ends < w.healedAt+5*time.Second {
		t.Fatalf("it ends %v after it was cut: nothing waits", ends-w.healedAt)
	}
	hears := func() (yes bool) {
		for _, m := range w.nodes[1].machine.Members(w.nodes[1].time()) {
			yes = yes || m.Origin == w.nodes[0].origin && m.Multicast
		}
		return yes
	}
	if w.run(ends+100*time.Millisecond, nil); !hears() {
		t.Error("it does not hear the group as the last of it comes")
	}
	if w.run(ends+copiesSettle, nil); hears() {
		t.Error("it hears the group still")
	}
	for _, m := range w.nodes[0].machine.Members(w.nodes[0].time()) {
		if m.Origin == w.nodes[1].origin && !m.Copies {
			t.Error("it gets no copies")
		}
	}
	if w.err != nil {
		t.Fatal(w.err)
	}
}

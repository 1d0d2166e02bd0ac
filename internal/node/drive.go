package node

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sessioncast/sessioncast/internal/engine"
	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// wrote is the table's hook after a local write. Most writes of a flood find the driver about to look anyway.
func (n *Node) wrote() {
	if !n.unhurried.Load() {
		n.wakeDriver()
	}
}

func (n *Node) wakeDriver() {
	select {
	case n.wake <- struct{}{}:
	default: // the driver is awake already
	}
}

// driver lets the machine work when it was woken or its deadline passes.
func (n *Node) driver() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
		n.drive(true, func(m *engine.Machine, now time.Time) {
			m.Step(now, engine.Wrote{})
			for _, a := range n.awaits.take() {
				m.Step(now, a)
			}
		})
		n.core.Lock()
		armed := n.core.armed
		n.core.Unlock()
		if !armed.IsZero() {
			timer.Reset(armed.Sub(n.Now()))
		}
	}
}

// received is called by the readers with what came; the packets are the link's again when it returns.
func (n *Node) received(packets []link.Packet) {
	n.drive(false, func(m *engine.Machine, now time.Time) {
		for i := range packets {
			p := &packets[i]
			m.Step(now, engine.Datagram{Data: p.Data, From: p.From, Multicast: p.Multicast})
		}
	})
}

// step gives the machine one input from outside.
func (n *Node) step(in engine.Input) {
	n.drive(false, func(m *engine.Machine, now time.Time) { m.Step(now, in) })
}

// drive runs f on the machine, polls it, and then, the machine being free again, carries out what it asks for. The
// driver passes its own name, since it looks at the deadline by itself.
func (n *Node) drive(isDriver bool, f func(*engine.Machine, time.Time)) {
	out := n.outputs.Get().(*engine.Output)
	now := n.Now()
	n.core.Lock()
	m := n.core.machine
	// Before the machine looks for changes: whoever has read "unhurried" until here has logged its change before.
	was := n.unhurried.Swap(false)
	f(m, now)
	if m.Cloned() {
		n.reincarnate(now)
	}
	m.Poll(now, out)
	is := m.Unhurried()
	n.unhurried.Store(is)
	deadline := m.Deadline()
	early := !deadline.IsZero() && (n.core.armed.IsZero() || deadline.Before(n.core.armed)) || was && !is
	if isDriver || early {
		n.core.armed = deadline
	}
	n.peers.Store(int32(m.Peers())) // before the lock is given up: a later drive's are not to be overwritten
	n.lacks.Store(m.Lacks())
	if m.State() == wire.Synced && n.State() != wire.Synced {
		n.lookAtClocks() // before it takes a write
	}
	n.state.Store(uint32(m.State()))
	n.core.Unlock()

	if early && !isDriver {
		n.wakeDriver() // it sets its timer anew, and looks for changes
	}
	n.carryOut(out)
	n.outputs.Put(out)
}

func (n *Node) carryOut(out *engine.Output) {
	if len(out.Frames) > 0 {
		n.transmit(out.Frames)
	}
	for _, a := range out.Acked {
		n.awaits.finish(a)
	}
	for _, f := range out.Fetches {
		n.startFetch(f)
	}
	if out.Watching != nil {
		n.watches.set(out.Watching, n.keepWatch)
	}
	for _, e := range out.Events {
		n.tell(e)
	}
}

// transmit sends the frames in their order.
func (n *Node) transmit(frames []engine.Frame) {
	n.tx.Lock()
	batch := n.tx.batch[:0]
	for _, f := range frames {
		batch = append(batch, link.Datagram{Data: f.Data, To: f.To, Multicast: !f.To.IsValid()})
	}
	err := n.sockets.Send(batch)
	clear(batch)
	n.tx.batch = batch
	n.tx.Unlock()
	if tooLarge := (*link.SizeError)(nil); errors.As(err, &tooLarge) && tooLarge.Limit > 0 {
		n.step(engine.PayloadLimit{Bytes: tooLarge.Limit})
	}
}

func (n *Node) tell(e engine.Event) {
	switch e.Kind {
	case engine.EventSynced:
		n.once.synced.Do(func() { close(n.synced) })
	case engine.EventLacks:
		n.once.short.Do(func() { close(n.short) })
	case engine.EventHurried:
		n.takers.Store(int32(e.Takers))
	case engine.EventLeft:
		n.once.left.Do(func() { close(n.left) })
	}
	if n.cfg.OnEvent != nil {
		n.cfg.OnEvent(e)
	}
}

// linkChanged is told by the link that its interface went or came.
func (n *Node) linkChanged(what string) {
	n.cfg.Log.Warn("network interface changed", "what", what)
	if n.link != nil {
		n.step(engine.PayloadLimit{Bytes: n.link.MTUPayload()})
	}
	n.step(engine.LinkChanged{})
}

// Members lists this node and every peer.
func (n *Node) Members() []engine.Member {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.Members(n.Now())
}

// Counters are the protocol's, and what was dropped before it came to the machine.
func (n *Node) Counters() engine.Counters {
	n.core.Lock()
	c := n.core.machine.Counters()
	n.core.Unlock()
	c.AwaitDenied += n.awaits.refused()
	c.WatchersDenied += n.watches.denied.Load()
	return c
}

// AckHealth tells how far writes are confirmed as the configuration asks.
func (n *Node) AckHealth() engine.AckHealth {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.AckHealth(n.Now())
}

// FullHealth tells how far memory limits what this node takes.
func (n *Node) FullHealth() engine.FullHealth {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.FullHealth(n.Now())
}

// Incomplete tells what donors offered to this node as it joined, and took away with them.
func (n *Node) Incomplete() engine.Incomplete {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.Incomplete(n.Now())
}

// Unproven lists the nodes that are heard and do not answer.
func (n *Node) Unproven() []engine.Unproven {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.Unproven(n.Now())
}

// OtherKeys lists the addresses from which frames under another cluster key came within the last minute.
func (n *Node) OtherKeys() []netip.Addr {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.OtherKeys(n.Now())
}

// Foreign lists the addresses that sent most of what was no frame of this cluster within the last minute.
func (n *Node) Foreign() []netip.Addr {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.Foreign(n.Now())
}

// offer is what this node holds, for a transfer that starts now.
func (n *Node) offer() ([]wire.Vector, []wire.Marks, wire.MemberState) {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.Offer(), n.core.machine.Marks(), n.core.machine.State()
}

// absence is what the transfer under way is to be judged by; false if the machine has replaced it.
func (n *Node) absence(id uint64) (*engine.Absence, bool) {
	n.core.Lock()
	defer n.core.Unlock()
	return n.core.machine.Absence(id)
}

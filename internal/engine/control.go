package engine

import (
	"net/netip"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// destination is the group, or one node at an address.
type destination struct {
	origin record.Origin // zero: the group
	addr   netip.AddrPort
	road   uint8 // to the group: 0 for all
}

var (
	group         destination
	multicastOnly = destination{road: 1}
	copiesOnly    = destination{road: 2}
)

func (p *peer) dest() destination { return destination{origin: p.origin, addr: p.addr} }

// controlFrame is a small frame that waits for the next Poll.
type controlFrame struct {
	typ  wire.Type
	to   destination
	body []byte
}

// queue keeps a frame for the next Poll. Beyond maxControl it is dropped: every such frame is repeated by a timer.
func (m *Machine) queue(typ wire.Type, to destination, body []byte) {
	if len(m.control) >= maxControl {
		m.count.ControlDropped++
		return
	}
	m.control = append(m.control, controlFrame{typ, to, body})
}

func (m *Machine) pollControl() {
	for _, c := range m.control {
		m.send(c.typ, c.to, c.body)
	}
	clear(m.control)
	m.control = m.control[:0]
}

// send seals body into the output.
func (m *Machine) send(typ wire.Type, to destination, body []byte) {
	m.finish(to, append(m.begin(typ, to), body...))
}

// begin starts a frame at the end of the output's buffer: the caller appends the body to what it returns and passes
// that to finish.
func (m *Machine) begin(typ wire.Type, to destination) []byte {
	if to == group && typ != wire.TypeHello { // that also goes to who is not known yet
		m.beat.sent++ // before the body is written, so that a heartbeat counts itself
	}
	return m.sealer.Begin(m.out.buffer, typ, !to.origin.IsZero())
}

func (m *Machine) finish(to destination, frame []byte) {
	start := len(m.out.buffer)
	frame = m.sealer.Finish(frame, start, to.origin)
	if frame == nil { // only by a mistake of ours: better a lost frame than one sealed wrongly
		m.count.SealRefused++
		return
	}
	m.out.buffer = frame
	data := frame[start:len(frame):len(frame)]
	if to.origin.IsZero() {
		m.clone.latest = append(m.clone.latest[:0], data...)
	}
	m.emit(to, data)
}

// room is how many bytes a body may have.
func (m *Machine) room() int { return m.cfg.MaxPayload - wire.Overhead }

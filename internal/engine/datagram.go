package engine

import (
	"errors"

	"github.com/sessioncast/sessioncast/internal/seal"
	"github.com/sessioncast/sessioncast/internal/wire"
)

// takeDatagram opens a frame and hands it to what it is for. There is no other way for a peer's bytes into the
// machine. Nothing of an origin that has not proved to be alive counts (PROTOCOL.md, "Challenge").
func (m *Machine) takeDatagram(in Datagram) {
	m.count.FramesIn++
	m.count.BytesIn += uint64(len(in.Data))
	opened, err := m.opener.Open(nil, in.Data)
	if errors.Is(err, seal.ErrOwn) {
		m.takeOwn(&opened.Header, in)
		return
	}
	if err != nil {
		m.countDrop(err, in)
		return
	}
	if !opened.Proven {
		m.takeStranger(&opened, in)
		return
	}
	p := m.members.byRef[m.origins.Intern(opened.Header.Origin)]
	if p == nil { // proven, and forgotten since
		m.opener.Forget(opened.Header.Origin)
		m.takeStranger(&opened, in)
		return
	}
	m.hear(p, in, &opened.Header)
	m.noteCalled(p, &in, &opened.Header)
	if err := m.dispatch(p, &opened); err != nil {
		m.count.DropMalformed++
	}
}

func (m *Machine) countDrop(err error, in Datagram) {
	switch {
	case len(in.Data) > 0 && in.Data[0] == '{':
		m.count.DropOriginal++
	case errors.Is(err, seal.ErrKey):
		m.count.DropKey++
		m.noteOtherKey(in.From)
	case errors.Is(err, seal.ErrReplay):
		m.count.DropReplay++
	case errors.Is(err, seal.ErrTag):
		m.count.DropTag++
		m.admit.foreign.note(in.From.Addr(), m.now)
	case errors.Is(err, wire.ErrShort):
		m.count.DropShort++
		m.admit.foreign.note(in.From.Addr(), m.now)
	default:
		m.count.DropForeign++
		m.admit.foreign.note(in.From.Addr(), m.now)
	}
}

func (m *Machine) dispatch(p *peer, f *seal.Opened) error {
	switch f.Header.Type {
	case wire.TypeData:
		return m.takeData(p, f.Body)
	case wire.TypeRepair:
		return m.takeRepair(p, f.Body)
	case wire.TypeFrag:
		return m.takeFragment(p, f.Body)
	case wire.TypeHeartbeat:
		return m.takeHeartbeat(p, f.Body)
	case wire.TypeNack:
		return m.takeNack(p, f.Body)
	case wire.TypeAck:
		return m.takeAck(p, f.Body)
	case wire.TypeHello:
		return m.takeHello(p, f.Body)
	case wire.TypeGreet:
		return m.takeGreet(p, f.Body)
	case wire.TypeLeave:
		return m.takeLeave(p, f.Body)
	case wire.TypeProbe:
		return m.takeProbe(p, f.Body)
	case wire.TypeProbeAck:
		return m.takeProbeAck(p, f.Body)
	case wire.TypeProbeReq:
		return m.takeProbeReq(p, f.Body)
	case wire.TypeDoubt:
		return m.takeDoubt(p, f.Body)
	case wire.TypeChallenge:
		return m.answerChallenge(f, p.addr)
	case wire.TypeResponse:
		return nil // late or repeated: the peer is proven already
	}
	return wire.ErrType
}

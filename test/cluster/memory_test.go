package cluster

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessioncast/sessioncast/internal/link"
	"github.com/sessioncast/sessioncast/internal/node"
)

func TestInMemory(t *testing.T) {
	for _, b := range bodies {
		t.Run(b.name, func(t *testing.T) {
			if b.once || b.much {
				notRaced(t)
			}
			synctest.Test(t, func(t *testing.T) { runOn(t, newMemory(), b.run) })
		})
	}
}

const (
	memoryLatency = 100 * time.Microsecond
	memoryInbox   = 1 << 14 // batches in flight to one node; more are dropped
)

// memory is a network in one process. Its dice are seeded, its clock is whatever clock the test has.
type memory struct {
	mu           sync.Mutex
	dice         *rand.Rand
	lossPerMille int
	apart        map[int]bool  // hosts cut off from the others
	mended       chan struct{} // closed when the present cut ends; nil: nothing is cut
	ports        []*port       // in the order in which they came, so that the dice fall alike
}

// port is one node's sockets and its listener of streams.
type port struct {
	net    *memory
	host   int
	addr   netip.AddrPort
	group  netip.AddrPort
	inbox  chan flight
	dialed chan net.Conn
	once   sync.Once
	closed chan struct{}
}

// flight is a batch under way.
type flight struct {
	arrives time.Time
	packets []link.Packet
}

func newMemory() *memory {
	return &memory{dice: rand.New(rand.NewPCG(1, 2)), apart: map[int]bool{}}
}

func (m *memory) lose(_ *testing.T, percent float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lossPerMille = int(percent * 10)
}

func (m *memory) cut(t *testing.T, hosts ...int) {
	m.mend(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mended = make(chan struct{})
	for _, h := range hosts {
		m.apart[h] = true
	}
}

func (m *memory) mend(*testing.T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.apart)
	if m.mended != nil {
		close(m.mended)
		m.mended = nil
	}
}

func (m *memory) isCut(a, b int) bool { return m.apart[a] != m.apart[b] }

// wayBetween is closed when there is a way between the hosts again; nil: there is one.
func (m *memory) wayBetween(a, b int) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.isCut(a, b) {
		return nil
	}
	return m.mended
}

func (m *memory) open(t *testing.T, host int, cfg node.Config) (*node.Node, error) {
	cfg.Network.Address = netip.AddrFrom4([4]byte{10, 77, 0, byte(host + 1)})
	cfg.Network.System = oneInterface{cfg.Network.Address}
	resolved, err := cfg.Network.Resolve()
	if err != nil {
		return nil, err
	}
	p := m.attach(host, cfg.Network.Address, resolved.Group)
	cfg.Dialer = dialer{m, host}
	return node.OpenOver(cfg, p, p.listener(), p.addr)
}

// attach takes the first free port of the address, as nodes of one host do.
func (m *memory) attach(host int, addr netip.Addr, group netip.AddrPort) *port {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := netip.AddrPortFrom(addr, group.Port())
	for m.find(at) != nil {
		at = netip.AddrPortFrom(addr, at.Port()+1)
	}
	p := &port{net: m, host: host, addr: at, group: group, inbox: make(chan flight, memoryInbox),
		dialed: make(chan net.Conn), closed: make(chan struct{})}
	m.ports = append(m.ports, p)
	return p
}

func (m *memory) find(at netip.AddrPort) *port {
	for _, p := range m.ports {
		if p.addr == at {
			return p
		}
	}
	return nil
}

// Send implements node.Sockets.
func (p *port) Send(batch []link.Datagram) error {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	for _, q := range p.net.ports {
		if p.net.isCut(p.host, q.host) {
			continue
		}
		f := flight{arrives: time.Now().Add(memoryLatency)}
		for _, d := range batch {
			toQ := d.To == q.addr
			if d.Multicast {
				toQ = q.group == p.group
			}
			if toQ && p.net.dice.IntN(1000) >= p.net.lossPerMille {
				f.packets = append(f.packets, link.Packet{Data: append([]byte(nil), d.Data...), From: p.addr, Multicast: d.Multicast})
			}
		}
		if len(f.packets) == 0 {
			continue
		}
		select {
		case q.inbox <- f:
		default: // as a full receive buffer
		}
	}
	return nil
}

// Receive implements node.Sockets.
func (p *port) Receive(ctx context.Context, deliver func([]link.Packet)) error {
	for {
		select {
		case f := <-p.inbox:
			if !p.await(ctx, f.arrives) {
				return nil
			}
			deliver(f.packets)
		case <-p.closed:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *port) await(ctx context.Context, at time.Time) bool {
	d := time.Until(at)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.closed:
	case <-ctx.Done():
	}
	return false
}

// Close implements node.Sockets and net.Listener.
func (p *port) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.net.mu.Lock()
		defer p.net.mu.Unlock()
		p.net.ports = slices.DeleteFunc(p.net.ports, func(q *port) bool { return q == p })
	})
	return nil
}

// oneInterface is a host with one interface.
type oneInterface struct{ addr netip.Addr }

func (o oneInterface) Interfaces() ([]link.Interface, error) {
	i, _ := o.Interface("eth0")
	return []link.Interface{i}, nil
}

func (o oneInterface) Interface(string) (link.Interface, bool) {
	return link.Interface{Name: "eth0", Index: 1, MTU: 1500, Up: true, Multicast: true, Addrs: []netip.Addr{o.addr}}, true
}

func (o oneInterface) RouteSource(bool) netip.Addr { return o.addr }

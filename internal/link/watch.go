package link

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// watchInterval is how often the interface is looked at.
const watchInterval = 2 * time.Second

// interfaceState is what of an interface, when it changes, may have lost us the group.
type interfaceState struct {
	index       int
	up, address bool
}

func (s interfaceState) usable() bool { return s.index != 0 && s.up && s.address }

func (s interfaceState) String() string {
	switch {
	case s.index == 0:
		return "is gone"
	case !s.up:
		return "is down"
	case !s.address:
		return "lost its address"
	}
	return "is up"
}

// watch looks at the interface until the Link closes or ctx ends.
func (l *Link) watch(ctx context.Context) {
	last := interfaceState{l.resolved.Interface.Index, true, true}
	for l.pause(ctx, l.watchInterval) {
		last = l.look(last)
	}
}

// look compares the interface with what it was and joins again where it came back. A join that fails is tried again on
// the next look.
func (l *Link) look(last interfaceState) interfaceState {
	now := l.observe()
	if now == last {
		return last
	}
	name := l.resolved.Interface.Name
	if !now.usable() {
		l.report(fmt.Sprintf("interface %s %s; waiting for it to come back", name, now))
		return now
	}
	if l.group == nil {
		l.report(fmt.Sprintf("interface %s is back", name))
		return now
	}
	if err := l.join(now.index); err != nil {
		if last.usable() || last.index != now.index {
			l.report(fmt.Sprintf("interface %s is back, joining %s on it failed, trying again: %v", name, l.resolved.Group.Addr(), err))
		}
		return interfaceState{index: now.index}
	}
	l.counters.joins.Add(1)
	l.report(fmt.Sprintf("interface %s is back, joined %s on it again", name, l.resolved.Group.Addr()))
	return now
}

func (l *Link) observe() interfaceState {
	i, found := l.system.Interface(l.resolved.Interface.Name)
	if !found {
		return interfaceState{}
	}
	if i.MTU > 0 {
		l.mtu.Store(int64(i.MTU))
	}
	l.sender.scope.Store(uint32(i.Index))
	return interfaceState{i.Index, i.Up, slices.Contains(i.Addrs, l.resolved.Address)}
}

func (l *Link) report(sentence string) {
	if l.onChange != nil {
		l.onChange(sentence)
	}
}

package link

import "slices"

// Send sends a batch in as few system calls as the platform allows. What the network does not take at the moment is
// counted and dropped, as on any datagram network; a datagram larger than the interface takes is reported as a
// *SizeError after the others have been sent; net.ErrClosed after Close. One goroutine at a time.
func (l *Link) Send(batch []Datagram) error {
	if l.avoid != 0 && slices.ContainsFunc(batch, l.avoided) {
		all := len(batch)
		batch = slices.DeleteFunc(slices.Clone(batch), l.avoided)
		l.counters.sendErrors.Add(uint64(all - len(batch)))
	}
	refused, err := l.sender.send(batch)
	if err != nil || refused == 0 {
		return err
	}
	limit := l.currentLimit()
	if limit >= refused {
		limit = 0
	}
	return &SizeError{Size: refused, Limit: limit}
}

// avoided tells what would go to where others die of it.
func (l *Link) avoided(d Datagram) bool {
	if d.Multicast {
		return l.resolved.Group.Port() == l.avoid
	}
	return d.To.Port() == l.avoid
}

// currentLimit looks at the interface's MTU at once instead of waiting for the next look of watch.
func (l *Link) currentLimit() int {
	if i, found := l.system.Interface(l.resolved.Interface.Name); found && i.MTU > 0 {
		l.mtu.Store(int64(i.MTU))
	}
	return l.MTUPayload()
}

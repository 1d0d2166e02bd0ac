package engine

// lossMeter measures the share of a sender's multicast datagrams that do not arrive, by the sender's own count: over the
// last beats that make lossSample datagrams together, as far as lossWindow beats go. Of fewer than lossLeast nothing
// is said.
type lossMeter struct {
	received   uint64 // since the last count heard
	lastSent   uint64
	sent, lost [lossWindow]uint64
	at         int
	loss       float64
}

// report takes in the sender's count of multicast datagrams, and returns how many were sent since the last.
func (l *lossMeter) report(sent uint64) (expected uint64) {
	if l.lastSent != 0 && sent > l.lastSent {
		expected = sent - l.lastSent
		l.at = (l.at + 1) % lossWindow
		l.sent[l.at] = expected
		l.lost[l.at] = expected - min(l.received, expected)
		l.loss = l.share()
	}
	if sent >= l.lastSent {
		l.lastSent, l.received = sent, 0
	}
	return expected
}

func (l *lossMeter) share() float64 {
	var all, lost uint64
	for i := range lossWindow {
		at := (l.at - i + lossWindow) % lossWindow
		all += l.sent[at]
		lost += l.lost[at]
		if all >= lossSample {
			break
		}
	}
	if all < lossLeast {
		return 0
	}
	return float64(lost) / float64(all)
}

package engine

import "time"

// pacer is a token bucket over the bytes that leave, whose rate follows the loss that receivers report: cut when the
// second-worst loses too much (the worst may be broken by itself), raised slowly otherwise.
type pacer struct {
	rate    float64 // bytes per second
	tokens  float64
	at      time.Time
	adaptAt time.Time
}

func (p *pacer) refill(now time.Time) {
	if p.at.IsZero() {
		p.at, p.tokens = now, paceBurst
		return
	}
	if d := now.Sub(p.at); d > 0 {
		p.tokens = min(p.tokens+p.rate*d.Seconds(), paceBurst)
		p.at = now
	}
}

func (p *pacer) spend(n int) { p.tokens -= float64(n) }

func (p *pacer) ready(now time.Time) bool {
	p.refill(now)
	return p.tokens > 0
}

// readyAt is when the next byte may leave.
func (p *pacer) readyAt(now time.Time) time.Time {
	if p.ready(now) {
		return now
	}
	return now.Add(time.Duration(-p.tokens/p.rate*float64(time.Second)) + time.Microsecond)
}

// adapt follows the second-worst loss, at most once in paceInterval.
func (p *pacer) adapt(now time.Time, loss float64, ceiling float64) {
	if now.Before(p.adaptAt) {
		return
	}
	p.adaptAt = now.Add(paceInterval)
	if loss > paceLoss {
		p.rate = max(p.rate*paceCut, ceiling*paceFloor)
		return
	}
	p.rate = min(p.rate+ceiling*paceGain, ceiling)
}

package engine

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// foreigners are the addresses that send most of what is no frame of this cluster, or a damaged or forged one. They are found in bounded space: who finds no room takes
// the place of who sent least, and its count (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005), so that
// who sends more than an eighth of a flood is always among them. Addresses can be forged.
type foreigners struct {
	list [maxForeigners]foreigner
	n    int
}

type foreigner struct {
	addr  netip.Addr
	count uint64 // at most what it sent
	taken uint64 // of it, what may have been another's
	heard time.Time
}

func (f *foreigners) note(addr netip.Addr, now time.Time) {
	least := 0
	for i := range f.list[:f.n] {
		if f.list[i].addr == addr {
			f.list[i].count++
			f.list[i].heard = now
			return
		}
		if now.Sub(f.list[i].heard) >= foreignRecent {
			f.list[i].count, f.list[i].taken = 0, 0
		}
		if f.list[i].count < f.list[least].count {
			least = i
		}
	}
	if f.n < maxForeigners {
		least = f.n
		f.n++
	}
	before := f.list[least].count
	f.list[least] = foreigner{addr: addr, count: before + 1, taken: before, heard: now}
}

// Foreign lists, who sends most first, the addresses from which datagrams that are no frames of this cluster, or damaged or forged ones, came within the
// last minute, at most eight. Those of another cluster key are OtherKeys.
func (m *Machine) Foreign(now time.Time) (list []netip.Addr) {
	m.advance(now)
	f := m.admit.foreign // a copy
	slices.SortStableFunc(f.list[:f.n], func(a, b foreigner) int { return cmp.Compare(b.count-b.taken, a.count-a.taken) })
	for i := range f.list[:f.n] {
		if m.now.Sub(f.list[i].heard) < foreignRecent {
			list = append(list, f.list[i].addr)
		}
	}
	return list
}

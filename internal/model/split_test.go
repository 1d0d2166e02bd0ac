package model

import "testing"

// half is one side of a split that lasted longer than a tombstone's until: births by their creating dots, and what the
// side covers. Tombstones are collected.
type half struct{ births, covered Dots }

// byDots is design 3.3: a birth whose creating dot the other side covers, and which the other side lacks, was destroyed
// there; the rest is kept.
func byDots(a, b half) (half, half) {
	kept := a.births&^(b.covered&^b.births) | b.births&^(a.covered&^a.births)
	h := half{births: kept, covered: a.covered | b.covered}
	return h, h
}

// discardAll is the rule it replaced: who was away discards all and takes what the other has. In an even split each
// is away to the other.
func discardAll(a, b half) (half, half) {
	return half{covered: a.covered | b.covered}, half{covered: a.covered | b.covered}
}

// TestEvenSplitLongerThanUntil: old is destroyed on one side and its tombstone collected; each side creates one more.
func TestEvenSplitLongerThanUntil(t *testing.T) {
	old, left, right := dot(0, 0), dot(0, 1), dot(1, 0)
	a, b := half{births: left, covered: old | left}, half{births: old | right, covered: old | right}
	if x, y := byDots(a, b); x != y || x.births != left|right {
		t.Errorf("by dots: %v and %v, want both with the two new sessions and without the destroyed one", x, y)
	}
	if x, y := discardAll(a, b); x.births|y.births != 0 {
		t.Error("the planted rule keeps something: this scenario shows nothing")
	}
}

package record

import (
	"testing"

	"pgregory.net/rapid"
)

func TestFingerprintsAreEqualWhereStatesAre(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawState(t, o, 0), drawState(t, o, 0)
		equal := same(a, b) == ""
		if got := o.Fingerprint(7, &a) == o.Fingerprint(7, &b); got != equal {
			t.Fatalf("fingerprints equal: %v, states equal: %v", got, equal)
		}
		c := join(o, a, b, 0)
		d := join(o, b, a, 0)
		if o.Fingerprint(7, &c) != o.Fingerprint(7, &d) {
			t.Fatal("equal states, different fingerprints")
		}
		if !a.IsEmpty() && o.Fingerprint(7, &a) == o.Fingerprint(8, &a) {
			t.Fatal("the key's hash does not count")
		}
	})
}

func TestEveryFieldCountsInTheFingerprint(t *testing.T) {
	o := threeOrigins()
	v := Version{5, 1}
	base := State{Tomb: Tombstone{1, 2, 3}, Births: []Birth{{ID: v, Value: testValue(v), Deadline: testDeadline(v)}}}
	for name, change := range map[string]func(*State, *Birth){
		"T":                func(s *State, _ *Birth) { s.Tomb.At++ },
		"until":            func(s *State, _ *Birth) { s.Tomb.Until++ },
		"hold":             func(s *State, _ *Birth) { s.Tomb.Hold++ },
		"identity stamp":   func(_ *State, b *Birth) { b.ID.At++ },
		"identity origin":  func(_ *State, b *Birth) { b.ID.By++ },
		"sequence":         func(_ *State, b *Birth) { b.Seq++ },
		"weakness":         func(_ *State, b *Birth) { b.Weak = true },
		"value version":    func(_ *State, b *Birth) { b.Value.At++ },
		"value hash":       func(_ *State, b *Birth) { b.Value.Hash++ },
		"deadline version": func(_ *State, b *Birth) { b.Deadline.At++ },
		"due":              func(_ *State, b *Birth) { b.Deadline.Due++ },
		"promise":          func(_ *State, b *Birth) { b.Deadline.Promise++ },
		"latest":           func(_ *State, b *Birth) { b.Latest++ },
		"span":             func(_ *State, b *Birth) { b.Span++ },
		"absolute":         func(_ *State, b *Birth) { b.Absolute++ },
	} {
		s := base.Clone()
		change(&s, &s.Births[0])
		if o.Fingerprint(7, &s) == o.Fingerprint(7, &base) {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestFingerprintDoesNotDependOnRefs(t *testing.T) {
	a, b := new(Origins), new(Origins)
	for n := 1; n <= 3; n++ {
		a.Intern(testOrigin(n))
		b.Intern(testOrigin(4 - n))
	}
	state := func(by Ref) *State {
		v := Version{5, by}
		return &State{Births: []Birth{{ID: v, Value: testValue(Version{5, 2}), Deadline: Deadline{Version: v}}}}
	}
	if a.Fingerprint(7, state(1)) != b.Fingerprint(7, state(3)) {
		t.Fatal("the same state has two fingerprints")
	}
	if a.Fingerprint(7, &State{}) != 0 {
		t.Fatal("an empty state has a fingerprint")
	}
}

func TestContentHashTellsTypeOwnerAndBytesApart(t *testing.T) {
	seen := map[uint64]string{}
	for name, h := range map[string]uint64{
		"plain":   ContentHash(0, "", []byte("a")),
		"typed":   ContentHash(1, "", []byte("a")),
		"owned":   ContentHash(0, "a", []byte("a")),
		"swapped": ContentHash(0, "b", []byte("a")),
		"other":   ContentHash(0, "", []byte("b")),
		"empty":   ContentHash(0, "", nil),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s hash alike", name, other)
		}
		seen[h] = name
	}
}

package record

import (
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestOriginsAreInternedOnce(t *testing.T) {
	var s Origins
	var wg sync.WaitGroup
	refs := make([][]Ref, 4)
	for w := range refs {
		wg.Go(func() {
			for n := 1; n <= 50; n++ {
				ref := s.Intern(testOrigin(n))
				if s.Origin(ref) != testOrigin(n) {
					t.Errorf("ref %d is another origin", ref)
				}
				refs[w] = append(refs[w], ref)
			}
		})
	}
	wg.Wait()
	for _, r := range refs[1:] {
		for i := range r {
			if r[i] != refs[0][i] {
				t.Fatalf("origin %d has refs %d and %d", i+1, r[i], refs[0][i])
			}
		}
	}
	if s.Len() != 50 {
		t.Fatalf("%d origins, want 50", s.Len())
	}
}

func TestUnknownRefsAndOrigins(t *testing.T) {
	var s Origins
	if s.Len() != 0 || !s.Origin(3).IsZero() || s.Hash(3) != 0 || s.Intern(Origin{}) != 0 {
		t.Fatal("the zero value knows somebody")
	}
	if _, ok := s.Lookup(testOrigin(1)); ok {
		t.Fatal("looked up what was never interned")
	}
	if ref := s.Intern(testOrigin(1)); ref == 0 || s.Hash(ref) == 0 {
		t.Fatalf("ref %d, hash %d", ref, s.Hash(ref))
	}
	if !s.Origin(99).IsZero() {
		t.Fatal("a ref never given is somebody")
	}
}

func TestOriginByteFormRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), OriginSize, OriginSize).Draw(t, "bytes")
		if got := OriginFrom(b).Append(nil); string(got) != string(b) {
			t.Fatalf("%x, want %x", got, b)
		}
	})
}

func TestIncarnationStartsWithItsTime(t *testing.T) {
	i := Incarnation{0x01, 0x93, 0x54, 0x2a, 0xbc, 0xde, 0xff, 0xff}
	if got := i.StartMillis(); got != 0x0193542abcde {
		t.Fatalf("%x", got)
	}
}

func TestVersionsAreTotallyOrdered(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawVersion(t, "a", 1, 3), drawVersion(t, "b", 1, 3)
		if n := len(filter(a == b, o.Later(a, b), o.Later(b, a))); n != 1 {
			t.Fatalf("%d of equal, later and earlier hold", n)
		}
	})
}

func filter(conds ...bool) (held []bool) {
	for _, c := range conds {
		if c {
			held = append(held, c)
		}
	}
	return held
}

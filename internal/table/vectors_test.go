package table

import (
	"testing"

	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// TestKeyHashesAndFingerprintsAreThoseOfTheProtocol holds the vectors of PROTOCOL.md, "Key hash and fingerprints".
func TestKeyHashesAndFingerprintsAreThoseOfTheProtocol(t *testing.T) {
	var secret [16]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	origins := new(record.Origins)
	table := New(Config{Self: record.Origin{Node: record.NodeID{1}}, Origins: origins, Clock: new(hlc.Clock), Secret: secret})
	for _, c := range []struct {
		key  record.Key
		want uint64
	}{
		{record.Key{}, 0xd2eea07f56b02bea},
		{record.Key{Name: "session"}, 0x271b3ffcd99f5cc6},
		{record.Key{DB: 15, Name: "session"}, 0x63c06933e807b26e},
		{record.FloorKey(0), 0xbbbc73b7a03099ff},
	} {
		if got := table.hash(c.key); got != c.want {
			t.Errorf("hash of %v: %#x, want %#x", c.key, got, c.want)
		}
	}
	by := origins.Intern(record.Origin{Node: record.NodeID{2}, Incarnation: record.Incarnation{3}})
	v := record.Version{At: hlc.At(1_700_000_000_000), By: by}
	s := record.State{Births: []record.Birth{{
		ID: v, Seq: 7, Value: record.Value{Version: v, Bytes: []byte("data"), Hash: record.ContentHash(0, "", []byte("data"))},
		Deadline: record.Deadline{Version: v, Due: 1_700_000_060_000, Promise: 1_700_000_060_000},
		Latest:   1_700_000_060_000, Span: 60_000,
	}}}
	if got, want := origins.Fingerprint(table.hash(record.Key{Name: "session"}), &s), uint64(0x80aba9ee4378ffdb); got != want {
		t.Errorf("fingerprint: %#x, want %#x", got, want)
	}
}

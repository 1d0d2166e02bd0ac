package record

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// ContentHash hashes what a value says: its type, owner and bytes.
func ContentHash(typ uint8, owner string, data []byte) uint64 {
	h := xxhash.Sum64(data)
	if typ != 0 || owner != "" {
		h ^= xxhash.Sum64String(owner) * 31 // an odd factor, so that equal halves do not cancel
		h ^= uint64(typ) << 56
	}
	return h
}

// Fingerprint hashes everything in s that all nodes must agree on. keyHash is the key's own keyed hash, secret to the
// cluster; two nodes in the same state get the same sum. An empty state's is 0.
func (o *Origins) Fingerprint(keyHash uint64, s *State) uint64 {
	if s.IsEmpty() {
		return 0
	}
	var scratch [512]byte
	b := scratch[:0]
	u64 := func(v uint64) { b = binary.LittleEndian.AppendUint64(b, v) }
	version := func(v Version) {
		u64(uint64(v.At))
		u64(o.Hash(v.By))
	}
	u64(keyHash)
	u64(uint64(s.Tomb.At))
	u64(uint64(s.Tomb.Until))
	u64(uint64(s.Tomb.Hold))
	for i := range s.Births {
		birth := &s.Births[i]
		version(birth.ID)
		seq := birth.Seq << 1
		if birth.Weak {
			seq |= 1
		}
		u64(seq)
		version(birth.Value.Version)
		u64(birth.Value.Hash)
		version(birth.Deadline.Version)
		u64(uint64(birth.Deadline.Due))
		u64(uint64(birth.Deadline.Promise))
		u64(uint64(birth.Latest))
		u64(uint64(birth.Span))
		u64(uint64(birth.Absolute))
	}
	return xxhash.Sum64(b)
}

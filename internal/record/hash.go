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

// ValueHash is the content hash of v, its whole's version included where it is patched.
func (o *Origins) ValueHash(v *Value) uint64 {
	h := ContentHash(v.Type, v.Owner, v.Bytes)
	if v.Whole.At != 0 {
		h ^= uint64(v.Whole.At)*wholeFactor ^ o.Hash(v.Whole.By)
	}
	return h
}

// wholeFactor is odd: the golden ratio, as Fibonacci hashing takes it.
const wholeFactor = 0x9e3779b97f4a7c15

// Fingerprint hashes everything in s that all nodes must agree on. keyHash is the key's own keyed hash, secret to the
// cluster; two nodes in the same state get the same sum. An empty state's is 0.
func (o *Origins) Fingerprint(keyHash uint64, s *State) uint64 {
	if s.IsEmpty() {
		return 0
	}
	var scratch [headPrint + 3*birthPrint]byte
	b := scratch[:]
	if size := headPrint + len(s.Births)*birthPrint; size <= len(b) {
		b = b[:size]
	} else {
		b = make([]byte, size)
	}
	head := (*[headPrint]byte)(b)
	put(head[0:], keyHash)
	put(head[8:], uint64(s.Tomb.At))
	put(head[16:], uint64(s.Tomb.Until))
	put(head[24:], uint64(s.Tomb.Hold))
	for i := range s.Births {
		o.print((*[birthPrint]byte)(b[headPrint+i*birthPrint:]), &s.Births[i])
	}
	return xxhash.Sum64(b)
}

// What Fingerprint hashes of a key, and of each of its births.
const (
	headPrint  = 4 * 8
	birthPrint = 13 * 8
)

// print writes what Fingerprint hashes of a birth.
func (o *Origins) print(b *[birthPrint]byte, birth *Birth) {
	seq := birth.Seq << 1
	if birth.Weak {
		seq |= 1
	}
	id, value, deadline := birth.ID, birth.Value.Version, birth.Deadline.Version
	by := o.Hash(id.By)
	hash := func(r Ref) uint64 {
		if r == id.By { // nearly always
			return by
		}
		return o.Hash(r)
	}
	put(b[0:], uint64(id.At))
	put(b[8:], by)
	put(b[16:], seq)
	put(b[24:], uint64(value.At))
	put(b[32:], hash(value.By))
	put(b[40:], birth.Value.Hash)
	put(b[48:], uint64(deadline.At))
	put(b[56:], hash(deadline.By))
	put(b[64:], uint64(birth.Deadline.Due))
	put(b[72:], uint64(birth.Deadline.Promise))
	put(b[80:], uint64(birth.Latest))
	put(b[88:], uint64(birth.Span))
	put(b[96:], uint64(birth.Absolute))
}

func put(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

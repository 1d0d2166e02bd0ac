package table

import (
	"encoding/binary"
	"math/bits"
)

// sipHash is SipHash-1-3 (Aumasson and Bernstein, 2012) under the key k0, k1: the variant with fewer rounds, which the
// hash tables of Rust and Python use too. It keeps whoever lacks the key from aiming names at one bucket, and is half of
// what a look-up computes.
func sipHash(k0, k1 uint64, p []byte) uint64 {
	v0, v1 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d
	v2, v3 := k0^0x6c7967656e657261, k1^0x7465646279746573
	last := uint64(len(p))<<56 | sipTail(p)
	for ; len(p) >= 8; p = p[8:] {
		m := binary.LittleEndian.Uint64(p)
		v3 ^= m
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
		v0 ^= m
	}
	v3 ^= last
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0 ^= last
	v2 ^= 0xff
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v2 += v1
	v0 = bits.RotateLeft64(v0, 32) + v3
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}

// sipTail is the bytes of p behind its last whole word, as a little-endian number.
func sipTail(p []byte) (m uint64) {
	rest := len(p) % 8
	if len(p) >= 8 {
		return binary.LittleEndian.Uint64(p[len(p)-8:]) >> (64 - 8*rest)
	}
	for i := rest - 1; i >= 0; i-- {
		m = m<<8 | uint64(p[i])
	}
	return m
}

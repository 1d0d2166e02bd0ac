package table

import (
	"testing"

	"pgregory.net/rapid"
)

// The hashes of the bytes 0, 1, 2, ...: under the key 00 01 .. 0f as Rust's library publishes them, under the key 0 as
// Python's hash gives them with PYTHONHASHSEED=0.
func TestSipHashGivesThePublishedHashes(t *testing.T) {
	message := make([]byte, 64)
	for i := range message {
		message[i] = byte(i)
	}
	for _, tt := range []struct {
		length           int
		counted, zeroKey uint64 // 0: not published
	}{
		{0, 0xabac0158050fc4dc, 0xd1fba762150c532c},
		{1, 0xc9f49bf37d57ca93, 0x68a914128e01e473},
		{2, 0x82cb9b024dc7d44d, 0x010bac45c41e3669},
		{3, 0x8bf80ab8e7ddf7fb, 0},
		{4, 0xcf75576088d38328, 0},
		{5, 0xdef9d52f49533b67, 0},
		{6, 0xc50d2b50c59f22a7, 0},
		{7, 0xd3927d989bb11140, 0x2f098ab0c751325a},
		{8, 0x369095118d299a8e, 0xead411e67ebe2eea},
		{9, 0x25a48eb36c063de4, 0x75927f9d95124362},
		{15, 0xd320d86d2a519956, 0xf30eb725bb91c9ea},
		{16, 0xcc4fdd1a7d908b66, 0x8972188433a5c5b7},
		{37, 0xb6101c2da3c33057, 0x422a9751192ff266},
		{63, 0x9d199062b7bbb3a8, 0x385d3e39e5f37359},
	} {
		p := message[:tt.length]
		if got := sipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908, p); got != tt.counted {
			t.Errorf("%d bytes: %016x, want %016x", tt.length, got, tt.counted)
		}
		if got := sipHash(0, 0, p); tt.zeroKey != 0 && got != tt.zeroKey {
			t.Errorf("%d bytes under the key 0: %016x, want %016x", tt.length, got, tt.zeroKey)
		}
	}
}

func TestEveryBitOfANameCountsInItsHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "name")
		was := sipHash(1, 2, p)
		p[rapid.IntRange(0, len(p)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if sipHash(1, 2, p) == was {
			t.Fatal("the hash is the same")
		}
	})
}

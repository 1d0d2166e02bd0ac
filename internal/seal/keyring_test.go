package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNewKeyringRefuses(t *testing.T) {
	tests := []struct {
		name    string
		cluster string
		keys    []Key
		want    error
	}{
		{"no key", "", nil, ErrNoKey},
		{"five keys", "", []Key{keyOf(1), keyOf(2), keyOf(3), keyOf(4), keyOf(5)}, ErrManyKeys},
		{"one key twice", "", []Key{keyOf(1), keyOf(1)}, ErrSameKey},
		{"a key of zeros", "", []Key{{}}, ErrZeroKey},
		{"the public key beside a secret one", "", []Key{keyOf(1), InsecureKey()}, ErrMixedKeys},
		{"a secret key beside the public one", "", []Key{InsecureKey(), keyOf(1)}, ErrMixedKeys},
		{"a long name", strings.Repeat("n", 256), []Key{keyOf(1)}, ErrCluster},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if k, err := NewKeyring(tt.cluster, tt.keys...); k != nil || !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := NewKeyring(strings.Repeat("n", 255), keyOf(1), keyOf(2), keyOf(3), keyOf(4)); err != nil {
		t.Errorf("the longest name and four keys: %v", err)
	}
}

func TestKeyringRefusesTwoKeysOfOneID(t *testing.T) {
	if testing.Short() {
		t.Skip("searches some 77,000 keys")
	}
	// By the birthday bound some 2^16 keys hold two of one 4-byte id.
	seen := map[[4]byte]Key{}
	for i := 1; ; i++ {
		k := Key{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}
		id := ringOf(t, "", k).PrimaryID()
		if other, ok := seen[id]; ok {
			if _, err := NewKeyring("", other, k); !errors.Is(err, ErrKeyID) {
				t.Errorf("error %v", err)
			}
			return
		}
		seen[id] = k
	}
}

func TestKeyringKnowsItsKeys(t *testing.T) {
	k := ringOf(t, "c", keyOf(1), keyOf(2))
	first, second := ringOf(t, "c", keyOf(1)).PrimaryID(), ringOf(t, "c", keyOf(2)).PrimaryID()
	if !slices.Equal(k.IDs(), [][4]byte{first, second}) || k.PrimaryID() != first {
		t.Errorf("ids %x, primary %x", k.IDs(), k.PrimaryID())
	}
	if !k.Has(second) || k.Has(ringOf(t, "d", keyOf(1)).PrimaryID()) || k.Has([4]byte{}) {
		t.Error("Has")
	}
	if k.Cluster() != "c" || k.Insecure() || !ringOf(t, "c", InsecureKey()).Insecure() {
		t.Error("Cluster or Insecure")
	}
}

// hkdfOf derives without any of this package's code.
func hkdfOf(t testing.TB, key Key, info string, n int) []byte {
	t.Helper()
	out, err := hkdf.Key(sha256.New, key[:], nil, info, n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDerivationsAreThoseOfTheProtocol(t *testing.T) {
	k := ringOf(t, "prod", keyOf(1), keyOf(2))
	id := k.PrimaryID()
	if want := hkdfOf(t, keyOf(1), "sessioncast key id"+"prod", 4); !bytes.Equal(id[:], want) {
		t.Errorf("key id %x, want %x", id, want)
	}
	info := "sessioncast derive" + "\x00\x00\x00\x03" + "tls" + "prod"
	if got, want := k.Derive("tls", 40), hkdfOf(t, keyOf(1), info, 40); !bytes.Equal(got, want) {
		t.Errorf("Derive %x, want %x", got, want)
	}
	got, ok := k.DeriveFor(k.IDs()[1], "tls", 32)
	if want := hkdfOf(t, keyOf(2), info, 32); !ok || !bytes.Equal(got, want) {
		t.Errorf("DeriveFor %x, %v, want %x", got, ok, want)
	}
	if got, ok := k.DeriveFor([4]byte{1, 2, 3, 4}, "tls", 32); ok || got != nil {
		t.Error("DeriveFor of an unknown key")
	}
	if n := len(k.Derive("tls", MaxDerived)); n != MaxDerived {
		t.Errorf("the longest secret has %d bytes", n)
	}
}

func TestPurposeAndClusterNameDoNotRunTogether(t *testing.T) {
	a, b := ringOf(t, "c", keyOf(1)), ringOf(t, "bc", keyOf(1))
	if bytes.Equal(a.Derive("ab", 32), b.Derive("a", 32)) {
		t.Error("one secret for two purposes")
	}
	if a.PrimaryID() == b.PrimaryID() {
		t.Error("one id in two clusters")
	}
}

func TestLabelsAreOfOneLength(t *testing.T) {
	if len(labelKeyID) != len(labelSender) || len(labelSender) != len(labelDerive) {
		t.Error("an info of one label may equal one of another")
	}
	if labelKeyID == labelSender || labelSender == labelDerive || labelKeyID == labelDerive {
		t.Error("labels are the same")
	}
}

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/sessioncast/sessioncast/internal/record"
)

const (
	// MaxDerived is the longest secret that Derive gives: HKDF-SHA256's own limit.
	MaxDerived = 255 * sha256.Size

	maxClusterName = 255

	// epochBits is how many packets, as a power of two, one sender key seals.
	epochBits = 22
)

// The info of each derivation starts with one of these labels, all of one length, so that no two kinds of
// derivation ever share an info.
const (
	labelKeyID  = "sessioncast key id"
	labelSender = "sessioncast sender"
	labelDerive = "sessioncast derive"
)

// Keyring is a cluster's keys, the primary first. The cluster's name goes into everything derived from them: two
// clusters of different names never read each other, even with one key.
//
// A Keyring never changes and is safe for concurrent use. To change keys make another and hand it to the Sealer and
// the Opener.
type Keyring struct {
	cluster  string
	insecure bool
	keys     []*ringKey
}

// ringKey is a key as HKDF needs it.
type ringKey struct {
	id  [4]byte
	prk hidden
}

// hidden is a secret that fmt does not reach from a foreign struct either, where it ignores Format methods: it
// follows one pointer at most, and every holder of a hidden is itself held by a pointer.
type hidden *[sha256.Size]byte

// NewKeyring makes the keyring of 1 to MaxKeys keys, the primary first.
func NewKeyring(cluster string, keys ...Key) (*Keyring, error) {
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("making the keyring: %w", ErrNoKey)
	case len(cluster) > maxClusterName:
		return nil, fmt.Errorf("making the keyring: %w", ErrCluster)
	}
	k := &Keyring{cluster: cluster, insecure: keys[0] == InsecureKey()}
	for i, key := range keys {
		if err := checkBeside(keys[:i], key); err != nil {
			return nil, fmt.Errorf("making the keyring: key %d: %w", i+1, err)
		}
		rk, err := newRingKey(key, cluster)
		if err != nil {
			return nil, fmt.Errorf("making the keyring: key %d: %w", i+1, err)
		}
		if k.Has(rk.id) {
			return nil, fmt.Errorf("making the keyring: key %d: %w", i+1, ErrKeyID)
		}
		k.keys = append(k.keys, rk)
	}
	return k, nil
}

func newRingKey(key Key, cluster string) (*ringKey, error) {
	prk, err := hkdf.Extract(sha256.New, key[:], nil)
	if err != nil {
		return nil, err
	}
	rk := &ringKey{prk: (*[sha256.Size]byte)(prk)}
	copy(rk.id[:], rk.expand(labelKeyID+cluster, len(rk.id)))
	return rk, nil
}

// expand is HKDF-Expand. n is at most MaxDerived.
func (rk *ringKey) expand(info string, n int) []byte {
	out, err := hkdf.Expand(sha256.New, rk.prk[:], info, n)
	if err != nil {
		panic("seal: HKDF refused a length or hash that callers never give: " + err.Error())
	}
	return out
}

// Cluster is the cluster's name.
func (k *Keyring) Cluster() string { return k.cluster }

// Insecure reports whether the only key is the public one.
func (k *Keyring) Insecure() bool { return k.insecure }

// PrimaryID is the id of the key that frames are sealed with.
func (k *Keyring) PrimaryID() [4]byte { return k.keys[0].id }

// IDs are the ids of all keys, the primary first.
func (k *Keyring) IDs() [][4]byte {
	ids := make([][4]byte, len(k.keys))
	for i, rk := range k.keys {
		ids[i] = rk.id
	}
	return ids
}

// Has reports whether the key with this id is in the keyring.
func (k *Keyring) Has(id [4]byte) bool { return k.find(id) != nil }

func (k *Keyring) find(id [4]byte) *ringKey {
	for _, rk := range k.keys {
		if rk.id == id {
			return rk
		}
	}
	return nil
}

// Derive is a secret of n bytes for a purpose, from the primary key: the same on every node with this key and
// cluster name. A longer secret starts with the shorter one of the same purpose. n is at most MaxDerived; a purpose is a
// constant of the program.
func (k *Keyring) Derive(purpose string, n int) []byte {
	return k.keys[0].derive(k.cluster, purpose, n)
}

// DeriveFor is Derive from the key with this id; false if there is none.
func (k *Keyring) DeriveFor(id [4]byte, purpose string, n int) ([]byte, bool) {
	rk := k.find(id)
	if rk == nil {
		return nil, false
	}
	return rk.derive(k.cluster, purpose, n), true
}

// derive's info says how long the purpose is, so that purpose and cluster name cannot run into each other.
func (rk *ringKey) derive(cluster, purpose string, n int) []byte {
	info := binary.BigEndian.AppendUint32([]byte(labelDerive), uint32(len(purpose)))
	return rk.expand(string(info)+purpose+cluster, n)
}

// senderAEAD is the cipher for one epoch (packet >> epochBits) of one sender.
func (rk *ringKey) senderAEAD(cluster string, o record.Origin, epoch uint64) cipher.AEAD {
	info := make([]byte, 0, len(labelSender)+maxClusterName+record.OriginSize+8)
	info = append(append(info, labelSender...), cluster...)
	info = binary.BigEndian.AppendUint64(o.Append(info), epoch)
	block, err := aes.NewCipher(rk.expand(string(info), 32))
	if err != nil {
		panic("seal: AES refused a key of 32 bytes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: GCM refused AES: " + err.Error())
	}
	return aead
}

// Format shows the cluster and how many keys there are, whatever the verb, and never a key.
func (k Keyring) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "[keyring of %d for cluster %q]", len(k.keys), k.cluster)
}

// String shows what Format shows.
func (k Keyring) String() string { return fmt.Sprint(k) }

// MarshalText never shows a key.
func (k Keyring) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

package stream

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"github.com/sessioncast/sessioncast/internal/record"
)

// protocolName is the ALPN name; it changes when the framing does.
const protocolName = "sessioncast/1"

// Identity is what a node proves and who it is. Seeds are Ed25519 seeds, one derived from each cluster key of the ring,
// the primary first: we present the primary's and accept any.
type Identity struct {
	Seeds    [][32]byte
	Self     record.Origin
	Insecure bool // explicitly without a key: a seed that everybody knows takes the place of Seeds
}

// publicSeed is no secret. No secured node has it in its ring, so the two kinds never mix.
var publicSeed = [32]byte([]byte("sessioncast --insecure, no secret"[:32]))

func (id Identity) seeds() [][32]byte {
	if id.Insecure {
		return [][32]byte{publicSeed}
	}
	return id.Seeds
}

// config is the one TLS configuration for both sides.
func (id Identity) config() (*tls.Config, error) {
	seeds := id.seeds()
	if len(seeds) == 0 {
		return nil, ErrNoKey
	}
	cert, err := certificate(seeds[0])
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{cert},
		NextProtos:             []string{protocolName},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // there are no authorities and no names: verify does it
		VerifyConnection:       func(s tls.ConnectionState) error { return verify(s, seeds) },
		SessionTicketsDisabled: true,

		DynamicRecordSizingDisabled: true, // frames are read as a whole
	}, nil
}

// verify demands a certificate over a public key of our ring. That its sender holds the private half is what TLS proves.
func verify(s tls.ConnectionState, seeds [][32]byte) error {
	if len(s.PeerCertificates) != 1 || s.NegotiatedProtocol != protocolName {
		return ErrForeign
	}
	got, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return ErrForeign
	}
	match := 0
	for _, seed := range seeds {
		match |= subtle.ConstantTimeCompare(got, publicKey(seed))
	}
	if match != 1 {
		return ErrForeign
	}
	return nil
}

func publicKey(seed [32]byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// certificate wraps the key of a seed; nothing in it but the key is ever looked at.
func certificate(seed [32]byte) (tls.Certificate, error) {
	key := ed25519.NewKeyFromSeed(seed[:])
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making the stream's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// keyOf is a key of one repeated byte.
func keyOf(b byte) (k Key) {
	for i := range k {
		k[i] = b
	}
	return k
}

func ringOf(t testing.TB, cluster string, keys ...Key) *Keyring {
	t.Helper()
	k, err := NewKeyring(cluster, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestGenerateKeyTakesAllOfTheKeyFromTheSource(t *testing.T) {
	want := keyOf(7)
	k, err := GenerateKey(bytes.NewReader(want[:]))
	if err != nil || k != want {
		t.Errorf("got another key, or %v", err)
	}
	if _, err := GenerateKey(bytes.NewReader(want[:31])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("from 31 bytes: %v", err)
	}
}

func TestInsecureKeyStaysTheSame(t *testing.T) {
	const want = "1a4f742605d11ee00fc0a36010065f9ad0fcac7f08e67b332de9f850499808be"
	k := InsecureKey()
	if got := hex.EncodeToString(k[:]); got != want {
		t.Errorf("the public key is now %s: insecure nodes of two versions would not hear each other", got)
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	k := keyOf(0xab)
	ring := ringOf(t, "c", k)
	sealer, opener := NewSealer(ring, originOf(1)), NewOpener(ring, originOf(2))
	sealer.Seal(nil, 1, nil, nil)
	type foreign struct {
		ring   Keyring
		tagger Tagger
	}
	shown := func(v any) string {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%t", "%U", "%e"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			j = nil
		}
		out.Write(j)
		return out.String()
	}
	secrets := [][]byte{k[:4], ring.keys[0].prk[:4], ring.Tagger().holder.key[:4]}
	for _, v := range []any{
		k, &k, []Key{k}, struct{ K Key }{k}, map[string]Key{"k": k}, ring, *ring, foreign{*ring, ring.Tagger()},
		ring.Tagger(), sealer, *sealer, opener, *opener,
	} {
		text := strings.ToLower(shown(v))
		for _, secret := range secrets {
			for _, form := range []string{
				hex.EncodeToString(secret), fmt.Sprintf("%d", secret), strings.Trim(fmt.Sprint(secret), "[]"),
				fmt.Sprintf("%d, %d, %d", secret[0], secret[1], secret[2]), fmt.Sprintf("%#x, %#x", secret[0], secret[1]), string(secret),
			} {
				if strings.Contains(text, strings.ToLower(form)) {
					t.Errorf("%T shows a secret as %s", v, form)
				}
			}
		}
	}
	if got := fmt.Sprint(k) + fmt.Sprintf("%x%d%#v", k, k, k); got != strings.Repeat("[key]", 4) {
		t.Errorf("a key prints as %s", got)
	}
	if got := fmt.Sprintf("%v %x", ring, ring); got != `[keyring of 1 for cluster "c"] [keyring of 1 for cluster "c"]` {
		t.Errorf("a keyring prints as %s", got)
	}
}

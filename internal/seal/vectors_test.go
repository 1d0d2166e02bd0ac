package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/wire"
)

var update = flag.Bool("update", false, "write testdata/vectors anew: only for a new version of the format")

var expectations = map[string]error{
	"ok":      nil,
	"short":   wire.ErrShort,
	"magic":   wire.ErrMagic,
	"version": wire.ErrVersion,
	"type":    wire.ErrType,
	"own":     ErrOwn,
	"key":     ErrKey,
	"replay":  ErrReplay,
	"tag":     ErrTag,
}

// vector is one file of testdata/vectors: a frame, who receives it with which keys, and what must come of it.
type vector struct {
	comment  string
	expect   string
	cluster  string
	keys     []Key
	self     record.Origin
	admitted bool // the sender is, from packet number from
	from     uint64
	frame    []byte
	body     []byte
	proven   bool
}

func (v *vector) format() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s\nexpect: %s\ncluster: %s\n", v.comment, v.expect, v.cluster)
	for _, k := range v.keys {
		fmt.Fprintf(&out, "key: %s\n", hex.EncodeToString(k[:]))
	}
	fmt.Fprintf(&out, "self: %x\n", v.self.Append(nil))
	if v.admitted {
		fmt.Fprintf(&out, "admit: %d\n", v.from)
	}
	fmt.Fprintf(&out, "frame: %x\n", v.frame)
	if v.expect == "ok" {
		fmt.Fprintf(&out, "proven: %v\nbody: %x\n", v.proven, v.body)
	}
	return out.Bytes()
}

// parseVector reads what format writes, strictly.
func parseVector(t *testing.T, file []byte) (v vector) {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for line := range strings.Lines(string(file)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimSpace(value)
		var err error
		switch {
		case strings.HasPrefix(line, "# "):
			v.comment = strings.TrimSpace(line[2:])
		case !ok:
			t.Fatalf("line %q", line)
		case name == "expect":
			v.expect = value
		case name == "cluster":
			v.cluster = value
		case name == "key":
			v.keys = append(v.keys, Key(unhex(value)))
		case name == "self":
			v.self = record.OriginFrom(unhex(value))
		case name == "admit":
			v.admitted = true
			v.from, err = strconv.ParseUint(value, 10, 64)
		case name == "frame":
			v.frame = unhex(value)
		case name == "proven":
			v.proven, err = strconv.ParseBool(value)
		case name == "body":
			v.body = unhex(value)
		default:
			t.Fatalf("header %q", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// senderInfo is HKDF's info of a sender key, as docs/PROTOCOL.md has it.
func senderInfo(cluster string, o record.Origin, epoch uint64) string {
	return "sessioncast sender" + cluster + string(o.Append(nil)) + string(binary.BigEndian.AppendUint64(nil, epoch))
}

// referenceFrame seals body behind header with nothing but the standard library, as docs/PROTOCOL.md has it.
func referenceFrame(t testing.TB, header []byte, cluster string, key Key, epoch uint64, to *record.Origin, body []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(hkdfOf(t, key, senderInfo(cluster, record.OriginFrom(header[8:34]), epoch), 32))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := append(make([]byte, 4), header[34:42]...)
	aad := bytes.Clone(header)
	if to != nil {
		aad = to.Append(aad)
	}
	return gcm.Seal(bytes.Clone(header), nonce, body, aad)
}

// makeVectors are the vectors of version 1, without the Sealer.
func makeVectors(t *testing.T) map[string]vector {
	const cluster = "prod"
	key, old, body := keyOf(0x11), keyOf(0x22), []byte("a session's change")
	frame := func(typ byte, k Key, from record.Origin, packet uint64, to *record.Origin) []byte {
		if to != nil {
			typ |= 0x80
		}
		header := append([]byte{'s', 'c', 1, typ}, hkdfOf(t, k, "sessioncast key id"+cluster, 4)...)
		header = binary.BigEndian.AppendUint64(from.Append(header), packet)
		return referenceFrame(t, header, cluster, k, packet>>22, to, body)
	}
	plain := func() []byte { return frame(1, key, alice, 7, nil) }
	flip := func(at int) []byte { f := plain(); f[at] ^= 1; return f }
	set := func(at int, b byte) []byte { f := plain(); f[at] = b; return f }
	empty := plain()[:wire.HeaderSize]
	empty = referenceFrame(t, empty, cluster, key, 0, nil, nil)

	vectors := map[string]vector{
		"ok-data":           {comment: "DATA of an admitted sender.", frame: plain(), admitted: true, from: 6, proven: true},
		"ok-stranger":       {comment: "HELLO of a sender that is not admitted.", frame: frame(6, key, alice, 1, nil)},
		"ok-addressed":      {comment: "CHALLENGE addressed to the receiver.", frame: frame(13, key, alice, 3, &bob)},
		"ok-second-key":     {comment: "Sealed with the second key of the receiver's keyring.", frame: frame(1, old, alice, 7, nil), keys: []Key{key, old}},
		"ok-last-of-epoch":  {comment: "The last packet of the first sender key.", frame: frame(1, key, alice, 1<<22-1, nil), admitted: true, proven: true},
		"ok-first-of-epoch": {comment: "The first packet of the second sender key.", frame: frame(1, key, alice, 1<<22, nil), admitted: true, proven: true},
		"ok-empty-body":     {comment: "The shortest frame.", frame: empty, body: []byte{}},
		"short":             {comment: "One byte less than the shortest frame.", expect: "short", frame: plain()[:57]},
		"magic":             {comment: "A wrong first byte.", expect: "magic", frame: flip(0)},
		"version":           {comment: "Version 2.", expect: "version", frame: set(2, 2)},
		"type-0":            {comment: "Type 0.", expect: "type", frame: set(3, 0)},
		"type-16":           {comment: "A type beyond the last.", expect: "type", frame: set(3, 16)},
		"own":               {comment: "The receiver's own frame, come back.", expect: "own", frame: frame(1, key, bob, 7, nil)},
		"key-unknown":       {comment: "Sealed with another key.", expect: "key", frame: frame(1, old, alice, 7, nil)},
		"key-cluster":       {comment: "Sealed with this key in a cluster of another name.", expect: "key", frame: plain(), cluster: "test"},
		"replay-start":      {comment: "The packet that the window starts at.", expect: "replay", frame: plain(), admitted: true, from: 7},
		"replay-before-tag": {comment: "Too old, and its tag is wrong: the window is asked first.", expect: "replay", frame: flip(60), admitted: true, from: 9},
		"tag-flip":          {comment: "The last bit of the tag flipped.", expect: "tag", frame: flip(len(plain()) - 1)},
		"tag-body":          {comment: "A bit of the body flipped.", expect: "tag", frame: flip(42)},
		"tag-type":          {comment: "The type changed to another good one.", expect: "tag", frame: set(3, 4)},
		"tag-packet":        {comment: "Another packet number.", expect: "tag", frame: set(41, 8)},
		"tag-truncated":     {comment: "The last byte cut off.", expect: "tag", frame: plain()[:len(plain())-1]},
		"tag-destination":   {comment: "Addressed to another node.", expect: "tag", frame: frame(13, key, alice, 3, &carol)},
		"tag-unaddressed":   {comment: "The addressed bit set on a frame that is not.", expect: "tag", frame: set(3, 0x81)},
	}
	for name, v := range vectors {
		v.self = bob
		if v.expect == "" {
			v.expect = "ok"
		}
		if v.cluster == "" {
			v.cluster = cluster
		}
		if v.keys == nil {
			v.keys = []Key{key}
		}
		if v.body == nil && v.expect == "ok" {
			v.body = body
		}
		vectors[name] = v
	}
	return vectors
}

const vectorDir = "testdata/vectors"

func TestVectors(t *testing.T) {
	if *update {
		for name, v := range makeVectors(t) {
			if err := os.WriteFile(filepath.Join(vectorDir, name+".txt"), v.format(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(vectorDir + "/*.txt")
	if err != nil || len(files) < len(makeVectors(t)) {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	met := map[string]bool{}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			v := parseVector(t, file)
			met[v.expect] = true
			if !bytes.Equal(v.format(), file) {
				t.Error("not in the form of the others")
			}
			v.check(t)
		})
	}
	for expect := range expectations {
		if !met[expect] {
			t.Errorf("no vector expects %s", expect)
		}
	}
}

func (v *vector) check(t *testing.T) {
	want, ok := expectations[v.expect]
	if !ok {
		t.Fatalf("expects %q", v.expect)
	}
	k := ringOf(t, v.cluster, v.keys...)
	o := NewOpener(k, v.self)
	if v.admitted {
		o.Admit(record.OriginFrom(v.frame[8:34]), v.from)
	}
	if want != nil {
		wantRefused(t, o, v.frame, want)
		return
	}
	h := wantOpen(t, o, v.frame, string(v.body), v.proven)
	v.checkSealed(t, k, h)
}

// checkSealed wants the Sealer to make the vector's very bytes.
func (v *vector) checkSealed(t *testing.T, k *Keyring, h wire.Header) {
	for _, key := range v.keys {
		one := ringOf(t, v.cluster, key)
		if one.PrimaryID() != h.KeyID {
			continue
		}
		s := NewSealer(one, h.Origin)
		s.last = h.Packet - 1
		var to *record.Origin
		if h.Addressed {
			to = &v.self
		}
		if got := s.Seal(nil, h.Type, to, v.body); !bytes.Equal(got, v.frame) {
			t.Errorf("sealed %x, want %x", got, v.frame)
		}
		return
	}
	t.Errorf("opened with key %x, which is none of %v", h.KeyID, k.IDs())
}

package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessioncast/sessioncast/internal/hlc"
)

// patched is a value over a whole with fields "name=at:what", removed where nothing is said.
func patched(o *Origins, version, whole Version, fields ...string) Value {
	var list []Field
	for _, s := range fields {
		f := Field{}
		what := ""
		name, rest, _ := strings.Cut(s, "=")
		f.Name = name
		if _, err := fmt.Sscanf(rest, "%d:%s", &f.At, &what); err != nil {
			f.Removed = true
		}
		f.Bytes = []byte(what)
		list = append(list, f)
	}
	v := Patched(version, "o", whole, []byte("whole"), list)
	v.Hash = o.ValueHash(&v)
	return v
}

func shown(t *testing.T, v *Value) string {
	t.Helper()
	whole, at, fields, err := v.Parts(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := fmt.Sprintf("%s@%d", whole, at.At)
	for _, f := range fields {
		s += fmt.Sprintf(" %s=%d:%s", f.Name, f.At, f.Bytes)
		if f.Removed {
			s += "-"
		}
	}
	return s
}

func joined(o *Origins, a, b Value) Value {
	x, y := Birth{Value: a}, Birth{Value: b}
	o.joinBirth(&x, &y)
	return x.Value
}

func TestFieldsWrittenByTwoNodesAtOnceAreBothKept(t *testing.T) {
	o := threeOrigins()
	base := Version{3, 1}
	a := patched(o, Version{7, 1}, base, "cart=5:1", "user=7:ann")
	b := patched(o, Version{8, 2}, base, "cart=8:2", "theme=4:dark", "user=6:bob")
	for _, v := range []Value{joined(o, a, b), joined(o, b, a)} {
		if got, want := shown(t, &v), "whole@3 cart=8:2 theme=4:dark user=7:ann"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if v.Version != (Version{8, 2}) || v.Hash != o.ValueHash(&v) || v.CheckPatched() != nil {
			t.Errorf("version %v, hash right: %v, %v", v.Version, v.Hash == o.ValueHash(&v), v.CheckPatched())
		}
	}
}

func TestAWholeWriteEndsTheFieldsWrittenBeforeIt(t *testing.T) {
	o := threeOrigins()
	a := patched(o, Version{9, 1}, Version{3, 1}, "a=5:1", "b=9:2", "gone=6")
	data := []byte("anew")
	whole := Value{Version: Version{7, 2}, Owner: "p", Bytes: data, Hash: ContentHash(0, "p", data)}
	for _, v := range []Value{joined(o, a, whole), joined(o, whole, a)} {
		if got, want := shown(t, &v), "anew@7 b=9:2"; got != want || v.Owner != "o" {
			t.Errorf("%s of %q, want %s", got, v.Owner, want)
		}
	}
	whole.Version = Version{9, 3}
	for _, v := range []Value{joined(o, a, whole), joined(o, whole, a)} {
		if got, want := shown(t, &v), "anew@9 b=9:2"; got != want || v.Version != whole.Version {
			t.Errorf("at one stamp: %s, version %v", got, v.Version)
		}
	}
	whole.Version = Version{10, 3}
	for _, v := range []Value{joined(o, a, whole), joined(o, whole, a)} {
		if v.Type != 0 || string(v.Bytes) != "anew" || v.Owner != "p" || v.Whole != (Version{}) || v.Hash != whole.Hash {
			t.Errorf("%+v", v)
		}
	}
}

func TestAnOwnerAloneIsWrittenBesideFields(t *testing.T) {
	o := threeOrigins()
	plain := testValue(Version{3, 1})
	owned := Patched(Version{9, 2}, "p", plain.Version, plain.Bytes, nil)
	owned.Hash = o.ValueHash(&owned)
	if owned.Type != TypePatched || owned.CheckPatched() != nil {
		t.Fatalf("%+v, %v", owned, owned.CheckPatched())
	}
	field := patched(o, Version{7, 1}, plain.Version, "a=7:1")
	field.Bytes = Patched(Version{7, 1}, "o", plain.Version, plain.Bytes, []Field{{Name: "a", At: 7, Bytes: []byte("1")}}).Bytes
	for _, v := range []Value{joined(o, joined(o, plain, owned), field), joined(o, joined(o, field, plain), owned)} {
		if got, want := shown(t, &v), string(plain.Bytes)+"@3 a=7:1"; got != want || v.Owner != "p" || v.Version != owned.Version {
			t.Errorf("%s of %q at %v, want %s", got, v.Owner, v.Version, want)
		}
	}
}

func TestARemovedFieldStaysRemoved(t *testing.T) {
	o := threeOrigins()
	removed := patched(o, Version{8, 1}, Version{3, 1}, "a=8")
	removed.Bytes = Patched(Version{8, 1}, "o", Version{3, 1}, []byte("whole"), []Field{{Name: "a", At: 8, Removed: true}}).Bytes
	set := patched(o, Version{5, 2}, Version{3, 1}, "a=5:1")
	for _, v := range []Value{joined(o, removed, set), joined(o, set, removed)} {
		if got, want := shown(t, &v), "whole@3 a=8:-"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestPatchedAndPartsAreInverse(t *testing.T) {
	o := threeOrigins()
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(t, o, uint64(rapid.Uint32Range(1, 9).Draw(t, "from")))
		whole, at, fields, err := v.Parts(nil)
		if err != nil || len(fields) > 0 && v.CheckPatched() != nil {
			t.Fatalf("%v, %v", err, v.CheckPatched())
		}
		again := Patched(v.Version, v.Owner, at, whole, fields)
		if again.Type != v.Type || !bytes.Equal(again.Bytes, v.Bytes) {
			t.Fatalf("%+v became %+v", v, again)
		}
	})
}

func TestWhatNobodyWritesIsNoPatchedValue(t *testing.T) {
	base := Version{3, 1}
	good := Patched(Version{8, 1}, "", base, []byte("w"), []Field{{Name: "a", At: 8, Bytes: []byte("1")}, {Name: "b", At: 4, Removed: true}})
	if err := good.CheckPatched(); err != nil {
		t.Fatal(err)
	}
	field := func(name string, at hlc.Stamp) Field { return Field{Name: name, At: at} }
	for name, v := range map[string]Value{
		"fields out of order":    Patched(Version{8, 1}, "", base, nil, []Field{field("b", 8), field("a", 4)}),
		"one twice":              Patched(Version{8, 1}, "", base, nil, []Field{field("a", 8), field("a", 4)}),
		"earlier than its whole": Patched(Version{2, 1}, "", base, nil, nil),
		"later than its version": Patched(Version{7, 1}, "", base, nil, []Field{field("a", 8)}),
		"a long name":            Patched(Version{8, 1}, "", base, nil, []Field{field(strings.Repeat("x", MaxFieldName+1), 8)}),
		"no field":               {Version: base, Type: TypePatched, Whole: base, Bytes: []byte{0}},
		"nothing":                {Version: base, Type: TypePatched, Whole: base},
		"cut":                    {Version: Version{8, 1}, Type: TypePatched, Whole: base, Bytes: good.Bytes[:len(good.Bytes)-1]},
		"a long number":          {Version: Version{8, 1}, Type: TypePatched, Whole: base, Bytes: append([]byte{0x81, 0}, good.Bytes[1:]...)},
	} {
		if v.CheckPatched() == nil {
			t.Errorf("%s: is taken", name)
		}
	}
}

func TestOfTooMuchTheLatestFieldsAreKept(t *testing.T) {
	o := threeOrigins()
	half := make([]byte, MaxValue/3)
	value := func(name string, at hlc.Stamp) Value {
		v := Patched(Version{at, 1}, "", Version{1, 1}, half, []Field{{Name: name, At: at, Bytes: half}})
		v.Hash = o.ValueHash(&v)
		return v
	}
	a, b, c := value("a", 5), value("b", 6), value("c", 4)
	for _, v := range []Value{joined(o, joined(o, a, b), c), joined(o, joined(o, c, a), b), joined(o, joined(o, c, b), a)} {
		_, _, fields, err := v.Parts(nil)
		if err != nil || len(fields) != 1 || fields[0].Name != "b" || len(v.Bytes) > MaxValue {
			t.Errorf("%d fields in %d bytes, %v", len(fields), len(v.Bytes), err)
		}
	}
	var many []Field
	for i := range MaxFields + 1 {
		many = append(many, Field{Name: fmt.Sprintf("%05d", i), At: hlc.Stamp(1 + i)})
	}
	if kept := keepLatest(many, 0); len(kept) != MaxFields || kept[0].Name != "00001" {
		t.Errorf("%d kept, from %s on", len(kept), kept[0].Name)
	}
}

package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
	"github.com/sessioncast/sessioncast/internal/table"
)

// fieldID names a write of a field, and what it says.
type fieldID struct {
	birth   record.Version
	name    string
	at      hlc.Stamp
	content uint64
}

// noteValue enters what n has just written: the whole, or fields over it.
func (n *Node) noteValue(h *history, b *record.Birth) {
	id, version := n.global(b.ID), n.global(b.Value.Version)
	h.owners[writeID{id, version}] = b.Value.Owner
	if b.Value.Type != record.TypePatched {
		h.values[writeID{id, version}] = record.ContentHash(b.Value.Type, "", b.Value.Bytes)
		return
	}
	_, _, own, _ := b.Value.Parts(nil)
	for i := range own {
		if f := &own[i]; f.At == version.At {
			h.fields[fieldIDOf(id, f)] = true
		}
	}
}

func fieldIDOf(birth record.Version, f *record.Field) fieldID {
	typ := uint8(0)
	if f.Removed {
		typ = 1
	}
	return fieldID{birth: birth, name: f.Name, at: f.At, content: record.ContentHash(typ, "", f.Bytes)}
}

// unwritten says what of a value nobody wrote to this key, or has another hash than it says; empty: nothing.
func (n *Node) unwritten(birth record.Version, v *record.Value, h *history) string {
	if v.Hash != n.origins.ValueHash(v) {
		return "a value that is not what its hash says"
	}
	whole, at, own, err := v.Parts(nil)
	if err != nil || v.Type == record.TypePatched && v.CheckPatched() != nil {
		return "a patched value that is none"
	}
	if hash, written := h.values[writeID{birth, n.global(at)}]; !written || hash != record.ContentHash(0, "", whole) { // whoever owns it now
		return "a value that nobody wrote to this key"
	}
	if owner, written := h.owners[writeID{birth, n.global(v.Version)}]; !written || owner != v.Owner {
		return "an owner label that nobody put on it then"
	}
	for i := range own {
		if !h.fields[fieldIDOf(birth, &own[i])] {
			return fmt.Sprintf("a field %q that nobody wrote to this key so", own[i].Name)
		}
	}
	return ""
}

// opPatch writes one field or two of a session, as requests of one user do that run at once, and sometimes removes another.
func (n *Node) opPatch(k record.Key) {
	w := n.world
	write := table.Patch{Due: n.drawDue()}
	write.Owner, write.OwnerSet = w.drawOwner()
	if w.work.IntN(3) == 0 {
		write.Life = table.LifeKeep
	}
	for range 1 + w.work.IntN(2) {
		w.ledger.values++
		name := string(rune('a' + w.work.IntN(4)))
		text := fmt.Sprintf(`"%d/%s#%d%s"`, k.DB, k.Name, w.ledger.values, strings.Repeat("x", w.work.IntN(w.opts.MaxValue+1)/4))
		write.Set = append(write.Set, fields.Member{Name: name, Value: []byte(text)})
	}
	remove := string(rune('a' + w.work.IntN(4)))
	if w.work.IntN(3) == 0 && !slices.ContainsFunc(write.Set, func(m fields.Member) bool { return m.Name == remove }) {
		write.Remove = []string{remove}
	}
	_, existed := n.table.Get(n.wall(), k)
	res, err := n.table.Patch(n.wall(), k, &write)
	w.logNode(n, "patch %s of %d fields, due %d: done %v, dot %d, %v", k.Name, len(write.Set), write.Due, res.Done, res.Seq, err)
	if err != nil {
		n.refused(k, err, false)
		return
	}
	if res.Existed != existed || res.Done != existed {
		n.broken("promise 1", k, "a patch finds existed %v, and is done %v; a read just before %v", res.Existed, res.Done, existed)
	}
	if !res.Done {
		return
	}
	n.wrote(k)
	n.watch.of(k).forgetTouch(write.Life == table.LifeSet)
	n.readFields(k, &write)
	n.replicate(k, res.Seq, changeValue)
}

// readFields is promise 1 for fields.
func (n *Node) readFields(k record.Key, write *table.Patch) {
	v, _ := n.table.Get(n.wall(), k)
	members, err := fields.Split(v.Value)
	if err != nil {
		n.broken("promise 1", k, "a read after a patch finds no object")
		return
	}
	want := make(map[string]string)
	for _, m := range write.Set {
		want[m.Name] = string(m.Value)
	}
	for name, value := range want {
		if got, _ := fields.Find(members, name); string(got) != value {
			n.broken("promise 1", k, "a read after a patch does not find field %q as it was written", name)
		}
	}
	for _, name := range write.Remove {
		if _, there := fields.Find(members, name); there {
			n.broken("promise 1", k, "a read after a patch finds field %q, which it removed", name)
		}
	}
}

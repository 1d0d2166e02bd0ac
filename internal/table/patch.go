package table

import (
	"bytes"
	"slices"

	"github.com/sessioncast/sessioncast/internal/fields"
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// Past these a patched value is written whole, which ends what others write to its fields at the same moment.
const (
	maxOwnFields   = record.MaxFields / 2
	maxPatchedSize = record.MaxValue / 2
)

// Patch is one local write of fields of a session that is a JSON object: top-level members, each a register of its own.
type Patch struct {
	Set      []fields.Member // copied; later ones of one name count
	Remove   []string
	Since    hlc.Stamp // what was written after it is in conflict; 0: nothing is
	Owner    string    // copied; used where OwnerSet, else the owner stays
	OwnerSet bool
	Due      int64
	Life     LifeMode
}

// Patched is what became of a Patch.
type Patched struct {
	Result
	Version   record.Version // of the value now
	Conflicts []string       // fields written here that others had changed to something else since
}

// Patch writes fields of a session that is there; where none is, Done is false, and nothing is made. A field that is as it shall be is left alone.
// It fails with fields.ErrNoObject where the session is no JSON object.
func (t *Table) Patch(now int64, k record.Key, w *Patch) (res Patched, err error) {
	if err := t.checkWrite(k, &Write{Owner: w.Owner}); err != nil {
		return res, err
	}
	var o op
	o.begin(t, now, k)
	err = o.patch(w, &res)
	o.end()
	return res, err
}

func (o *op) patch(w *Patch, res *Patched) error {
	if o.t.closed.Load() {
		return ErrClosed
	}
	if res.Existed = o.visible(); !res.Existed {
		return nil
	}
	won, _ := o.e.state.Winner(o.t.cfg.Origins, o.floor)
	p := patching{since: w.Since}
	if err := p.read(&won.Value); err != nil {
		return err
	}
	p.take(w)
	owned := w.OwnerSet && w.Owner != won.Value.Owner
	if len(p.news) == 0 && !owned {
		res.Done, res.Version = true, won.Value.Version
		if w.Life == LifeKeep {
			return nil
		}
		return o.expire(w.Due, ExpireAlways, &res.Result)
	}
	return o.writeFields(w, &p, won, res)
}

// writeFields writes what p has found to be new.
func (o *op) writeFields(w *Patch, p *patching, won *record.Birth, res *Patched) error {
	b, owner := o.current(), won.Value.Owner
	if w.OwnerSet {
		owner = w.Owner
	}
	version := o.stamp()
	value := p.value(version, owner, b == won)
	if len(value.Bytes) > o.t.cfg.MaxValue {
		return ErrTooLarge
	}
	grow := o.e.growth(len(value.Bytes) + len(owner) - len(b.Value.Bytes) - len(b.Value.Owner))
	if o.owner == "" {
		grow += labelCost(owner)
	}
	if err := o.t.fits(grow, false); err != nil {
		return err
	}
	value.Hash = o.t.cfg.Origins.ValueHash(&value)
	b.Value = value
	if w.Life == LifeSet {
		o.setDeadline(b, version, w.Due, 0)
	}
	o.takeDot(false)
	o.settle()
	o.t.counts.conflicts.Add(uint64(len(p.conflicts)))
	res.Done, res.Seq, res.Version, res.Conflicts = true, o.seq, version, p.conflicts
	return nil
}

// patching is a session's value taken apart, and what a write changes in it.
type patching struct {
	whole     []byte
	at        record.Version
	members   []fields.Member // of the whole
	own       []record.Field  // written since
	since     hlc.Stamp
	news      []record.Field
	conflicts []string
}

func (p *patching) read(v *record.Value) (err error) {
	if p.whole, p.at, p.own, err = v.Parts(nil); err != nil {
		return err
	}
	if v.Type == record.TypePatched { // who patched it first has looked
		p.members, err = fields.SplitValid(p.whole)
	} else {
		p.members, err = fields.Split(p.whole)
	}
	return err
}

// take finds what of w is new.
func (p *patching) take(w *Patch) {
	for i := range w.Set {
		p.write(record.Field{Name: w.Set[i].Name, Bytes: w.Set[i].Value})
	}
	for _, name := range w.Remove {
		p.write(record.Field{Name: name, Removed: true})
	}
	slices.SortFunc(p.news, func(a, b record.Field) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
}

func (p *patching) write(f record.Field) {
	is := p.now(f.Name)
	p.news = slices.DeleteFunc(p.news, func(g record.Field) bool { return g.Name == f.Name })
	if is.Removed == f.Removed && bytes.Equal(is.Bytes, f.Bytes) {
		return
	}
	p.news = append(p.news, f)
	if p.since != 0 && is.At > p.since && !slices.Contains(p.conflicts, f.Name) {
		p.conflicts = append(p.conflicts, f.Name)
	}
}

// now is a field as readers see it; one that is not there counts as removed when the whole was written.
func (p *patching) now(name string) record.Field {
	i, found := slices.BinarySearchFunc(p.own, name, func(f record.Field, name string) int { return bytes.Compare([]byte(f.Name), []byte(name)) })
	if found {
		return p.own[i]
	}
	value, ok := fields.Find(p.members, name)
	return record.Field{Name: name, At: p.at.At, Removed: !ok, Bytes: value}
}

// value is the session with the news, as of a version. It is whole where it was another birth's, of which nothing must be lost, or has come near the limits.
func (p *patching) value(version record.Version, owner string, same bool) record.Value {
	for i := range p.news {
		p.news[i].At = version.At
	}
	own := record.JoinFields(p.own, p.news, p.at.At)
	if same && len(own) <= maxOwnFields {
		if v := record.Patched(version, owner, p.at, p.whole, own); len(v.Bytes) <= maxPatchedSize {
			return v
		}
	}
	return record.Value{Version: version, Owner: owner, Bytes: fields.Render(nil, p.whole, own)}
}

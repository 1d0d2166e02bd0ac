package record

import "testing"

// Two clones of a machine gave one birth, and its registers, the same versions.
func TestTwinsMergeAlikeInEitherOrder(t *testing.T) {
	o := threeOrigins()
	v := Version{At: 5, By: 1}
	twin := func(seq uint64, value string, due, promise, absolute int64, weak bool) State {
		return State{Births: []Birth{{
			ID: v, Seq: seq, Weak: weak, Absolute: absolute,
			Value:    Value{Version: v, Hash: ContentHash(0, "", []byte(value)), Bytes: []byte(value)},
			Deadline: Deadline{Version: v, Due: due, Promise: promise},
		}}}
	}
	for name, pair := range map[string][2]State{
		"values":           {twin(1, "a", 10, 10, 0, false), twin(1, "b", 10, 10, 0, false)},
		"deadlines":        {twin(1, "a", 10, 10, 0, false), twin(1, "a", 20, 20, 0, false)},
		"promises":         {twin(1, "a", 10, 10, 0, false), twin(1, "a", 10, 30, 0, false)},
		"an end and none":  {twin(1, "a", 10, 10, 0, false), twin(1, "a", 0, 0, 0, false)},
		"dots":             {twin(1, "a", 10, 10, 0, false), twin(2, "a", 10, 10, 0, false)},
		"ways of creation": {twin(1, "a", 10, 10, 0, true), twin(1, "a", 10, 10, 0, false)},
		"lifetimes":        {twin(1, "a", 10, 10, 90, false), twin(1, "a", 10, 10, 91, false)},
		"everything":       {twin(1, "b", 30, 31, 90, true), twin(2, "a", 20, 40, 91, false)},
	} {
		t.Run(name, func(t *testing.T) {
			ab, ba := join(o, pair[0], pair[1], 0), join(o, pair[1], pair[0], 0)
			if d := same(ab, ba); d != "" {
				t.Errorf("the order makes a difference: %s", d)
			}
			for i, x := range pair {
				if m := o.Merge(&ab, &x, 0); m.Changed {
					t.Errorf("merging twin %d again changes something", i)
				}
			}
			if pair[0].Births[0].Deadline.Due*pair[1].Births[0].Deadline.Due == 0 && ab.Births[0].Deadline.Due != 0 {
				t.Error("a session without an end got one")
			}
		})
	}
}

package admin

import (
	"reflect"
	"strings"
)

// BridgeStatus is what a bridge to express-session-multicast nodes did since its start.
type BridgeStatus struct {
	Originals  int64  `json:"originals"` // nodes of their group that are known
	Taken      uint64 `json:"taken"`     // sessions that came from them
	Updated    uint64 `json:"updated"`
	Ended      uint64 `json:"ended"`
	Told       uint64 `json:"told"` // sessions that they were told, and the answers that newcomers got
	Answers    uint64 `json:"answers"`
	ToldEnds   uint64 `json:"told_ends"`
	NotUpdated uint64 `json:"not_updated"` // changes that they cannot be told
	TooLarge   uint64 `json:"too_large"`
	Unfit      uint64 `json:"unfit"`
	// Drops counts what was thrown away of what came to the originals' port, by kind.
	Drops map[string]uint64 `json:"drops"`
}

func (r *Reading) bridge() *BridgeStatus {
	c := r.Bridge
	if c == nil {
		return nil
	}
	s := &BridgeStatus{
		Originals: c.Hosts, Taken: c.Taken, Updated: c.Updated, Ended: c.Ended, Told: c.Told, Answers: c.Answered, ToldEnds: c.ToldEnds,
		NotUpdated: c.NotUpdated, TooLarge: c.TooLarge, Unfit: c.Unfit, Drops: map[string]uint64{},
	}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if kind, is := strings.CutPrefix(v.Type().Field(i).Name, "Drop"); is {
			s.Drops[snake(kind)] = v.Field(i).Uint()
		}
	}
	return s
}

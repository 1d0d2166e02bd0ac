package admin

import (
	"fmt"
	"strings"
)

// foreignWarn is how many datagrams of a minute that are no frames of this cluster are more than strays.
const foreignWarn = 600

// foreignLately counts what came in the last minute and was no frame of this cluster, or a damaged or forged one.
func (r *Reading) foreignLately() uint64 {
	sum := func(c *Counts) uint64 {
		return c.Engine.DropForeign + c.Engine.DropShort + c.Engine.DropTag + c.Link.Oversize
	}
	return sum(&r.Counts) - sum(&r.Before)
}

// flooded reports whether so many come that peers' frames may find no room.
func (r *Reading) flooded() bool { return r.foreignLately() >= foreignWarn }

// foreignFindings names who floods this node with what is not of the cluster: it fills the sockets' buffers and costs the time that peers' frames need.
func (r *Reading) foreignFindings() []Finding {
	if !r.flooded() {
		return nil
	}
	text := fmt.Sprintf("%s of the last minute were no frames of this cluster, or damaged ones", Count(r.foreignLately(), "datagram"))
	if len(r.Foreign) > 0 {
		var from []string
		for _, a := range r.Foreign[:min(len(r.Foreign), maxNamed)] {
			from = append(from, a.String())
		}
		text += "; most say that they come from " + strings.Join(from, ", ")
	}
	return []Finding{{"foreign", text + ". They take time and buffers that the peers' need: stop who sends them, have the firewall drop them, or give the cluster another --port."}}
}

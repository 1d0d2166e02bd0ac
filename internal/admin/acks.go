package admin

import (
	"fmt"
	"strconv"

	"github.com/sessioncast/sessioncast/internal/engine"
)

// Acks tells how far writes are confirmed by as many peers as --ack asks for.
type Acks struct {
	// Degraded: writes lately returned without the confirmations asked for, or would, for want of peers. They took place, and
	// would be lost if this node died before they have spread.
	Degraded bool   `json:"degraded"`
	Reason   string `json:"reason"` // in one clause, empty when not degraded
	// Since is for how many seconds writes have gone unconfirmed; 0: they do not.
	Since     int64 `json:"since"`
	Live      int   `json:"live"`      // synced peers
	Answering int   `json:"answering"` // of those, the ones that answer lately

	Waited10s      uint64 `json:"waited_10s"` // writes that waited for peers in the last ten seconds
	Unconfirmed10s uint64 `json:"unconfirmed_10s"`
	Waited1m       uint64 `json:"waited_1m"`
	Unconfirmed1m  uint64 `json:"unconfirmed_1m"`
}

func (r *Reading) acks() Acks {
	h := &r.Acks
	a := Acks{
		Reason: r.degraded(), Live: h.Live, Answering: h.Listening,
		Waited10s: h.Recent.Waited, Unconfirmed10s: h.Recent.Unconfirmed,
		Waited1m: h.Minute.Waited, Unconfirmed1m: h.Minute.Unconfirmed,
	}
	a.Degraded = a.Reason != ""
	if !h.Since.IsZero() {
		a.Since = int64(r.At.Sub(h.Since).Seconds())
	}
	return a
}

// degraded says why writes are not confirmed by as many peers as they ask; empty when they are.
func (r *Reading) degraded() string {
	h := &r.Acks
	switch {
	case !h.Since.IsZero():
		return fmt.Sprintf("for %s, %s of %s in the last minute unconfirmed", Ago(r.At.Sub(h.Since)),
			Thousands(h.Minute.Unconfirmed), Count(h.Minute.Waited, "write")) + r.unconfirming()
	case h.Asked == 0:
		return ""
	case h.Short() && h.Live == 0:
		return "no peer is there to confirm writes"
	case h.Short():
		return fmt.Sprintf("%s there, --ack asks for %s", counted(h.Live), r.Ack)
	case h.Deaf():
		return fmt.Sprintf("%d of %s answer", h.Listening, Count(h.Live, "peer")) + r.unconfirming()
	}
	return ""
}

func counted(peers int) string {
	if peers == 1 {
		return "1 peer is"
	}
	return strconv.Itoa(peers) + " peers are"
}

// ackFindings name what keeps writes from being confirmed.
func (r *Reading) ackFindings() (list []Finding) {
	cause := "A peer is slow, overloaded or unreachable: the table of sessioncast status shows which."
	switch h := &r.Acks; {
	case r.unconfirming() != "":
		cause = "Unicast is shut, as said below."
	case !h.Deaf():
		cause = "By now as many peers answer as are asked."
	}
	if h := &r.Acks; !h.Since.IsZero() && r.syncedPeers() > 0 {
		list = append(list, Finding{"acks", fmt.Sprintf(
			"For %s, writes have returned before --ack %s peers had confirmed them (%s of %s in the last minute): were this node to die at once, they could be lost. %s",
			Ago(r.At.Sub(h.Since)), r.Ack, Thousands(h.Minute.Unconfirmed), Thousands(h.Minute.Waited), cause)})
	}
	return list
}

// shortFindings say that there are fewer peers than writes ask for; of a node alone the finding "alone" speaks.
func (r *Reading) shortFindings() (list []Finding) {
	if h := &r.Acks; h.Short() && h.Live > 0 && h.Asked < engine.AckAll {
		list = append(list, Finding{"short", fmt.Sprintf(
			"Writes ask for %s (--ack), and only %s there: they return with fewer confirmations. Start the missing nodes, or lower --ack.",
			Count(h.Asked, "peer"), counted(h.Live))})
	}
	return list
}

package wire

import (
	"github.com/sessioncast/sessioncast/internal/hlc"
	"github.com/sessioncast/sessioncast/internal/record"
)

// itemsEnd follows the last item.
const itemsEnd = 0

// packer appends items until a limit.
type packer struct {
	e        Encoder
	buf      []byte
	start    int
	limit    int
	base     hlc.Stamp
	items    int
	maxItems int
	dotsLeft int
	bare     bool // items without dots, and the first whatever its size
}

// open begins a body behind what dst holds.
func (p *packer) open(dst []byte, t hlc.Stamp, limit int) {
	p.buf, p.start, p.limit, p.base = dst, len(dst), limit, t
	p.items, p.dotsLeft = 0, MaxBatchDots
	p.buf = p.e.begin(p.buf, t)
}

func (p *packer) add(it *Item) bool {
	if p.items >= p.maxItems {
		return false
	}
	room := p.limit - p.size()
	if first := p.bare && p.items == 0; !first && valueBytes(it) > room {
		return false // before copying values that cannot fit
	}
	length, refs := len(p.buf), len(p.e.refs)
	if p.bare {
		p.buf = p.e.bareItem(p.buf, p.base, it)
	} else {
		p.buf = p.e.item(p.buf, p.base, it)
	}
	if len(p.buf)-length > room && !(p.bare && p.items == 0) {
		p.buf, p.e.refs = p.buf[:length], p.e.refs[:refs]
		return false
	}
	p.items++
	return true
}

// size is what the body will be long when nothing more is added.
func (p *packer) size() int { return len(p.buf) + 1 - p.start }

// close ends the items.
func (p *packer) close() []byte {
	b := append(p.buf, itemsEnd)
	p.buf = nil
	return b
}

// valueBytes is the least that it costs.
func valueBytes(it *Item) (n int) {
	if it.Kind != KindState {
		return 0
	}
	for i := range it.State.Births {
		n += len(it.State.Births[i].Value.Bytes)
	}
	return n
}

// BatchBuilder packs items into the body of a TypeData or TypeRepair frame, one by one. It is not safe for concurrent
// use.
type BatchBuilder struct{ packer }

// NewBatchBuilder makes a BatchBuilder for the node that self stands for.
func NewBatchBuilder(origins *record.Origins, self record.Ref) *BatchBuilder {
	b := &BatchBuilder{}
	b.e.init(origins, self)
	b.maxItems = MaxItems
	return b
}

// Reset begins a body of at most limit bytes behind what dst holds, at the sender's time t. Of ackFrom, the first
// MaxAckFrom are asked.
func (b *BatchBuilder) Reset(dst []byte, t hlc.Stamp, ackFrom []record.NodeID, limit int) {
	b.open(dst, t, limit)
	b.buf = appendNodes(b.buf, ackFrom[:min(len(ackFrom), MaxAckFrom)])
}

// Add appends it, or reports false and leaves the body as it was when it would exceed the body's limit, MaxItems or
// MaxBatchDots. An item that does not fit into an empty body must go as fragments, one of more than MaxItemDots as
// several.
func (b *BatchBuilder) Add(it *Item) bool {
	if len(it.Dots) > min(MaxItemDots, b.dotsLeft) || !b.add(it) {
		return false
	}
	b.dotsLeft -= len(it.Dots)
	return true
}

// Items is how many items were added since Reset.
func (b *BatchBuilder) Items() int { return b.items }

// Len is how long the body is so far, its end included.
func (b *BatchBuilder) Len() int { return b.size() }

// Finish ends the body and gives dst with the body behind it. Only Reset may follow.
func (b *BatchBuilder) Finish() []byte { return b.close() }

// Batch parses the body of a TypeData or TypeRepair frame.
func (d *Decoder) Batch(body []byte, sender record.Ref, into *Batch) (hlc.Stamp, error) {
	r, t := d.begin(body, sender)
	into.AckFrom = r.nodes(into.AckFrom)
	into.Items = r.items(into.Items, MaxItems, (*reader).item)
	return t, r.err
}

// items takes items up to their end.
func (r *reader) items(into []Item, limit int, take func(*reader, byte, *Item)) []Item {
	into = into[:0]
	for head := r.u8(); head != itemsEnd && r.err == nil; head = r.u8() {
		if len(into) == limit {
			r.fail(ErrLimit)
			break
		}
		into = extend(into)
		take(r, head, &into[len(into)-1])
	}
	return into
}

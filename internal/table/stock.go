package table

import "unsafe"

// A transfer fills page after page, and half of the time that it takes to merge what comes is the kernel's, who finds memory
// for what is touched for the first time. So somebody else touches pages ahead.
const (
	stockPages = 32      // pages ready: 1 MiB
	touchStep  = 4 << 10 // what the kernel gives at once, or less
)

// stock is pages that nobody uses yet.
type stock chan *page

// Stock makes pages ready until stop is closed, while much is merged. What nobody took then is given up.
func (t *Table) Stock(stop <-chan struct{}) {
	for {
		select {
		case t.stock <- touchedPage():
		case <-stop:
			t.stock.clear()
			return
		}
	}
}

func touchedPage() *page {
	pg := newPage(pageMax)
	b := pg.bytes(0, pageMax)
	for at := touchStep; at < len(b); at += touchStep {
		b[at] = 0
	}
	return pg
}

func (s stock) clear() {
	for {
		select {
		case <-s:
		default:
			return
		}
	}
}

// take is a page of the size, one that is ready if there is any.
func (s stock) take(size int) *page {
	if size == pageMax {
		select {
		case pg := <-s:
			return pg
		default:
		}
	}
	return newPage(size)
}

func newPage(size int) *page {
	b := make([]byte, size)
	pg := (*page)(unsafe.Pointer(unsafe.SliceData(b)))
	*pg = page{size: uint32(size), used: uint32(pageHead), level: levels}
	return pg
}

package stream

import (
	"net"
	"sync"
)

// readAhead is how much is read from the network at a time while frames are large.
const readAhead = 128 << 10

// wide is what TLS runs over. TLS reads and writes a record at a time, of 16 KiB at most; while frames are large, several
// of them make one read or write of the network, which costs as much as all the rest of a record.
type wide struct {
	net.Conn

	in       []byte // the reader's: what was read is in ahead; nil: nothing is read ahead
	ahead    []byte // of in, not taken yet
	deadline func() // called before each read of the network; nil: not

	writing sync.Mutex // TLS may answer a message of its own while somebody sends
	gather  bool
	out     []byte // gathered
}

// Read takes what was read ahead, if there is any.
func (w *wide) Read(b []byte) (n int, err error) {
	if len(w.ahead) == 0 {
		if w.deadline != nil {
			w.deadline()
		}
		if len(w.in) <= len(b) {
			return w.Conn.Read(b)
		}
		n, err = w.Conn.Read(w.in)
		w.ahead = w.in[:n]
	}
	n = copy(b, w.ahead)
	w.ahead = w.ahead[n:]
	if n > 0 { // an error, if any, comes again
		err = nil
	}
	return n, err
}

// readWide reads ahead from now on. The reader calls it.
func (w *wide) readWide() {
	if w.in == nil {
		w.in = make([]byte, readAhead)
	}
}

func (w *wide) Write(b []byte) (int, error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if !w.gather {
		return w.Conn.Write(b)
	}
	w.out = append(w.out, b...)
	return len(b), nil
}

// together makes one write of all that do writes.
func (w *wide) together(do func() error) error {
	w.writing.Lock()
	w.gather = true
	w.writing.Unlock()
	err := do()
	w.writing.Lock()
	defer w.writing.Unlock()
	w.gather = false
	if err == nil {
		_, err = w.Conn.Write(w.out)
	}
	w.out = w.out[:0]
	return err
}

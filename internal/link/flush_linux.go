package link

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendWait is how long one batch waits for a full send buffer, in all, before the rest of it is dropped: who sends also
// acknowledges, and must not stand still for a peer's or a switch's sake.
const sendWait = 50 * time.Millisecond

// flush sends the packed messages. done counts the datagrams dealt with: sent, refused or dropped. It is less than
// those packed only when segmentation turned out not to work here; the caller packs the rest anew.
func (s *sender) flush(messages int) (done, tooLarge int, err error) {
	for i, retried := 0, false; i < messages; {
		s.from, s.to = i, messages
		if err := s.call(); err != nil {
			return done, tooLarge, err
		}
		if s.errno == 0 {
			done += s.sent(i, s.n)
			i, retried = i+s.n, false
			continue
		}
		switch {
		case s.errno == unix.EINTR, s.errno == unix.ECONNREFUSED && !retried:
			retried = s.errno == unix.ECONNREFUSED // an answer to an earlier datagram; this one has not been tried
			continue
		case s.errno == unix.EAGAIN:
			return done + s.drop(i, messages), tooLarge, nil
		case s.spans[i] > 1 && (s.errno == unix.EINVAL || s.errno == unix.EIO):
			s.gso = false
			return done, tooLarge, nil
		case s.errno == unix.EMSGSIZE:
			s.counters.tooLarge.Add(uint64(s.spans[i]))
			tooLarge = max(tooLarge, int(s.messages[i].hdr.Iov.Len))
		default:
			s.counters.sendErrors.Add(uint64(s.spans[i]))
		}
		done += s.spans[i]
		i, retried = i+1, false
	}
	return done, tooLarge, nil
}

// drop counts the messages from i on as not sent, because the buffer stayed full, and tells how many datagrams they were.
func (s *sender) drop(i, messages int) (datagrams int) {
	for _, n := range s.spans[i:messages] {
		datagrams += n
	}
	s.counters.sendErrors.Add(uint64(datagrams))
	s.stuck = true
	return datagrams
}

// call is one sendmmsg of messages from to to. A full buffer is waited for until the batch's deadline, which starts
// with its first wait; after that errno tells of it.
func (s *sender) call() error {
	s.wait, s.n, s.errno = false, 0, 0
	if err := s.raw.Write(s.writable); err != nil {
		return err
	}
	if s.errno != unix.EAGAIN {
		return nil
	}
	s.wait = true
	if s.deadline.IsZero() {
		s.deadline = time.Now().Add(sendWait)
	}
	if err := s.conn.SetWriteDeadline(s.deadline); err != nil {
		return err
	}
	err := s.raw.Write(s.writable)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return errors.Join(err, s.conn.SetWriteDeadline(time.Time{}))
}

// sent counts n messages from i on and tells how many datagrams they were.
func (s *sender) sent(i, n int) (datagrams int) {
	bytes := 0
	for k := i; k < i+n; k++ {
		datagrams += s.spans[k]
		bytes += int(s.messages[k].len)
	}
	s.counters.sendBatches.Add(1)
	s.counters.datagramsOut.Add(uint64(datagrams))
	s.counters.bytesOut.Add(uint64(bytes))
	return datagrams
}

// getsockopt fills a structure of 32-bit words.
func getsockopt(fd, level, option int, words []uint32) error {
	size := uint32(len(words) * 4)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option),
		uintptr(unsafe.Pointer(&words[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// command is a Redis command and its arguments.
type command []string

// reply is the answer to one command.
type reply struct {
	kind byte // of RESP: + - : $ *, and _ for nothing there
	text string
	n    int64
	list []reply
}

// refused reports whether the node said no, and nothing happened.
func (r *reply) refused() bool { return r.kind == '-' }

// client is one connection to one node, used from one goroutine.
type client interface {
	// do sends commands together and returns the replies that came; fewer than asked with an error, which is errNotSent if
	// nothing can have been carried out.
	do(limit time.Duration, cmds ...command) ([]reply, error)
	// id names the connection: after a failure the next one is another.
	id() uint64
	close()
}

var (
	errNotSent  = errors.New("not sent")
	errProtocol = errors.New("no RESP")
)

var connections atomic.Uint64

// socketClient speaks RESP to a daemon over its Unix socket, which no fault of the network reaches.
type socketClient struct {
	path   string
	conn   net.Conn
	in     *bufio.Reader
	number uint64
}

func (c *socketClient) id() uint64 { return c.number }

func (c *socketClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *socketClient) do(limit time.Duration, cmds ...command) ([]reply, error) {
	deadline := time.Now().Add(limit)
	if c.conn == nil {
		conn, err := net.DialTimeout("unix", c.path, limit)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotSent, err)
		}
		c.conn, c.in, c.number = conn, bufio.NewReaderSize(conn, 64<<10), connections.Add(1)
	}
	replies, err := c.exchange(deadline, cmds)
	if err != nil {
		c.close()
	}
	return replies, err
}

func (c *socketClient) exchange(deadline time.Time, cmds []command) (replies []reply, err error) {
	if err = c.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err = c.conn.Write(encode(cmds)); err != nil {
		return nil, err
	}
	for range cmds {
		r, err := readReply(c.in)
		if err != nil {
			return replies, err
		}
		replies = append(replies, r)
	}
	return replies, nil
}

func encode(cmds []command) []byte {
	var b []byte
	for _, cmd := range cmds {
		b = append(strconv.AppendInt(append(b, '*'), int64(len(cmd)), 10), '\r', '\n')
		for _, arg := range cmd {
			b = append(strconv.AppendInt(append(b, '$'), int64(len(arg)), 10), '\r', '\n')
			b = append(append(b, arg...), '\r', '\n')
		}
	}
	return b
}

func readReply(in *bufio.Reader) (r reply, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return r, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return r, errProtocol
	}
	r.kind, r.text = line[0], line[1:]
	if r.kind == '+' || r.kind == '-' {
		return r, nil
	}
	if r.n, err = strconv.ParseInt(r.text, 10, 64); err != nil {
		return r, errProtocol
	}
	switch {
	case r.n < 0 && r.kind != ':':
		return reply{kind: '_'}, nil
	case r.kind == '$':
		body := make([]byte, r.n+2)
		_, err = io.ReadFull(in, body)
		r.text = string(body[:r.n])
	case r.kind == '*':
		for range r.n {
			item, err := readReply(in)
			if err != nil {
				return r, err
			}
			r.list = append(r.list, item)
		}
	}
	return r, err
}

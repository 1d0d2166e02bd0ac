// Package unixsock makes Unix sockets that their owner only may use: who can open one of ours can read every session.
//
// It holds no state.
package unixsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

var (
	// ErrAnswers says that a server listens at the path.
	ErrAnswers = errors.New("another server answers there")
	// ErrNoSocket says that something else than a socket stands at the path.
	ErrNoSocket = errors.New("something that is no socket stands there: remove it or choose another path")
)

// askTimeout bounds the question whether somebody answers at a socket of this host.
const askTimeout = time.Second

// Listen makes a socket of mode 0600 at path. One left behind by a server that is gone is replaced, and nothing else is.
func Listen(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: ownerOnly}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes a socket at which nobody answers.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return ErrNoSocket
	}
	conn, err := net.DialTimeout("unix", path, askTimeout)
	if err == nil {
		_ = conn.Close()
		return ErrAnswers
	}
	if !errors.Is(err, errRefused) {
		return fmt.Errorf("whether a server still answers there is unknown: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the socket left behind: %w", err)
	}
	return nil
}

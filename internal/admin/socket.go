package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// dialTimeout bounds the question whether somebody answers at a socket of this host.
const dialTimeout = time.Second

// guard is the socket of a node's name, and the lock that proves that no other daemon of this host has it.
type guard struct {
	listener net.Listener
	unlock   func()
}

// openGuard takes the name. A socket left behind by a daemon that is gone is replaced.
func openGuard(path string) (*guard, error) {
	if err := makeOwnDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := listenUnix(path)
	if err != nil {
		unlock()
		return nil, err
	}
	return &guard{l, unlock}, nil
}

func (g *guard) close() {
	_ = g.listener.Close() // which removes the socket
	g.unlock()
}

// makeOwnDir makes the folder, and the one above where that is missing too, for this user only, and refuses one that
// another user could reach into.
func makeOwnDir(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Lstat(parent); errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(parent, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making the folder of the admin socket: %w", err)
		}
		if err := checkOwn(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the folder of the admin socket: %w", err)
	}
	return checkOwn(dir)
}

// listenUnix makes a socket that its owner only may use.
func listenUnix(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: ownerOnly}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return l, nil
}

// removeStale removes a socket at which nobody answers, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("admin socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("admin socket: %s is in its place and is no socket: remove it", path)
	}
	conn, err := net.DialTimeout("unix", path, dialTimeout)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("%w: %s answers", ErrRunning, path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing a socket left behind: %w", err)
	}
	return nil
}

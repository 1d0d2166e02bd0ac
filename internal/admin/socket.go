package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/sessioncast/sessioncast/internal/unixsock"
)

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

// listenUnix makes the socket of the admin API.
func listenUnix(path string) (net.Listener, error) {
	l, err := unixsock.Listen(path)
	if errors.Is(err, unixsock.ErrAnswers) {
		return nil, fmt.Errorf("%w: %s answers", ErrRunning, path)
	}
	if err != nil {
		return nil, fmt.Errorf("admin socket %s: %w", path, err)
	}
	return l, nil
}

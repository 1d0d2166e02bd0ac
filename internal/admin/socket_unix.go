//go:build unix

package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockFile takes the lock on a file for the life of the process: unlike the socket itself it cannot be left behind.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		_ = f.Close()
		return nil, ErrRunning
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// checkOwn refuses a folder that is not this user's alone.
func checkOwn(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("folder of the admin socket: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Type() != fs.ModeDir:
		return fmt.Errorf("%w: %s is no folder", ErrUnsafe, dir)
	case ok && int(stat.Uid) != os.Getuid():
		return fmt.Errorf("%w: %s belongs to user %d: remove it, or set XDG_RUNTIME_DIR to a folder of your own", ErrUnsafe, dir, stat.Uid)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: others may enter %s; run: chmod 700 %s", ErrUnsafe, dir, dir)
	}
	return nil
}

// trusted tells whether the socket was made by this user or by root, or lies where root asks for it.
func trusted(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if uid := os.Getuid(); ok && int(stat.Uid) != uid && stat.Uid != 0 && uid != 0 {
		return fmt.Errorf("%w: %s belongs to user %d", ErrUnsafe, path, stat.Uid)
	}
	return nil
}

package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessioncast/sessioncast/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open starts a server in a folder of its own, and stops it with the test.
func open(t *testing.T, socket, listen string) *Server {
	t.Helper()
	s, err := Open(Config{Socket: socket, Listen: listen, Read: healthy, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

func socketIn(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sc") // t.TempDir is too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "sessioncast", "web-1.sock")
}

func TestSocketIsTheOwnersAlone(t *testing.T) {
	socket := socketIn(t)
	open(t, socket, "off")
	for path, want := range map[string]os.FileMode{socket: 0o600, filepath.Dir(socket): 0o700} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestOneNameIsHeldOnce(t *testing.T) {
	socket := socketIn(t)
	open(t, socket, "off")
	_, err := Open(Config{Socket: socket, Listen: "off", Read: healthy, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, ErrRunning) {
		t.Errorf("second server: %v", err)
	}
	if s, _, err := Ask(t.Context(), socket); err != nil || s.Node != "web-1" {
		t.Errorf("the first does not answer any more: %v", err)
	}
}

func TestSocketLeftBehindIsReplaced(t *testing.T) {
	socket := socketIn(t)
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, socket, "off")
	if _, _, err := Ask(t.Context(), socket); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoSocketStays(t *testing.T) {
	socket := socketIn(t)
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Socket: socket, Listen: "off", Read: healthy}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("opened over a file: %v", err)
	}
	if text, err := os.ReadFile(socket); err != nil || string(text) != "precious" {
		t.Errorf("the file is gone: %q, %v", text, err)
	}
}

func TestFolderOthersMayEnterIsRefused(t *testing.T) {
	socket := socketIn(t)
	if err := os.Mkdir(filepath.Dir(socket), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Socket: socket, Listen: "off", Read: healthy}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("got %v", err)
	}
	link := socketIn(t)
	if err := os.Symlink(t.TempDir(), filepath.Dir(link)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Socket: link, Listen: "off", Read: healthy}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("through a symbolic link: %v", err)
	}
}

func TestTakenAddressNamesAFreeOne(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(Config{Socket: socketIn(t), Listen: l.Addr().String(), Read: healthy})
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "is free") {
		t.Errorf("got %v", err)
	}
}

func TestNextFreePortIsTaken(t *testing.T) {
	a, b := open(t, socketIn(t), "auto"), open(t, socketIn(t), "auto")
	if a.Addr() == b.Addr() || !strings.HasPrefix(a.Addr(), "http://127.0.0.1:40") {
		t.Errorf("%s and %s", a.Addr(), b.Addr())
	}
}

func TestAskReadsWhatTheServerSays(t *testing.T) {
	socket := socketIn(t)
	further := filepath.Join(filepath.Dir(filepath.Dir(socket)), "more.sock")
	s := open(t, socket, "unix://"+further)
	for _, where := range []string{socket, "unix://" + further} {
		got, body, err := Ask(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		if got.State != wire.Synced.String() || len(got.Members) != 3 || !strings.Contains(string(body), Schema) {
			t.Errorf("%s: %+v", where, got)
		}
	}
	if s.Addr() != further {
		t.Errorf("address %s", s.Addr())
	}
	if _, _, err := Ask(t.Context(), socket+"x"); !errors.Is(err, ErrSilent) {
		t.Errorf("nobody there: %v", err)
	}
}

package resp

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeveralListeners(t *testing.T) {
	bothMovers(t, func(t *testing.T, mover func(*Config)) {
		path := filepath.Join(t.TempDir(), "s")
		s := serve(t, mover, func(cfg *Config) {
			cfg.Listeners = []string{"127.0.0.1:0", unixPrefix + path, "localhost:0"}
		})
		dial(t, s.Addrs()[0]).want("+OK\r\n", "SET", "k", "v")
		dial(t, s.Addrs()[1]).want("$1\r\nv\r\n", "GET", "k")
		dial(t, s.Addrs()[2]).want("$1\r\nv\r\n", "GET", "k")
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket file has mode %v, %v", info.Mode(), err)
		}
		s.Close()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket file stays: %v", err)
		}
	})
}

func TestAStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	listen := func() (*Server, error) {
		return Listen(Config{Table: newTable(), Listeners: []string{unixPrefix + path}})
	}
	if _, err := listen(); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), path) {
		t.Errorf("a live socket gives %v", err)
	}
	old.Close()
	s, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dial(t, unixPrefix+path).want("+PONG\r\n", "PING")
}

func TestAFileThatIsNoSocketIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Config{Table: newTable(), Listeners: []string{unixPrefix + path}}); !errors.Is(err, ErrTaken) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "data" {
		t.Error("the file was harmed")
	}
}

func TestATakenAddressNamesAFreeOne(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Listen(Config{Table: newTable(), Listeners: []string{taken.Addr().String()}})
	if !errors.Is(err, ErrTaken) {
		t.Fatalf("got %v", err)
	}
	_, advice, ok := strings.Cut(err.Error(), "Try --resp ")
	addr, _, free := strings.Cut(advice, ",")
	if !ok || !free {
		t.Fatalf("no address in %q", err)
	}
	s, err := Listen(Config{Table: newTable(), Listeners: []string{addr}})
	if err != nil {
		t.Fatalf("the free one is not: %v", err)
	}
	s.Close()
}

func TestWhatIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		says   string
	}{
		{"every interface without a password", func(c *Config) { c.Listeners = []string{"0.0.0.0:6379"} }, "127.0.0.1:6379"},
		{"no host without a password", func(c *Config) { c.Listeners = []string{":6379"} }, "password"},
		{"another host's name without a password", func(c *Config) { c.Listeners = []string{"example.com:6379"} }, "password"},
		{"no port", func(c *Config) { c.Listeners = []string{"127.0.0.1"} }, "unix:///path"},
		{"no listener", func(c *Config) { c.Listeners = nil }, "no listener"},
		{"no table", func(c *Config) { c.Table = nil }, "no table"},
		{"a negative limit", func(c *Config) { c.MaxValue = -1 }, "-1"},
		{"a negative lifetime", func(c *Config) { c.SessionTTL = -1 }, "negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Table: newTable(), Listeners: []string{"127.0.0.1:0"}}
			tt.change(&cfg)
			s, err := Listen(cfg)
			if err == nil {
				s.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not say %q", err, tt.says)
			}
		})
	}
}

func TestAPasswordOpensOtherAddresses(t *testing.T) {
	s := serve(t, func(cfg *Config) { cfg.Listeners, cfg.Password = []string{"0.0.0.0:0"}, "secret" })
	_, port, _ := net.SplitHostPort(s.Addrs()[0])
	k := dial(t, "127.0.0.1:"+port)
	k.want("+OK\r\n", "AUTH", "secret")
}

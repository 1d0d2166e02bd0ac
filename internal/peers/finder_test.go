package peers

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessioncast/sessioncast/internal/dnstest"
)

// search is a Finder that runs, and what it told.
type search struct {
	*testing.T
	*Finder
	told chan []netip.AddrPort
}

func start(t *testing.T, c Config) *search {
	t.Helper()
	c.Interval, c.Log = 20*time.Millisecond, slog.New(slog.DiscardHandler)
	if c.Port == 0 {
		c.Port = 4000
	}
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	f.timeout = 200 * time.Millisecond
	s := &search{t, f, make(chan []netip.AddrPort, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, func(list []netip.AddrPort) { s.told <- list }) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// patience is how long what has to happen may take on a machine with other things to do.
const patience = time.Minute

// want waits until these addresses, and no others, are told.
func (s *search) want(addrs ...string) {
	s.Helper()
	var last []netip.AddrPort
	limit := time.After(patience)
	for {
		select {
		case last = <-s.told:
			if texts := fmt.Sprint(last); texts == fmt.Sprint(addrs) {
				return
			}
		case <-limit:
			s.Fatalf("told %v last, want %v", last, addrs)
		}
	}
}

// wantProblem waits until something is wrong that says so; "": nothing.
func (s *search) wantProblem(part string) {
	s.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		list := s.Problems()
		if part == "" && len(list) == 0 || part != "" && slices.ContainsFunc(list, func(p string) bool { return strings.Contains(p, part) }) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("problems %q, want one with %q", list, part)
		}
	}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestNamesAreFollowedForEver(t *testing.T) {
	dns := dnstest.Start(t, "127.0.0.1:0")
	s := start(t, Config{List: []string{"nodes.test.", "10.0.9.9:4001"}, Resolver: dns.Resolver()})
	s.want("10.0.9.9:4001")
	s.wantProblem("nodes.test. has no address yet (no such host)")

	dns.Set("nodes.test", ip("10.0.0.2"), ip("10.0.0.1"), ip("fd00::1"))
	s.want("10.0.0.1:4000", "10.0.0.2:4000", "10.0.9.9:4001")
	s.wantProblem("")
	dns.Set("nodes.test", ip("10.0.0.2"), ip("10.0.0.3"))
	s.want("10.0.0.2:4000", "10.0.0.3:4000", "10.0.9.9:4001")
}

func TestWithoutAnAnswerTheLastAddressesStay(t *testing.T) {
	dns := dnstest.Start(t, "127.0.0.1:0")
	dns.Set("nodes.test", ip("10.0.0.1"))
	s := start(t, Config{List: []string{"nodes.test.:4005"}, Resolver: dns.Resolver()})
	s.want("10.0.0.1:4005")
	for what, change := range map[string]func(bool){
		"server misbehaving": dns.Fail,
		"timeout":            dns.Silence,
		"no such host": func(yes bool) {
			if dns.Set("nodes.test", ip("10.0.0.1")); yes {
				dns.Set("nodes.test")
			}
		},
	} {
		change(true)
		s.wantProblem("the 1 addresses it had last are used")
		change(false)
		s.wantProblem("")
		select {
		case list := <-s.told:
			t.Errorf("%s: told %v, although nothing changed", what, list)
		default:
		}
	}
	dns.Fail(true)
	asked := dns.Asked()
	s.wantProblem("the 1 addresses")
	dns.Set("nodes.test", ip("10.0.0.7"))
	dns.Fail(false)
	s.want("10.0.0.7:4005")
	if dns.Asked() == asked {
		t.Error("nothing was asked")
	}
}

func TestOneFamilyOnly(t *testing.T) {
	dns := dnstest.Start(t, "127.0.0.1:0")
	dns.Set("nodes.test", ip("10.0.0.1"), ip("fd00::1"))
	start(t, Config{List: []string{"nodes.test."}, V6: true, Resolver: dns.Resolver()}).want("[fd00::1]:4000")
	if _, err := New(Config{List: []string{"10.0.0.1"}, V6: true}); err == nil || !strings.Contains(err.Error(), "other address family") {
		t.Errorf("%v", err)
	}
}

func TestTheFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	write := func(text string) {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, Config{List: []string{"10.0.0.9"}, File: path})
	s.want("10.0.0.9:4000")
	s.wantProblem("cannot be read")
	write("# our nodes\n10.0.0.1\n10.0.0.2:4001 # the second\n\n10.0.0.1\n")
	s.want("10.0.0.9:4000", "10.0.0.1:4000", "10.0.0.2:4001")
	s.wantProblem("")
	write("10.0.0.1\nnot a peer\n10.0.0.3\n")
	s.want("10.0.0.9:4000", "10.0.0.1:4000", "10.0.0.3:4000")
	s.wantProblem("line 2")
	write(strings.Repeat("#", maxFile+1))
	s.wantProblem("larger than")
	write("")
	s.want("10.0.0.9:4000")
}

func TestPeersAreBounded(t *testing.T) {
	many := make([]string, MaxEntries+1)
	for i := range many {
		many[i] = fmt.Sprintf("10.1.%d.%d", i>>8, i&255)
	}
	if _, err := New(Config{List: many}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "peers")
	if err := os.WriteFile(path, []byte(strings.Join(many, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{File: path})
	s.wantProblem("the rest is left out")
	if got := <-s.told; len(got) != MaxEntries {
		t.Errorf("%d addresses", len(got))
	}
}

// No address is known because there is none, or because nobody could say: that is not the same.
func TestWhoCouldNotAskIsUnsure(t *testing.T) {
	dns := dnstest.Start(t, "127.0.0.1:0")
	look := func(c Config) (unsure bool) {
		t.Helper()
		c.Resolver, c.Log, c.Port = dns.Resolver(), slog.New(slog.DiscardHandler), 4000
		f, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		f.timeout = 200 * time.Millisecond
		told := 0
		f.Look(t.Context(), func([]netip.AddrPort) { unsure, told = f.Unsure(), told+1 })
		if told != 1 {
			t.Errorf("told %d times", told)
		}
		return unsure
	}
	name := Config{List: []string{"nodes.test."}}
	if look(name) {
		t.Error("a name that does not exist leaves it open whether there are nodes")
	}
	dns.Fail(true)
	if !look(name) {
		t.Error("a name that no server knows anything of is taken for one without addresses")
	}
	if look(Config{List: []string{"nodes.test.", "10.0.0.1"}}) {
		t.Error("an address is known")
	}
	path := filepath.Join(t.TempDir(), "peers")
	if !look(Config{File: path}) {
		t.Error("a file that is not there is taken for an empty one")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if look(Config{File: path}) {
		t.Error("an empty file leaves it open whether there are nodes")
	}
}

// Who waits is told when it is sure, though there are no addresses still.
func TestThatItIsSureIsTold(t *testing.T) {
	dns := dnstest.Start(t, "127.0.0.1:0")
	dns.Fail(true)
	f, err := New(Config{List: []string{"nodes.test."}, Resolver: dns.Resolver(), Log: slog.New(slog.DiscardHandler), Port: 4000})
	if err != nil {
		t.Fatal(err)
	}
	var told []bool
	look := func() { f.Look(t.Context(), func([]netip.AddrPort) { told = append(told, f.Unsure()) }) }
	look()
	dns.Fail(false)
	for _, n := range f.names {
		n.at = time.Time{} // it is due
	}
	look()
	if !slices.Equal(told, []bool{true, false}) {
		t.Errorf("told %v", told)
	}
}

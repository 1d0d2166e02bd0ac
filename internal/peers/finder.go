package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// Limits of what is configured. What is beyond them is left out, and said so.
const (
	MaxEntries = 256
	MaxAddrs   = 256
	maxFile    = 64 << 10
	maxLookups = 8 // at a time
)

const (
	defaultInterval = 5 * time.Second // and up to as much again, so that nodes do not ask in step
	lookupTimeout   = 3 * time.Second
	retryMin        = 250 * time.Millisecond // after a failure, doubling
	retryMax        = 10 * time.Second
)

// Config says where to look.
type Config struct {
	List     []string // entries
	File     string   // of more entries, one a line, read again when it changes; "": none
	Port     uint16   // of entries without one
	V6       bool     // the family of the cluster; others' addresses are left out
	Resolver *net.Resolver
	Interval time.Duration // between lookups of a name at least, twice that at most; 0: 5 s
	Log      *slog.Logger
}

// Any reports whether anything is configured.
func (c *Config) Any() bool { return len(c.List) > 0 || c.File != "" }

// Finder keeps the addresses that a Config stands for.
type Finder struct {
	cfg    Config
	list   []Entry
	inFile []Entry
	names  map[string]*name
	fileAt time.Time // when to look at the file again
	last   []netip.AddrPort
	told   bool // last was given to the caller
	unread bool // the file could never be read
	unsure bool

	timeout time.Duration // of a lookup

	problems struct {
		sync.Mutex
		texts map[string]string // by what they are about
	}
}

// name is what is known of a DNS name.
type name struct {
	text  string
	at    time.Time // of the next lookup
	good  []netip.Addr
	fails int
	lost  bool // nobody could say whether it has addresses
}

// New checks c.
func New(c Config) (*Finder, error) {
	f := &Finder{cfg: c, names: make(map[string]*name), timeout: lookupTimeout}
	if f.cfg.Resolver == nil {
		f.cfg.Resolver = net.DefaultResolver
	}
	if f.cfg.Interval <= 0 {
		f.cfg.Interval = defaultInterval
	}
	if f.cfg.Log == nil {
		f.cfg.Log = slog.Default()
	}
	if len(c.List) > MaxEntries {
		return nil, fmt.Errorf("%d peers: %d at most can be named; one DNS name can stand for all", len(c.List), MaxEntries)
	}
	f.problems.texts = make(map[string]string)
	for _, text := range c.List {
		e, err := ParseEntry(text)
		switch {
		case err != nil:
			return nil, err
		case e.addr.IsValid() && e.addr.Is6() != c.V6:
			return nil, fmt.Errorf("peer %s is of the other address family: all nodes of a cluster use the same", e)
		}
		f.list = append(f.list, e)
	}
	return f, nil
}

// Run looks everything up until ctx ends, and tells update whenever the addresses changed, the first time also when there
// are none.
func (f *Finder) Run(ctx context.Context, update func([]netip.AddrPort)) {
	for {
		next := f.Look(ctx, update)
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// Look looks up what is due, tells update if the addresses changed, and returns when to look again.
func (f *Finder) Look(ctx context.Context, update func([]netip.AddrPort)) (next time.Time) {
	f.readFile()
	f.lookUp(ctx)
	if ctx.Err() != nil && f.told {
		return time.Now().Add(retryMin)
	}
	addrs := f.addrs()
	if unsure := len(addrs) == 0 && f.blind(); !f.told || unsure != f.unsure || !slices.Equal(addrs, f.last) {
		f.last, f.told, f.unsure = addrs, true, unsure
		update(slices.Clone(addrs))
	}
	next = time.Now().Add(f.cfg.Interval)
	for _, n := range f.names {
		if n.at.Before(next) {
			next = n.at
		}
	}
	return next
}

// Unsure reports, to who is called by Look, whether no address is known and that says nothing: the file could not be read, or no server said
// whether the names have addresses.
func (f *Finder) Unsure() bool { return f.unsure }

func (f *Finder) blind() bool {
	if f.unread {
		return true
	}
	for _, n := range f.names {
		if n.lost {
			return true
		}
	}
	return false
}

// readFile reads the file again when its time has come. One that cannot be read keeps its last entries.
func (f *Finder) readFile() {
	now := time.Now()
	if f.cfg.File == "" || now.Before(f.fileAt) {
		return
	}
	f.fileAt = now.Add(f.cfg.Interval)
	text, err := readBounded(f.cfg.File)
	if err != nil {
		f.unread = f.inFile == nil
		f.problem(f.cfg.File, fmt.Errorf("the file of peers cannot be read: %w", err))
		return
	}
	f.unread = false
	list, bad := parseFile(text)
	if room := MaxEntries - len(f.list); len(list) > room {
		list, bad = list[:room], fmt.Errorf("more than %d peers: the rest is left out; one DNS name can stand for all", MaxEntries)
	}
	f.inFile = list
	if bad != nil {
		bad = fmt.Errorf("the file of peers %s: %w", f.cfg.File, bad)
	}
	f.problem(f.cfg.File, bad)
}

func readBounded(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return string(text), err
}

// entries are the list's and the file's.
func (f *Finder) entries() []Entry { return slices.Concat(f.list, f.inFile) }

// lookUp asks for the names that are due, some at a time, and forgets those that are configured no more.
func (f *Finder) lookUp(ctx context.Context) {
	now, wanted := time.Now(), map[string]bool{}
	var due []*name
	for _, e := range f.entries() {
		if e.name == "" || wanted[e.name] {
			continue
		}
		wanted[e.name] = true
		n := f.names[e.name]
		if n == nil {
			n = &name{text: e.name}
			f.names[e.name] = n
		}
		if !now.Before(n.at) {
			due = append(due, n)
		}
	}
	for text := range f.names {
		if !wanted[text] {
			delete(f.names, text)
			f.problem(text, nil)
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxLookups)
	for _, n := range due {
		slots <- struct{}{}
		wg.Go(func() { f.ask(ctx, n); <-slots })
	}
	wg.Wait()
}

// ask looks one name up. Without an answer its last addresses stay.
func (f *Finder) ask(ctx context.Context, n *name) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	network := "ip4"
	if f.cfg.V6 {
		network = "ip6"
	}
	addrs, err := f.cfg.Resolver.LookupNetIP(ctx, network, n.text)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: n.text, IsNotFound: true}
	}
	var dns *net.DNSError
	n.lost = err != nil && !(errors.As(err, &dns) && dns.IsNotFound)
	if err != nil {
		n.fails++
		n.at = time.Now().Add(min(retryMin<<min(n.fails-1, 8), retryMax))
		if !errors.Is(ctx.Err(), context.Canceled) {
			f.problem(n.text, lookupProblem(n, err))
		}
		return
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap().WithZone("")
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	n.good, n.fails = slices.Compact(addrs), 0
	n.at = time.Now().Add(f.cfg.Interval + rand.N(f.cfg.Interval))
	f.problem(n.text, nil)
}

func lookupProblem(n *name, err error) error {
	why := err.Error()
	var dns *net.DNSError
	if errors.As(err, &dns) {
		why = dns.Err
	}
	if len(n.good) == 0 {
		return fmt.Errorf("the peer name %s has no address yet (%s)", n.text, why)
	}
	return fmt.Errorf("the peer name %s is not resolved at present (%s): the %d addresses it had last are used", n.text, why, len(n.good))
}

// addrs are all addresses, in the order of the entries.
func (f *Finder) addrs() (list []netip.AddrPort) {
	seen := map[netip.AddrPort]bool{}
	left := 0
	for _, e := range f.entries() {
		addrs := []netip.Addr{e.addr}
		if e.name != "" {
			addrs = f.names[e.name].good
		}
		for _, a := range addrs {
			at := netip.AddrPortFrom(a, e.port)
			if e.port == 0 {
				at = netip.AddrPortFrom(a, f.cfg.Port)
			}
			switch {
			case a.Is6() != f.cfg.V6 || seen[at]:
			case len(list) >= MaxAddrs:
				left++
			default:
				seen[at] = true
				list = append(list, at)
			}
		}
	}
	f.problem("", tooMany(left))
	return list
}

func tooMany(left int) error {
	if left == 0 {
		return nil
	}
	return fmt.Errorf("the peers have more than %d addresses: %d are left out", MaxAddrs, left)
}

// problem notes what is wrong with something, or that nothing is; each is logged once.
func (f *Finder) problem(about string, err error) {
	f.problems.Lock()
	defer f.problems.Unlock()
	before, was := f.problems.texts[about]
	switch {
	case err == nil && was:
		delete(f.problems.texts, about)
		f.cfg.Log.Info("peers are found again", "after", before)
	case err != nil:
		f.problems.texts[about] = err.Error()
		if !was {
			f.cfg.Log.Warn("peers cannot be found; trying again for ever", "why", err.Error())
		}
	}
}

// Problems lists, in order, what is wrong now, a sentence each.
func (f *Finder) Problems() (list []string) {
	f.problems.Lock()
	defer f.problems.Unlock()
	for _, text := range f.problems.texts {
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

package resp

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/sessioncast/sessioncast/internal/unixsock"
)

const (
	unixPrefix = "unix://"
	redisPort  = 6379
	portsTried = 100
)

// Errors of Listeners.
var (
	ErrTaken     = errors.New("address is taken")
	ErrReachable = errors.New("reachable without a password")
)

// listenAll opens every address or none.
func listenAll(addrs []string, password bool) (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
		}
	}()
	for _, addr := range addrs {
		ln, err := listen(addr, password)
		if err != nil {
			return all, err
		}
		all = append(all, ln)
	}
	return all, nil
}

func closeAll(all []net.Listener) {
	for _, ln := range all {
		ln.Close()
	}
}

func listen(addr string, password bool) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return listenUnix(path)
	}
	return listenTCP(addr, password)
}

func listenTCP(addr string, password bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--resp %q: give host:port or unix:///path", addr)
	}
	if !password && !isLoopback(host) {
		return nil, fmt.Errorf("--resp %s: %w: other hosts could read every session. "+
			"Use --resp 127.0.0.1:%s or --resp unix:///path, or set a password", addr, ErrReachable, port)
	}
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, errInUse) {
		return nil, takenError(host, port)
	}
	if err != nil {
		return nil, fmt.Errorf("--resp %s: %w", addr, err)
	}
	return ln, nil
}

// isLoopback reports whether only this host can reach the address.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func takenError(host, port string) error {
	by := ""
	if port == strconv.Itoa(redisPort) {
		by = " (perhaps by a Redis)"
	}
	advice := "Choose another port."
	if free := freeAfter(host, port); free != "" {
		advice = fmt.Sprintf("Try --resp %s, which is free.", free)
	}
	return fmt.Errorf("%w: %s is taken%s. %s", ErrTaken, net.JoinHostPort(host, port), by, advice)
}

func freeAfter(host, port string) string {
	n, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	for p := n + 1; p <= min(n+portsTried, 65_535); p++ {
		addr := net.JoinHostPort(host, strconv.Itoa(p))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	return ""
}

// listenUnix makes a socket file that only its owner may open: who can open it can read every session. One left behind by a server that
// is gone is replaced.
func listenUnix(path string) (net.Listener, error) {
	l, err := unixsock.Listen(path)
	switch {
	case errors.Is(err, unixsock.ErrAnswers), errors.Is(err, unixsock.ErrNoSocket):
		return nil, fmt.Errorf("--resp unix://%s: %w: %w", path, ErrTaken, err)
	case err != nil:
		return nil, fmt.Errorf("--resp unix://%s: %w", path, err)
	}
	return l, nil
}

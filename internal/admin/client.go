package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	askTimeout = 5 * time.Second
	maxAnswer  = 16 << 20
)

// Ask asks the daemon at where, a socket's path or host:port, for its status. It returns the answer's bytes as well.
func Ask(ctx context.Context, where string) (*Status, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := get(ctx, where)
	if err != nil {
		return nil, nil, err
	}
	var s Status
	if err := json.Unmarshal(body, &s); err != nil || s.Schema != Schema {
		return nil, nil, fmt.Errorf("%w: something else answers at %s", ErrSilent, where)
	}
	return &s, body, nil
}

func get(ctx context.Context, where string) ([]byte, error) {
	network, host := "tcp", where
	if path, isPath := socketPath(where); isPath {
		if err := trusted(path); err != nil {
			return nil, silent(path, err)
		}
		network, where, host = "unix", path, "localhost"
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, where)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v1/status", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, silent(where, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return nil, silent(where, err)
	}
	return body, nil
}

func socketPath(where string) (string, bool) {
	if path, found := strings.CutPrefix(where, unixPath); found {
		return path, true
	}
	return where, strings.ContainsAny(where, `/\`)
}

// silent says that nobody answers and keeps only the reasons that somebody can do something about.
func silent(where string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s: permission denied; ask as the daemon's user or as root", ErrSilent, where)
	case errors.Is(err, ErrUnsafe):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %s takes connections but does not answer", ErrSilent, where)
	}
	return fmt.Errorf("%w: %s", ErrSilent, where)
}

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
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

// get reads the status.
func get(ctx context.Context, where string) ([]byte, error) {
	code, body, err := request(ctx, where, http.MethodGet, "/v1/status", nil)
	if err == nil && code != http.StatusOK {
		err = silent(where, errors.New(http.StatusText(code)))
	}
	return body, err
}

// call asks for what is answered as JSON, and takes a refusal's text for the error.
func call(ctx context.Context, patience time.Duration, where, method, path string, ask, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var content []byte
	if ask != nil {
		var err error
		if content, err = json.Marshal(ask); err != nil {
			return err
		}
	}
	code, body, err := request(ctx, where, method, path, content)
	switch {
	case err != nil:
		return err
	case code == http.StatusNotFound:
		return fmt.Errorf("the daemon at %s is of an older version, and knows nothing of owners", where)
	case code != http.StatusOK:
		return fmt.Errorf("the daemon at %s refuses: %s", where, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%w: something else answers at %s", ErrSilent, where)
	}
	return nil
}

func ownedQuery(db int, owner, cursor string, ids bool) string {
	q := url.Values{"owner": {owner}, "db": {strconv.Itoa(db)}, "cursor": {cursor}}
	if ids {
		q.Set("ids", "1")
	}
	return sessionsPath + "?" + q.Encode()
}

func request(ctx context.Context, where, method, path string, content []byte) (code int, body []byte, err error) {
	network, host := "tcp", where
	if file, isPath := socketPath(where); isPath {
		if err := trusted(file); err != nil {
			return 0, nil, silent(file, err)
		}
		network, where, host = "unix", file, "localhost"
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, where)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, silent(where, err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return 0, nil, silent(where, err)
	}
	return resp.StatusCode, body, nil
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

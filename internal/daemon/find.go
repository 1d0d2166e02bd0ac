package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sessioncast/sessioncast/internal/admin"
)

// answer is what one daemon of this host says of itself.
type answer struct {
	where  string // it answers
	status *admin.Status
	body   []byte // as it came
}

// errNoDaemon is what waits may hope to see change.
var errNoDaemon = errors.New("no daemon answers")

// maxSockets bounds how many sockets of this host are asked.
const maxSockets = 256

// askDaemon asks the daemon that is meant: the one at --admin, the one with --name, or the only one that runs here.
func askDaemon(ctx context.Context, t *Target, origins map[string]Origin, host Host) (answer, error) {
	_, named := origins["name"]
	switch {
	case t.Admin.Network == "tcp" || t.Admin.Network == "unix":
		return askAt(ctx, t.Admin.String())
	case named:
		return askNamed(ctx, t.Name, host)
	}
	answers, err := askAll(ctx, host)
	switch len(answers) {
	case 0:
		return answer{}, noDaemon("no sessioncast daemon answers on this host: start one with: sessioncast serve", err)
	case 1:
		return answers[0], nil
	}
	return answer{}, &UsageError{fmt.Errorf("%d daemons run on this host: say which by --name: %s", len(answers), orList(names(answers)))}
}

func askAt(ctx context.Context, where string) (answer, error) {
	s, body, err := admin.Ask(ctx, where)
	if err != nil {
		return answer{}, fmt.Errorf("%w: --admin: %w", errNoDaemon, err)
	}
	return answer{where, s, body}, nil
}

func askNamed(ctx context.Context, name NodeName, host Host) (answer, error) {
	var last error
	for _, path := range host.AdminSockets(name) {
		s, body, err := admin.Ask(ctx, path)
		if err == nil {
			return answer{path, s, body}, nil
		}
		if last == nil || !errors.Is(err, fs.ErrNotExist) {
			last = worthTelling(last, err)
		}
	}
	text := fmt.Sprintf("no daemon named %s answers on this host", name)
	if others, _ := askAll(ctx, host); len(others) > 0 {
		text += "; these do: " + strings.Join(names(others), ", ")
	} else {
		text += fmt.Sprintf(": start it with: sessioncast serve --name %s", name)
	}
	return answer{}, noDaemon(text, last)
}

// askAll asks every daemon that has a socket where this user's or the system's are.
func askAll(ctx context.Context, host Host) (answers []answer, err error) {
	paths, err := host.allSockets()
	for _, path := range paths {
		s, body, askErr := admin.Ask(ctx, path)
		if askErr != nil {
			err = worthTelling(err, askErr)
			continue
		}
		answers = append(answers, answer{path, s, body})
	}
	return answers, err
}

// allSockets lists the sockets of whatever daemons there are, and says which folder this user may not look into.
func (h Host) allSockets() (paths []string, err error) {
	for _, dir := range h.runtimeDirs() {
		dir = filepath.Join(dir, "sessioncast")
		entries, readErr := os.ReadDir(dir)
		if errors.Is(readErr, fs.ErrPermission) {
			err = fmt.Errorf("%s belongs to another user, perhaps the daemon's: ask as that user or as root", dir)
		}
		for _, e := range entries {
			if e.Type() == fs.ModeSocket && strings.HasSuffix(e.Name(), ".sock") && len(paths) < maxSockets {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	return paths, err
}

func names(answers []answer) (list []string) {
	for _, a := range answers {
		list = append(list, a.status.Node)
	}
	slices.Sort(list)
	return list
}

// worthTelling keeps the error that says more than that there is nobody.
func worthTelling(before, err error) error {
	if errors.Is(err, admin.ErrUnsafe) || strings.Contains(err.Error(), "permission") {
		return err
	}
	return before
}

func noDaemon(text string, reason error) error {
	if reason != nil {
		text += " (" + reason.Error() + ")"
	}
	return &noDaemonError{text}
}

type noDaemonError struct{ text string }

func (e *noDaemonError) Error() string { return e.text }
func (e *noDaemonError) Unwrap() error { return errNoDaemon }

package daemon

import (
	"context"
	"errors"
	"io"
)

// errNotReady says that the daemon answers but should get no traffic.
var errNotReady = errors.New("the node is not ready")

// showStatus asks the daemon and prints what it says.
func showStatus(ctx context.Context, cli *CLI, host Host) error {
	a, err := askDaemon(ctx, &cli.Status.Target, cli.Origins, host)
	if err != nil {
		return err
	}
	text := renderStatus(a.status)
	if cli.Status.JSON {
		text = string(a.body)
	}
	if _, err := io.WriteString(host.Stdout, text); err != nil {
		return err
	}
	if !a.status.Ready {
		return errNotReady
	}
	return nil
}

package expresscookie

import (
	"context"
	"errors"
	"time"

	"github.com/sessioncast/sessioncast"
)

// DefaultPrefix is what connect-redis and the stores of sessioncast put before an id to make the key.
const DefaultPrefix = "sess:"

// Over is a Store in the cluster: the one that an Express app on any of its servers has, if prefix is the same there. A write waits for
// as many other servers as the node is configured to, or as sessioncast.WithAck says.
func Over(node *sessioncast.Node, prefix string) Store { return &cluster{node, prefix} }

type cluster struct {
	node   *sessioncast.Node
	prefix string
}

func (c *cluster) Get(ctx context.Context, id string) (Stored, error) {
	s, err := c.node.Get(ctx, c.prefix+id)
	return Stored{s.Data, s.Version}, storeError(err)
}

func (c *cluster) Create(ctx context.Context, id string, data []byte, ttl time.Duration) error {
	_, err := c.node.Create(ctx, c.prefix+id, data, ttl)
	return storeError(err)
}

func (c *cluster) Patch(ctx context.Context, id string, p Patch, ttl time.Duration) (Patched, error) {
	since, _ := p.Since.(sessioncast.Version) // none after Create, which tells none
	res, err := c.node.Patch(ctx, c.prefix+id, sessioncast.Patch{Set: p.Changed, Remove: p.Removed, Since: since}, ttl)
	return Patched{res.Version, res.Conflicts}, storeError(err)
}

func (c *cluster) Touch(ctx context.Context, id string, ttl time.Duration) error {
	_, err := c.node.Touch(ctx, c.prefix+id, ttl)
	return storeError(err)
}

func (c *cluster) Destroy(ctx context.Context, id string) error {
	_, err := c.node.Destroy(ctx, c.prefix+id)
	return storeError(err)
}

// storeError says a library's error in this package's words, where it has some.
func storeError(err error) error {
	switch {
	case errors.Is(err, sessioncast.ErrNotFound), errors.Is(err, sessioncast.ErrDestroyed),
		errors.Is(err, sessioncast.ErrIDTooLong): // signed, but nobody can have it
		return ErrNotFound
	case errors.Is(err, sessioncast.ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, sessioncast.ErrNoObject):
		return ErrNotSession
	}
	return err
}

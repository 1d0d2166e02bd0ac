package expresscookie

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"maps"
	"sync"
	"time"

	"github.com/sessioncast/sessioncast"
)

// DefaultPrefix is what connect-redis and the stores of sessioncast put before an id to make the key.
const DefaultPrefix = "sess:"

// Over is a Store in the cluster: the one that an Express app on any of its servers has, if prefix is the same there. A write waits for
// as many other servers as the node is configured to, or as sessioncast.WithAck says.
func Over(node *sessioncast.Node, prefix string) Store {
	return &cluster{node: node, prefix: prefix, seed: maphash.MakeSeed()}
}

type cluster struct {
	node   *sessioncast.Node
	prefix string

	seed  maphash.Seed
	locks [patchLocks]sync.Mutex // by key: a patch reads and writes, and another of this process must not come between
}

const patchLocks = 64

func (c *cluster) Get(ctx context.Context, id string) (Stored, error) {
	s, err := c.node.Get(ctx, c.prefix+id)
	return Stored{Data: s.Data}, storeError(err)
}

func (c *cluster) Create(ctx context.Context, id string, data []byte, ttl time.Duration) error {
	_, err := c.node.Create(ctx, c.prefix+id, data, ttl)
	return storeError(err)
}

func (c *cluster) Patch(ctx context.Context, id string, p Patch, ttl time.Duration) (Patched, error) {
	lock := &c.locks[maphash.String(c.seed, id)%patchLocks]
	lock.Lock()
	defer lock.Unlock()
	s, err := c.Get(ctx, id)
	if err != nil {
		return Patched{}, err
	}
	data, err := p.apply(s.Data)
	if err != nil {
		return Patched{}, err
	}
	_, err = c.node.Update(ctx, c.prefix+id, data, ttl)
	return Patched{}, storeError(err)
}

// apply changes a JSON object.
func (p *Patch) apply(data []byte) ([]byte, error) {
	var f fields
	if json.Unmarshal(data, &f) != nil || f == nil {
		return nil, ErrNotSession
	}
	for _, key := range p.Removed {
		delete(f, key)
	}
	maps.Copy(f, p.Changed)
	cookie, there := f[cookieKey]
	if !there {
		return nil, ErrNotSession
	}
	delete(f, cookieKey)
	if data = f.text(cookie); len(data) > MaxSession {
		return nil, ErrTooLarge
	}
	return data, nil
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
	}
	return err
}

package seal

import "errors"

// Errors of keys and keyrings. None names what a key or a file holds.
var (
	ErrKeyFile   = errors.New("key file")
	ErrNoKey     = errors.New("no key in it; `sessioncast key new` makes one")
	ErrKeyDigits = errors.New("want a key of 64 hex digits, or a comment that starts with #")
	ErrManyKeys  = errors.New("more than 4 keys; remove those that no server uses any more")
	ErrSameKey   = errors.New("this key stands there already")
	ErrZeroKey   = errors.New("a key of zeros is no key")
	ErrMixedKeys = errors.New("the public key of --insecure cannot stand beside another key")
	ErrKeyID     = errors.New("two keys share one id in this cluster; replace one of them")
	ErrCluster   = errors.New("cluster name longer than 255 bytes")
)

// Why Opener.Open refuses a frame, beside wire's ErrShort, ErrMagic, ErrVersion and ErrType. They are returned as
// they stand, so that a caller may compare and count them.
var (
	ErrOwn    = errors.New("seal: frame of our own")
	ErrKey    = errors.New("seal: frame sealed with a key that is not in the keyring")
	ErrReplay = errors.New("seal: packet seen before or too old")
	ErrTag    = errors.New("seal: frame without a valid tag")
)

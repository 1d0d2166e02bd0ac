package daemon

import "github.com/sessioncast/sessioncast/internal/keyfile"

// bridgeArgs are the options of this node that a bridge beside it needs, too; its port is the one that is advised.
func (d *daemon) bridgeArgs() (args string) {
	for _, name := range []string{"use", "interface", "address", "cluster", "peers", "peers-file", "key-file", "config", "insecure"} {
		f, _ := fieldNamed(name)
		if _, set := d.origins[name]; set {
			for _, text := range f.texts(d.options) {
				args += " --" + name + "=" + keyfile.Quote(text)
			}
		}
	}
	return args
}

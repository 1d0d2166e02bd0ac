package daemon

import "testing"

func TestNearestFindsWhatWasMeant(t *testing.T) {
	for unknown, want := range map[string]string{
		"prot": "port", "poort": "port", "ports": "port", "PORT": "port", "multicast_ttl": "multicast-ttl", "multicastTTL": "multicast-ttl",
		"sessionTTL": "session-ttl", "multicastPort": "port", "memory": "max-memory", "timeout": "ack-timeout", "keyfile": "key-file",
		"interfaces": "interface", "loglevel": "log-level", "logout_hold": "logout-hold", "peer": "peers", "listen": "", "zzz": "", "": "", "x": "",
	} {
		if got := nearest(unknown, fieldNames()); got != want {
			t.Errorf("%q: %q, want %q", unknown, got, want)
		}
	}
}

func TestEditDistanceCountsOneForASwap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"port", "prot", 1}, {"port", "ports", 1}, {"use", "ues", 1}, {"ack", "act", 1}, {"kitten", "sitting", 3}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

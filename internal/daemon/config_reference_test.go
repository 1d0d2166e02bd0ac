package daemon

import (
	"regexp"
	"slices"
	"testing"
)

var referenceKey = regexp.MustCompile(`(?m)^#([a-z-]+) = .+$`)

func TestReferenceNamesEveryOptionOnceInOrder(t *testing.T) {
	var named []string
	for _, match := range referenceKey.FindAllStringSubmatch(reference, -1) {
		named = append(named, match[1])
	}
	var want []string
	for _, name := range fieldNames() {
		if name != "config" {
			want = append(want, name)
		}
	}
	slices.Sort(named)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("named %v\nwant  %v", named, want)
	}
}

func TestReferenceIsAcceptedAsItStandsAndSetsNothing(t *testing.T) {
	cli, err := Load([]string{"serve", "--config", "r"}, testHost(nil, map[string]string{"r": reference}))
	if err != nil {
		t.Fatal(err)
	}
	delete(cli.Origins, "config")
	if len(cli.Origins) > 0 {
		t.Errorf("set: %v", cli.Origins)
	}
}

// Each key taken out of its comment alone is accepted, and means what it would have meant in its comment, but for those
// whose default is found at the start.
func TestReferenceShowsTheDefaults(t *testing.T) {
	plain, err := Load([]string{"serve"}, testHost(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	examples := []string{"group", "address", "interface", "cluster", "peers-file", "key-file", "max-memory"}
	for _, match := range referenceKey.FindAllStringSubmatch(reference, -1) {
		cli, err := Load([]string{"serve", "--config", "r"}, testHost(nil, map[string]string{"r": match[0][1:]}))
		if err != nil {
			t.Errorf("%s: %v", match[0], err)
			continue
		}
		f, _ := fieldNamed(match[1])
		if slices.ContainsFunc(bridgeFields, func(b field) bool { return b.name == f.name }) {
			continue // in config_bridge_test.go
		}
		same := slices.Equal(f.texts(&cli.Serve.Options), f.texts(&plain.Serve.Options))
		if same == slices.Contains(examples, f.name) {
			t.Errorf("%s: same as the default is %v", match[0], same)
		}
	}
}

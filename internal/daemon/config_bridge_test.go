package daemon

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestABridgeHasItsOwnDefaults(t *testing.T) {
	cli, err := Load([]string{"bridge"}, testHost([]string{"SESSIONCAST_PREFIX=app:", "SESSIONCAST_RESP=127.0.0.1:6380"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	b := &cli.Bridge
	if b.Port != freePort || b.OriginalsPort != 4000 || b.OriginalsTTL != 2 || b.Prefix != "app:" || b.RESP[0].Network != "off" || !strings.HasSuffix(string(b.Name), "-bridge") {
		t.Errorf("%+v", b)
	}
}

func TestOptionsOfABridgeInAFileAreNoErrorOfServe(t *testing.T) {
	files := map[string]string{"f": "originals-port = 5000\nprefix = \"\"\nport = 6000\n"}
	cli, err := Load([]string{"bridge", "--config", "f"}, testHost(nil, files))
	if err != nil || cli.Bridge.OriginalsPort != 5000 || cli.Bridge.Port != 6000 || cli.Bridge.Prefix != "" {
		t.Errorf("%+v %v", cli, err)
	}
	if _, err := Load([]string{"serve", "--config", "f"}, testHost(nil, files)); err != nil {
		t.Error(err)
	}
}

func TestABridgeRefusesWhatOriginalsWouldDieOf(t *testing.T) {
	for name, c := range map[string]struct{ args, want string }{
		"the same port":    {"--port 4000", "--port: 4000 to 4031 are this cluster's, and 4000 the originals', which die of its datagrams: give all nodes of the cluster another port, as --port 4100"},
		"a port near":      {"--port 3980", "--port: 3980 to 4011"},
		"theirs moved":     {"--originals-port 4100", "as --port 4200"},
		"theirs high":      {"--originals-port 65535 --port 65535", "as --port 65435"},
		"a peer":           {"--peers 10.0.0.4:4000", "10.0.0.4:4000 is at the originals' port"},
		"clients":          {"--resp 127.0.0.1:6379", "a bridge serves no Redis clients"},
		"family":           {"--originals-group ffbe::43", "of another family"},
		"no group":         {"--originals-group 10.0.0.1", "not a multicast group"},
		"no path":          {"--user-path passport..user", "is not a path into a session"},
		"a long prefix":    {"--prefix " + strings.Repeat("x", 129), "use 128 at most"},
		"an unknown word":  {"--original-port 4000", "did you mean --originals-port?"},
		"serve has it not": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.args == "" {
				if _, err := Load([]string{"serve", "--prefix", "x"}, testHost(nil, nil)); err == nil {
					t.Error("serve takes a bridge's option")
				}
				return
			}
			_, err := Load(append([]string{"bridge"}, strings.Fields(c.args)...), testHost(nil, nil))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestReferenceShowsTheDefaultsOfABridge(t *testing.T) {
	plain, err := Load([]string{"bridge"}, testHost(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range referenceKey.FindAllStringSubmatch(reference, -1) {
		if !slices.ContainsFunc(bridgeFields, func(f field) bool { return f.name == match[1] }) || match[1] == "originals-group" || match[1] == "user-path" {
			continue
		}
		cli, err := Load([]string{"bridge", "--config", "r"}, testHost(nil, map[string]string{"r": match[0][1:]}))
		if err != nil || cli.Bridge.Originals != plain.Bridge.Originals {
			t.Errorf("%s: %v", match[0], err)
		}
	}
}

func TestTheRefusalNamesTheBridgesCommandLine(t *testing.T) {
	cli, err := Load([]string{"serve", "--key-file", "/etc/my key", "--peers", "10.0.0.4,10.0.0.5", "--port", "4000"}, testHost(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	d := newDaemon(cli, testHost(nil, nil))
	if got, want := d.bridgeArgs(), " --peers=10.0.0.4 --peers=10.0.0.5 --key-file='/etc/my key'"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := Load(append([]string{"bridge"}, "--peers=10.0.0.4", "--peers=10.0.0.5", "--key-file=/etc/my key"), testHost(nil, nil)); err != nil {
		t.Error(err)
	}
}

func TestThePageOfTheBridgeNamesItsOptions(t *testing.T) {
	page, err := os.ReadFile("../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range bridgeFields {
		byDefault := strings.NewReplacer("`", "").Replace(cmp.Or(f.tag.Get("shown"), f.tag.Get("default")))
		if row := "| `--" + f.name + "` | " + byDefault; !strings.Contains(strings.ReplaceAll(string(page), "`sess:`", "sess:"), row) {
			t.Errorf("docs/migration.md has no row %s", row)
		}
	}
	if !strings.Contains(string(page), fmt.Sprint(freePort)) {
		t.Errorf("docs/migration.md does not name port %d", freePort)
	}
}

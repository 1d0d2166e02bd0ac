package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// MaxConfigFile bounds the configuration file.
const MaxConfigFile = 1 << 20

// Origin is the place where an option was set, as a message names it: "--port", "SESSIONCAST_PORT", "site.toml:3".
type Origin string

// setting is an option's value as it was written at one place.
type setting struct {
	texts  []string
	origin Origin
}

// kongText is the setting as kong reads a flag's value: lists separated by commas.
func (s setting) kongText() string {
	if len(s.texts) == 1 && !strings.Contains(s.texts[0], ",") {
		return s.texts[0]
	}
	return kong.JoinEscaped(s.texts, ',')
}

// layer holds the settings of one place by the option's name.
type layer map[string]setting

// readEnv reads the options set in the environment. All that is wrong is reported at once. A variable that is set but
// empty counts as not set, as deployment tools write it.
func readEnv(env []string) (layer, error) {
	found := layer{}
	var problems []error
	for _, entry := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || name == keyVariable || name == binaryVariable || value == "" {
			continue
		}
		if name == runtimeVariable {
			if !filepath.IsAbs(value) {
				problems = append(problems, fmt.Errorf("%s: %q is no whole path: give one as /run/user/1000", name, value))
			}
			continue
		}
		if err := found.addVariable(name, value); err != nil {
			problems = append(problems, err)
		}
	}
	return found, errors.Join(problems...)
}

func (l layer) addVariable(name, value string) error {
	word := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "-"))
	f, known := fieldNamed(word)
	if fromKubernetes(name, value) {
		return fmt.Errorf("%s: this is what Kubernetes sets for a Service named sessioncast, not an option: set enableServiceLinks: false in the pod's spec, or give the Service another name", name)
	}
	if !known || variable(f.name) != name {
		return fmt.Errorf("%s: unknown variable%s", name, didYouMean(nearestVariable(word)))
	}
	texts := []string{value}
	if f.isList() {
		texts = kong.SplitEscaped(value, ',')
	}
	if err := f.check(texts); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	l[f.name] = setting{texts, Origin(name)}
	return nil
}

func nearestVariable(word string) string {
	if near := nearest(word, append(fieldNames(), "key", "runtime-dir")); near != "" {
		return variable(near)
	}
	return ""
}

// fromKubernetes recognises the variables that Kubernetes puts into every pod for a Service named sessioncast.
func fromKubernetes(name, value string) bool {
	rest := strings.TrimPrefix(name, envPrefix)
	if strings.HasPrefix(rest, "SERVICE_HOST") || strings.HasPrefix(rest, "SERVICE_PORT") || strings.HasPrefix(rest, "PORT_") {
		return true
	}
	return rest == "PORT" && (strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://"))
}

// parseFile reads the options set in a TOML file. All that is wrong is reported at once, in the order it stands there.
func parseFile(name string, data []byte) (layer, error) {
	if len(data) > MaxConfigFile {
		return nil, fmt.Errorf("%s: larger than %s", name, Size(MaxConfigFile))
	}
	values := map[string]any{}
	if err := toml.Unmarshal(data, &values); err != nil {
		return nil, syntaxError(name, err)
	}
	lines := keyLines(data)
	found := layer{}
	var problems []error
	order := func(a, b string) int { return cmp.Or(cmp.Compare(lines[a], lines[b]), cmp.Compare(a, b)) }
	for _, key := range slices.SortedFunc(maps.Keys(values), order) {
		origin := Origin(fmt.Sprintf("%s:%d", name, lines[key]))
		if err := found.addKey(key, values[key], origin); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", origin, err))
		}
	}
	return found, errors.Join(problems...)
}

func syntaxError(name string, err error) error {
	var bad *toml.DecodeError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%s: %w", name, err)
	}
	line, _ := bad.Position()
	return fmt.Errorf("%s:%d: %s", name, line, strings.TrimPrefix(bad.Error(), "toml: "))
}

func (l layer) addKey(key string, value any, origin Origin) error {
	f, known := fieldNamed(key)
	if _, table := value.(map[string]any); table && !known {
		return fmt.Errorf("unknown table %q: the options stand at the top of the file, under no table", key)
	}
	if !known {
		return fmt.Errorf("unknown key %q%s", key, didYouMean(nearest(key, fieldNames())))
	}
	if key == "config" {
		return errors.New("config: a file cannot name another file: leave it out")
	}
	texts, err := tomlTexts(value)
	if err == nil {
		err = f.check(texts)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if len(texts) > 0 {
		l[key] = setting{texts, origin}
	}
	return nil
}

// tomlTexts writes a TOML value as the texts it would have as a flag.
func tomlTexts(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case bool, int64:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		texts := []string{}
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("a list of something else than strings: write it as [\"one\", \"two\"]")
			}
			texts = append(texts, text)
		}
		return texts, nil
	}
	return nil, errors.New("not a string, a whole number, true, false or a list of strings")
}

// keyLines finds the line on which each top-level key or table first stands.
func keyLines(data []byte) map[string]int {
	lines := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	inTable := false
	for p.NextExpression() {
		e := p.Expression()
		isTable := e.Kind == unstable.Table || e.Kind == unstable.ArrayTable
		if (e.Kind != unstable.KeyValue || inTable) && !isTable {
			continue
		}
		inTable = inTable || isTable
		key := e.Key()
		if !key.Next() {
			continue
		}
		first := key.Node()
		if _, seen := lines[string(first.Data)]; !seen {
			lines[string(first.Data)] = p.Shape(first.Raw).Start.Line
		}
	}
	return lines
}

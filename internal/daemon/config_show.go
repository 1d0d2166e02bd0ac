package daemon

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// showOptions writes the options in force as a configuration file, each with the place where it was set.
func showOptions(o *Options, origins map[string]Origin) string {
	var b strings.Builder
	for _, f := range fields {
		texts := f.texts(o)
		origin, set := origins[f.name]
		switch {
		case f.name == "config" && set:
			fmt.Fprintf(&b, "# read from %s (%s)\n", o.Config, origin)
		case f.name == "config":
		case !set && len(texts) == 0:
			fmt.Fprintf(&b, "# %s: %s\n", f.name, f.tag.Get("shown"))
		case !set:
			fmt.Fprintf(&b, "%s = %s  # default\n", f.name, f.toml(texts))
		default:
			fmt.Fprintf(&b, "%s = %s  # %s\n", f.name, f.toml(texts), origin)
		}
	}
	return b.String()
}

// toml writes the field's value as TOML.
func (f field) toml(texts []string) string {
	if f.isList() {
		quoted := make([]string, len(texts))
		for i, text := range texts {
			quoted[i] = quoteTOML(text)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	_, err := strconv.ParseInt(texts[0], 10, 64)
	bare := f.typ.Kind() == reflect.Bool || err == nil && f.typ.Kind() != reflect.String
	if bare {
		return texts[0]
	}
	return quoteTOML(texts[0])
}

// quoteTOML writes s as a TOML string. Go's quotes are TOML's as long as nothing needs one of the escapes that only Go
// knows.
func quoteTOML(s string) string {
	if quoted := strconv.Quote(s); !strings.Contains(quoted, `\x`) && !strings.Contains(quoted, `\a`) && !strings.Contains(quoted, `\v`) {
		return quoted
	}
	out, err := toml.Marshal(map[string]string{"s": strings.ToValidUTF8(s, "\uFFFD")})
	if err != nil {
		return `""`
	}
	return strings.TrimSpace(strings.TrimPrefix(string(out), "s = "))
}

package daemon

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/sessioncast/sessioncast/internal/hostmem"
)

// ErrHelp says that help or the version was asked for and has been printed.
var ErrHelp = errors.New("help was printed")

// UsageError is an error of whoever wrote the command line, the environment or the file.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives what was wrong.
func (e *UsageError) Unwrap() error { return e.Err }

// Load reads the command line, and for the commands that take options the environment and the file named by --config or
// SESSIONCAST_CONFIG. A flag goes before a variable, a variable before the file, the file before the default; every
// place is checked, also where another goes before it. Errors are [UsageError], or [ErrHelp].
func Load(args []string, host Host) (*CLI, error) {
	cli := &CLI{Origins: map[string]Origin{}}
	l := &loader{cli: cli, host: host}
	switch err := l.load(args); {
	case l.helped:
		return nil, ErrHelp
	case err != nil:
		return nil, &UsageError{err}
	}
	return cli, nil
}

// loader is one run of Load.
type loader struct {
	cli    *CLI
	host   Host
	parser *kong.Kong
	layers layer
	helped bool
}

func (l *loader) load(args []string) (err error) {
	l.parser, err = l.newParser()
	if err != nil {
		return err
	}
	args = joinNumbers(args)
	trace, err := kong.Trace(l.parser, args)
	if err != nil {
		return err
	}
	if trace.Error == nil {
		if err := l.readLayers(trace); err != nil {
			return l.unlessHelp(args, err)
		}
	}
	ctx, err := l.parser.Parse(args)
	if err != nil {
		return flagError(err, trace)
	}
	l.cli.Command = ctx.Command()
	l.recordOrigins(ctx)
	return l.complete()
}

// unlessHelp lets whoever asks for help have it in spite of an error in the environment or the file.
func (l *loader) unlessHelp(args []string, err error) error {
	if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		_, _ = l.parser.Parse(args)
	}
	return err
}

// readLayers reads the environment and the file where the selected command takes options.
func (l *loader) readLayers(trace *kong.Context) error {
	config := tracedFlag(trace, "config")
	if config == nil {
		return nil
	}
	env, err := readEnv(l.host.Env)
	if err != nil {
		return err
	}
	name, origin := l.configFile(trace, config, env)
	file := layer{}
	if name != "" {
		data, err := l.host.ReadFile(name)
		if err != nil {
			return fmt.Errorf("%s: %w", origin, readFailure(name, err))
		}
		if file, err = parseFile(name, data); err != nil {
			return err
		}
	}
	l.layers = file
	maps.Copy(l.layers, env)
	return nil
}

func readFailure(name string, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no file %s: sessioncast config > FILE makes one with every option", name)
	}
	return err
}

func (l *loader) configFile(trace *kong.Context, flag *kong.Flag, env layer) (string, Origin) {
	if given(trace, "config") {
		name, _ := trace.FlagValue(flag).(string)
		return name, "--config"
	}
	if s, ok := env["config"]; ok {
		return s.texts[0], s.origin
	}
	return "", ""
}

// Resolve gives kong the value of a flag that was not given. It makes loader a kong.Resolver.
func (l *loader) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if s, ok := l.layers[flag.Name]; ok {
		return s.kongText(), nil
	}
	return nil, nil
}

// Validate makes loader a kong.Resolver; the layers were checked when they were read.
func (l *loader) Validate(*kong.Application) error { return nil }

func (l *loader) recordOrigins(ctx *kong.Context) {
	for _, f := range slices.Concat(fields, bridgeFields) {
		if s, ok := l.layers[f.name]; ok {
			l.cli.Origins[f.name] = s.origin
		}
		if given(ctx, f.name) {
			l.cli.Origins[f.name] = Origin("--" + f.name)
		}
	}
}

// tracedFlag is the selected command's flag of that name, nil where it has none.
func tracedFlag(ctx *kong.Context, name string) *kong.Flag {
	for _, p := range ctx.Path {
		for _, f := range p.Flags {
			if f.Name == name {
				return f
			}
		}
	}
	return nil
}

// given tells whether the flag stood on the command line.
func given(ctx *kong.Context, name string) bool {
	return slices.ContainsFunc(ctx.Path, func(p *kong.Path) bool {
		return p.Flag != nil && p.Flag.Name == name && !p.Resolved
	})
}

// complete sets the defaults that depend on the host and checks the options against each other.
func (l *loader) complete() error {
	if t := l.cli.target(); t != nil && t.Name == "" {
		t.Name = l.host.nodeName()
		if l.cli.Command == "bridge" {
			t.Name = bridgeName(t.Name)
		}
	}
	o := l.cli.options()
	if o == nil {
		return l.cli.checkCommand()
	}
	if o.MaxMemory == 0 && l.cli.Origins["max-memory"] == "" {
		o.MaxMemory = max(MinMemory, Size(hostmem.Of(l.host.ReadFile)/4>>20<<20))
	}
	if l.cli.Command == "bridge" {
		l.completeBridge(o)
	}
	problems := l.emptyOptions(o)
	for _, check := range slices.Concat(optionChecks, bridgeChecks) {
		if name, err := check(o, l); err != nil {
			problems = append(problems, fmt.Errorf("%s%w", l.at(name), err))
		}
	}
	return errors.Join(problems...)
}

// emptyOptions finds what was set to nothing on the command line; the other places are checked as they are read.
func (l *loader) emptyOptions(o *Options) (problems []error) {
	for _, f := range fields {
		if l.cli.Origins[f.name] != "" && len(f.texts(o)) == 0 {
			if err := f.checkEmpty(); err != nil {
				problems = append(problems, fmt.Errorf("%s%w", l.at(f.name), err))
			}
		}
	}
	return problems
}

// at says where an option was set, for the front of a message.
func (l *loader) at(name string) string {
	origin := l.cli.Origins[name]
	switch {
	case origin == "":
		return name + ": "
	case strings.HasPrefix(string(origin), "--") || string(origin) == variable(name):
		return string(origin) + ": "
	}
	return string(origin) + ": " + name + ": "
}

func (l *loader) newParser() (*kong.Kong, error) {
	return kong.New(l.cli,
		kong.Name("sessioncast"),
		kong.Description("Web sessions in the memory of every server: a change on one is read on all."),
		kong.Writers(l.host.Stdout, io.Discard),
		kong.Exit(func(int) { l.helped = true }),
		kong.Resolvers(l),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: helpWidth}),
		kong.ValueFormatter(formatHelp),
		kong.Vars{"version": "sessioncast " + version()},
		kong.ExplicitGroups(helpGroups),
	)
}

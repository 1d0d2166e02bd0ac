// Package arch holds no code: its tests keep the structure that docs/ARCHITECTURE.md describes.
package arch

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sessioncast/sessioncast"

var update = flag.Bool("update", false, "write docs/deps.txt anew")

// mayImport lists, for every room, the rooms of this module that it may import. Whoever adds a room adds a line, and
// thinks about whether its arrow points down.
var mayImport = map[string][]string{
	"internal/hlc":      {},
	"internal/dots":     {},
	"internal/replay":   {},
	"internal/hostmem":  {},
	"internal/unixsock": {},
	"internal/record":   {"internal/hlc"},
	"internal/wire":     {"internal/hlc", "internal/dots", "internal/record"},
	"internal/seal":     {"internal/record", "internal/replay", "internal/wire"},
	"internal/fields":   {"internal/record"},
	"internal/table":    {"internal/hlc", "internal/record", "internal/fields"},
	"internal/engine":   {"internal/hlc", "internal/dots", "internal/record", "internal/wire", "internal/seal", "internal/table"},
	"internal/transfer": {"internal/hlc", "internal/record", "internal/wire", "internal/table"},
	"internal/keeper":   {"internal/hlc", "internal/wire", "internal/table", "internal/engine"},
	"internal/link":     {},
	"internal/peers":    {},
	"internal/stream":   {"internal/record"},
	"internal/keyfile":  {"internal/seal"},
	"internal/node": {"internal/hlc", "internal/record", "internal/wire", "internal/seal", "internal/table", "internal/engine",
		"internal/transfer", "internal/keeper", "internal/link", "internal/peers", "internal/stream"},
	"": {"internal/fields", "internal/node", "internal/engine", "internal/table", "internal/record", "internal/wire", "internal/seal",
		"internal/link", "internal/peers", "internal/keyfile", "internal/hostmem"},
	"expresscookie":   {""},
	"internal/bridge": {},
	"internal/resp":   {"internal/unixsock", "internal/fields", "internal/hlc", "internal/table", "internal/record"},
	"internal/admin": {"internal/unixsock", "internal/bridge", "internal/resp", "internal/engine", "internal/table", "internal/record", "internal/wire", "internal/link",
		"internal/stream", "internal/transfer"},
	"internal/daemon": {"internal/admin", "internal/bridge", "internal/fields", "internal/resp", "internal/node", "internal/engine", "internal/table", "internal/record",
		"internal/wire", "internal/seal", "internal/link", "internal/peers", "internal/stream", "internal/keyfile", "internal/hostmem"},
	"cmd/sessioncast": {"internal/daemon"},
}

// testRooms may import everything and be imported by tests only.
var testRooms = []string{"internal/sim", "internal/model", "internal/nstest", "internal/dnstest", "internal/clocktest", "internal/arch", "test/", "bench/"}

// pure rooms have no clock, no dice of their own, no I/O, no goroutines and no order that a map could leak.
var pure = []string{"internal/hlc", "internal/dots", "internal/replay", "internal/record", "internal/fields", "internal/wire", "internal/seal",
	"internal/engine", "internal/transfer", "internal/keeper", "internal/bridge"}

// impureImports are what a pure room may not import. sync and net/netip are values, not I/O.
var impureImports = []string{"net", "os", "context", "log", "log/slog", "crypto/rand", "math/rand", "syscall", "io/fs", "runtime",
	"os/exec", "net/http"}

// impureCalls read a clock or start a timer.
var impureCalls = map[string][]string{
	"time": {"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"},
	"rand": {"Int", "IntN", "Int64N", "Uint64", "Float64", "Perm", "Shuffle", "N"}, // the package's own dice
}

type pkg struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func room(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

func isTestRoom(r string) bool {
	return slices.ContainsFunc(testRooms, func(t string) bool { return r == t || strings.HasPrefix(r+"/", strings.TrimSuffix(t, "/")+"/") })
}

func TestImportsPointDownward(t *testing.T) {
	for _, p := range packages(t) {
		r := room(p.ImportPath)
		if isTestRoom(r) {
			continue
		}
		allowed, known := mayImport[r]
		if !known {
			t.Errorf("%s: a room that the table of this test does not know", r)
			continue
		}
		for _, i := range p.Imports {
			if i != module && !strings.HasPrefix(i, module+"/") {
				continue
			}
			if to := room(i); !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: this arrow does not point downward", p.ImportPath, i)
			}
		}
	}
}

func TestNoCycleInTheTableItself(t *testing.T) {
	var visit func(r string, path []string)
	visit = func(r string, path []string) {
		if slices.Contains(path, r) {
			t.Fatalf("%s", strings.Join(append(path, r), " -> "))
		}
		for _, to := range mayImport[r] {
			visit(to, append(slices.Clip(path), r))
		}
	}
	for r := range mayImport {
		visit(r, nil)
	}
}

func TestPureRoomsStayPure(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(pure, room(p.ImportPath)) {
			continue
		}
		for _, i := range p.Imports {
			if slices.Contains(impureImports, i) {
				t.Errorf("%s is pure and imports %s", p.ImportPath, i)
			}
		}
		for _, f := range p.GoFiles {
			checkCalls(t, filepath.Join(p.Dir, f))
		}
	}
}

func checkCalls(t *testing.T, file string) {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a goroutine in a pure room", set.Position(n.Pos()))
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && x.Obj == nil && slices.Contains(impureCalls[x.Name], n.Sel.Name) {
				t.Errorf("%s: %s.%s in a pure room", set.Position(n.Pos()), x.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// TestThePurityCheckSees plants what it must find.
func TestThePurityCheckSees(t *testing.T) {
	for name, src := range map[string]string{
		"clock":     "package p\nimport \"time\"\nvar _ = time.Now()\n",
		"goroutine": "package p\nfunc f() { go f() }\n",
	} {
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = true
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				found = found || ok && slices.Contains(impureCalls[x.Name], n.Sel.Name)
			}
			return true
		})
		if !found {
			t.Errorf("%s: not seen", name)
		}
	}
}

// TestTheLibraryStaysLight compares what the root package brings along with the list that was agreed to.
func TestTheLibraryStaysLight(t *testing.T) {
	lines := dependencies(t, ".")
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	file := filepath.Join(root(t), "docs", "deps.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the root package's dependencies changed; if that is meant: go test ./internal/arch -update\ngot:\n%s", got)
	}
}

// TestThePackagesBesideTheLibraryBringNothingAlong: who embeds one of them carries what the library does, and no more.
func TestThePackagesBesideTheLibraryBringNothingAlong(t *testing.T) {
	library := dependencies(t, ".")
	for _, room := range []string{"expresscookie"} {
		for _, path := range dependencies(t, "./"+room) {
			if path != module+"/"+room && !slices.Contains(library, path) {
				t.Errorf("%s brings %s along, which the library does not", room, path)
			}
		}
	}
}

// dependencies are the packages outside of the standard library that one of ours brings along, itself among them.
func dependencies(t *testing.T, of string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", of)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	return strings.Fields(string(out))
}

// Limits of what one can take in at a glance.
const (
	maxFunctionLines = 70
	maxFileLines     = 600
)

func TestFilesAndFunctionsStaySmall(t *testing.T) {
	each(t, func(path string, set *token.FileSet, tree *ast.File) {
		if n := set.File(tree.Pos()).LineCount(); n > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", path, n, maxFileLines)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || strings.HasSuffix(path, "_test.go") { // tables of cases may be long
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, more than %d", set.Position(f.Pos()), f.Name.Name, n, maxFunctionLines)
			}
		}
	})
}

func TestNoSleepsInTests(t *testing.T) {
	each(t, func(path string, set *token.FileSet, tree *ast.File) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && s.Sel.Name == "Sleep" && !usesSynctest(tree) {
					t.Errorf("%s: time.Sleep; wait for what you wait for", set.Position(n.Pos()))
				}
			}
			return true
		})
	})
}

// usesSynctest: there a sleep takes no time and is exact.
func usesSynctest(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
}

// each parses every Go file of the module.
func each(t *testing.T, f func(path string, set *token.FileSet, tree *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		f(path, set, tree)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

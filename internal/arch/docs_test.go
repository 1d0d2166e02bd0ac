package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testName finds what reads as the name of a test in a page, with a name of a subtest behind it.
var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark|Example)[A-Z][A-Za-z0-9]*)(?:/([^`]+))?`")

// TestEveryTestNamedInThePagesExists keeps what the pages give as proof from being a name only.
func TestEveryTestNamedInThePagesExists(t *testing.T) {
	known := testNames(t)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range namedIn(string(text)) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which does not exist", filepath.Base(page), name)
			}
		}
	}
}

// TestEveryPromiseNamesItsTests reads the promises of ARCHITECTURE.md: each must name a test.
func TestEveryPromiseNamesItsTests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`(?m)^### \d\. `).Split(string(text), -1)[1:]
	if len(parts) != 8 {
		t.Fatalf("%d promises, want 8", len(parts))
	}
	for i, p := range parts {
		p, _, _ = strings.Cut(p, "\n## ")
		if len(namedIn(p)) == 0 {
			t.Errorf("promise %d names no test", i+1)
		}
	}
}

const (
	tableBegin = "<!-- written by: go test ./internal/arch -update -->\n"
	tableEnd   = "<!-- end -->"
)

// TestTheTableOfRoomsIsTheOneInForce compares the arrows in ARCHITECTURE.md with mayImport.
func TestTheTableOfRoomsIsTheOneInForce(t *testing.T) {
	checkTable(t, filepath.Join(root(t), "docs", "ARCHITECTURE.md"), roomTable())
}

// TestTheTableOfOptionsIsTheOneInForce compares the options in README.md with those of the daemon.
func TestTheTableOfOptionsIsTheOneInForce(t *testing.T) {
	checkTable(t, filepath.Join(root(t), "README.md"), optionTable(t))
}

// checkTable holds the table between the marks of a page against what it must be, or writes it anew.
func checkTable(t *testing.T, page, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), tableBegin)
	table, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		t.Fatalf("%s: the table's marks are missing", page)
	}
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is an old one; write it anew: go test ./internal/arch -update", filepath.Base(page))
	}
	if err := os.WriteFile(page, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// optionTable reads the tags of the daemon's options, from which flags, variables, keys and help are made.
func optionTable(t *testing.T) string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), "internal", "daemon", "config.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("\n| option | default | |\n|---|---|---|\n")
	for _, name := range []string{"Target", "Options"} {
		for _, f := range fieldsOf(tree, name) {
			tag := tagOf(f)
			if tag.Get("name") == "" {
				continue
			}
			byDefault := "off"
			if d := tag.Get("default"); d != "" {
				byDefault = "`" + d + "`"
			}
			fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", tag.Get("name"), cmp.Or(tag.Get("shown"), byDefault), tag.Get("help"))
		}
	}
	return b.String() + "\n"
}

func fieldsOf(tree *ast.File, name string) []*ast.Field {
	var fields []*ast.Field
	ast.Inspect(tree, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == name {
			fields = spec.Type.(*ast.StructType).Fields.List
		}
		return true
	})
	return fields
}

func tagOf(f *ast.Field) reflect.StructTag {
	if f.Tag == nil {
		return ""
	}
	text, _ := strconv.Unquote(f.Tag.Value) // the parser accepted it
	return reflect.StructTag(text)
}

func roomTable() string {
	short := func(r string) string {
		if r == "" {
			return "root"
		}
		return "`" + strings.TrimPrefix(r, "internal/") + "`"
	}
	var b strings.Builder
	b.WriteString("\n| room | may import |\n|---|---|\n")
	for _, r := range slices.Sorted(maps.Keys(mayImport)) {
		var list []string
		for _, to := range mayImport[r] {
			list = append(list, short(to))
		}
		name := short(r)
		if slices.Contains(pure, r) {
			name += ", pure"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, cmp.Or(strings.Join(list, ", "), "nothing of ours"))
	}
	return b.String() + "\n"
}

// TestLinksInThePagesLead follows the links from the pages to files of this tree and to their headings.
func TestLinksInThePagesLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^):]*))?\)`)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := page
			if m[1] != "" {
				to = filepath.Join(filepath.Dir(page), m[1])
			}
			there, err := os.ReadFile(to)
			if err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(page), m[1], err)
			} else if m[2] != "" && !slices.Contains(anchors(string(there)), m[2]) {
				t.Errorf("%s links to %s#%s, which has no such heading", filepath.Base(page), m[1], m[2])
			}
		}
	}
}

// anchors are the names that a page's headings get where it is shown.
func anchors(page string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestNamesAreFoundInPages plants what the tests above look for.
func TestNamesAreFoundInPages(t *testing.T) {
	got := namedIn("held by `TestOne`, `FuzzTwo` and `TestThree/a thing`, in `internal/sim`; `Testing` is none")
	if want := []string{"TestOne", "FuzzTwo", "TestThree", `"a thing"`}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := anchors("# One\n\n### 2. Two, and `three`\nnone\n"); !slices.Equal(got, []string{"one", "2-two-and-three"}) {
		t.Errorf("found the headings %q", got)
	}
}

// namedIn lists the tests that a text names. A subtest stands as the quoted name that some test file must hold.
func namedIn(text string) (names []string) {
	for _, m := range testName.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
		if m[2] != "" {
			names = append(names, `"`+m[2]+`"`)
		}
	}
	return names
}

func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		list, err := filepath.Glob(filepath.Join(root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	return all
}

// testNames are the tests of the module, and every string of a test file, as which a subtest's name stands there.
func testNames(t *testing.T) (names []string) {
	t.Helper()
	each(t, func(path string, _ *token.FileSet, tree *ast.File) {
		if !strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				names = append(names, n.Name.Name)
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					names = append(names, n.Value)
				}
			}
			return true
		})
	})
	return names
}

package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	roomsBegin = "<!-- written by: go test ./internal/arch -update -->\n"
	roomsEnd   = "<!-- end -->"
)

// TestTheTableOfRoomsIsTheOneInForce compares the arrows in ARCHITECTURE.md with mayImport.
func TestTheTableOfRoomsIsTheOneInForce(t *testing.T) {
	file := filepath.Join(root(t), "docs", "ARCHITECTURE.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), roomsBegin)
	table, after, ended := strings.Cut(rest, roomsEnd)
	if !begun || !ended {
		t.Fatal("the table's marks are missing")
	}
	want := roomTable()
	if table == want {
		return
	}
	if !*update {
		t.Fatal("the table of rooms is an old one; write it anew: go test ./internal/arch -update")
	}
	if err := os.WriteFile(file, []byte(before+roomsBegin+want+roomsEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
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

// TestLinksInThePagesLead follows the links from the pages to files of this tree.
func TestLinksInThePagesLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(page), m[1], err)
			}
		}
	}
}

// TestNamesAreFoundInPages plants what the tests above look for.
func TestNamesAreFoundInPages(t *testing.T) {
	got := namedIn("held by `TestOne`, `FuzzTwo` and `TestThree/a thing`, in `internal/sim`; `Testing` is none")
	if want := []string{"TestOne", "FuzzTwo", "TestThree", `"a thing"`}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
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

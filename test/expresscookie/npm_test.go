package expresscookie

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sessioncast/sessioncast/test/rig"
)

var packages struct {
	sync.Once
	err error
}

// needPackages installs the app's packages, unless they are there, and skips where there is no Node.
func needPackages(t *testing.T) {
	t.Helper()
	rig.Need(t, "node", "nodejs")
	rig.Need(t, "npm", "npm")
	store, _ := filepath.Glob("../../node/express-session/lib/*.js") // the pattern is right
	for _, file := range append(store, "app/visit.js", "app/server.js", "app/package-lock.json") {
		if _, err := os.ReadFile(file); err != nil { // seen by go test, which runs the test anew when it changes
			t.Fatal(err)
		}
	}
	packages.Do(func() {
		if installed() {
			return
		}
		cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		cmd.Dir = "app"
		if out, err := cmd.CombinedOutput(); err != nil {
			packages.err = fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	})
	if packages.err != nil {
		t.Fatal(packages.err)
	}
}

// installed tells whether what npm ci left is newer than what it is made from.
func installed() bool {
	lock, err := os.Stat("app/package-lock.json")
	if err != nil {
		return false
	}
	left, err := os.Stat("app/node_modules/.package-lock.json")
	return err == nil && left.ModTime().After(lock.ModTime())
}

// question is one of those that app/visit.js answers.
type question struct {
	Op     string `json:"op"` // visit, sign or unsign
	Value  string `json:"value,omitempty"`
	Secret string `json:"secret,omitempty"`

	Header    []byte         `json:"header,omitempty"` // the Cookie header's bytes
	Text      string         `json:"text,omitempty"`   // what the store has
	Options   map[string]any `json:"options,omitempty"`
	IDs       []string       `json:"ids,omitempty"` // of new sessions
	HTTPS     bool           `json:"https,omitempty"`
	Now       int64          `json:"now,omitempty"`
	Does      string         `json:"does,omitempty"`
	Inherited bool           `json:"inherited,omitempty"`

	here action // what is done in Go alone
}

// answer is what Node says.
type answer struct {
	Value     any      `json:"value"`
	Error     *string  `json:"error"`
	Seen      string   `json:"seen"`
	Inherited []string `json:"inherited"`
	Asked     *string  `json:"asked"`
	Calls     []string `json:"calls"`
	Stored    *string  `json:"stored"`
	Sent      []string `json:"sent"`
}

// asks has Node answer all questions.
func asks(t *testing.T, questions []question) []answer {
	t.Helper()
	needPackages(t)
	var in, out, errs bytes.Buffer
	e := json.NewEncoder(&in)
	for _, q := range questions {
		if err := e.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", "visit.js")
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = "app", &in, &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("node visit.js: %v\n%s", err, errs.String())
	}
	var answers []answer
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions\n%s", len(answers), len(questions), errs.String())
	}
	return answers
}

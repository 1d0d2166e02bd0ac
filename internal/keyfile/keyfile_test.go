package keyfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const someKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func write(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(someKey+"\n"), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func configIn(dir string) func() (string, error) { return func() (string, error) { return dir, nil } }

func TestKeysAreLookedForInOrder(t *testing.T) {
	named, system, config := write(t, 0o600), write(t, 0o600), t.TempDir()
	for name, c := range map[string]struct {
		query Query
		from  string
	}{
		"insecure before all":       {Query{Insecure: true, Path: named}, "--insecure"},
		"the named file":            {Query{Path: named, Value: someKey, SystemPath: system}, named},
		"the variable":              {Query{Value: someKey, SystemPath: system}, Variable},
		"the system's, for root":    {Query{SystemPath: system, UserConfigDir: configIn(config)}, system},
		"the user's, for others":    {Query{SystemPath: system, UID: 1000, UserConfigDir: configIn(config)}, filepath.Join(config, "sessioncast", "key")},
		"the user's, without other": {Query{SystemPath: "nowhere", UserConfigDir: configIn(config)}, filepath.Join(config, "sessioncast", "key")},
	} {
		found, err := FindOrCreate(c.query)
		if err != nil || found.From != c.from || len(found.Keys) != 1 {
			t.Errorf("%s: %+v, %v, want from %s", name, found, err, c.from)
		}
	}
}

func TestTheDigestTellsWhetherTheFileHoldsSomethingElse(t *testing.T) {
	path := write(t, 0o600)
	digest := func() string {
		found, err := FindOrCreate(Query{Path: path})
		if err != nil || strings.Contains(someKey, found.Digest) {
			t.Fatalf("%+v, %v", found, err)
		}
		return found.Digest
	}
	first := digest()
	if again := digest(); again != first {
		t.Errorf("%s, then %s of the same file", first, again)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if other := digest(); other == first {
		t.Errorf("%s of another key, too", other)
	}
}

func TestErrorsSayWhatToDoAndShowNoKey(t *testing.T) {
	readable := write(t, 0o640)
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	for name, c := range map[string]struct {
		query Query
		want  string
		is    error
	}{
		"a readable file":     {Query{Path: readable}, "chmod 600 " + readable, ErrReadable},
		"a directory":         {Query{Path: t.TempDir()}, "a directory", nil},
		"a missing file":      {Query{Path: "missing"}, "sessioncast key new --out missing", fs.ErrNotExist},
		"a variable of words": {Query{Value: "secret words"}, "64 hex digits", ErrVariable},
		"no config folder": {Query{SystemPath: "nowhere", UserConfigDir: func() (string, error) { return "", errors.New("no HOME") }},
			"--key-file", nil},
	} {
		_, err := FindOrCreate(c.query)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want … %s …", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the value stands in the error: %v", name, err)
		}
	}
}

func TestManyThatStartAtOnceShareOneKey(t *testing.T) {
	config := t.TempDir()
	var wg sync.WaitGroup
	found := make([]Found, 8)
	for i := range found {
		wg.Go(func() { found[i], _ = FindOrCreate(Query{SystemPath: "nowhere", UserConfigDir: configIn(config)}) })
	}
	wg.Wait()
	made := 0
	for _, f := range found {
		if len(f.Keys) != 1 || f.Keys[0] != found[0].Keys[0] {
			t.Fatal("two keys were made")
		}
		if f.Made {
			made++
		}
	}
	info, err := os.Stat(filepath.Join(config, "sessioncast", "key"))
	if err != nil || info.Mode().Perm() != 0o600 || made != 1 {
		t.Fatalf("%v, %v, made by %d", info.Mode(), err, made)
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	path := write(t, 0o600)
	if made, err := Create(path); made || !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, %v, want an existing file to be left", made, err)
	}
	if data, _ := os.ReadFile(path); string(data) != someKey+"\n" {
		t.Error("the file was changed")
	}
}

func TestQuoteMakesOneWord(t *testing.T) {
	for in, want := range map[string]string{
		"": "''", "/etc/key": "/etc/key", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

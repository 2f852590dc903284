package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
)

func files(pairs ...string) fstest.MapFS {
	dir := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		dir[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return dir
}

func TestKeyChangesWithWhatIsBuilt(t *testing.T) {
	base := files("go.mod", "module a", "go.sum", "sum", "main.go", "package main")
	tests := []struct {
		name     string
		dir      fstest.MapFS
		settings []string
		same     bool
	}{
		{"nothing changed", files("main.go", "package main", "go.sum", "sum", "go.mod", "module a"), []string{"-tags=x"}, true},
		{"a test", files("go.mod", "module a", "go.sum", "sum", "main.go", "package main", "a_test.go", "x"), []string{"-tags=x"}, true},
		{"notes", files("go.mod", "module a", "go.sum", "sum", "main.go", "package main", "README.md", "x"), []string{"-tags=x"}, true},
		{"a flag", base, []string{"-tags=y"}, false},
		{"flags that join to the same", base, []string{"-tags", "=x"}, false},
		{"a version", files("go.mod", "module a v2", "go.sum", "sum", "main.go", "package main"), []string{"-tags=x"}, false},
		{"a file's name", files("go.mod", "module a", "go.sum", "sum", "other.go", "package main"), []string{"-tags=x"}, false},
	}
	want, err := Key(base, "-tags=x")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Key(test.dir, test.settings...)
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != test.same {
				t.Errorf("key %s, before %s, wanted the same: %v", got, want, test.same)
			}
		})
	}
}

func TestAtomicallyLeavesNothingHalfDone(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a", "file")
	failure := errors.New("disk on fire")
	err := atomically(path, func(tmp string) error {
		return errors.Join(os.WriteFile(tmp, []byte("half"), 0o644), failure)
	})
	if !errors.Is(err, failure) || exists(path) {
		t.Fatalf("err %v, exists %v", err, exists(path))
	}
	if err := atomically(path, func(tmp string) error { return os.WriteFile(tmp, []byte("whole"), 0o644) }); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 || !exists(path) {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestCacheRootFollowsTheVariable(t *testing.T) {
	t.Setenv("LOCKSTEP_CACHE", "/elsewhere")
	if got, err := CacheRoot(); err != nil || got != "/elsewhere" {
		t.Errorf("got %q, %v", got, err)
	}
	t.Setenv("LOCKSTEP_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	if got, err := CacheRoot(); err != nil || got != "/xdg/lockstep" {
		t.Errorf("got %q, %v", got, err)
	}
}

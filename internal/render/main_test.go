package render

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func TestMain(m *testing.M) {
	MaybeChild()
	os.Exit(m.Run())
}

var blueGreen = []v1alpha1.Slot{{Name: "blue", Namespace: "shop-blue"}, {Name: "green", Namespace: "shop-green"}}

// checkoutOf writes files, in txtar, to a directory. A file whose content is "-> target" becomes a symbolic link.
func checkoutOf(t *testing.T, files string) string {
	t.Helper()
	root := t.TempDir()
	for _, file := range txtar.Parse([]byte(files)).Files {
		name := filepath.Join(root, filepath.FromSlash(file.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		write := func() error { return os.WriteFile(name, file.Data, 0o644) }
		if target, ok := strings.CutPrefix(string(file.Data), "-> "); ok {
			write = func() error { return os.Symlink(strings.TrimSpace(target), name) }
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func plainRequest(root string) Request {
	return Request{
		Root: root, Path: ".", Source: v1alpha1.Source{Plain: &v1alpha1.PlainSource{}},
		Stack: "shop", Namespace: "shop", Release: "shop-1", Slots: blueGreen,
	}
}

func helmRequest(root, path string, valuesFiles ...string) Request {
	req := plainRequest(root)
	req.Path = path
	req.Source = v1alpha1.Source{Helm: &v1alpha1.HelmSource{ValuesFiles: valuesFiles}}
	return req
}

// must renders in this process.
func must(t *testing.T, req Request) *Result {
	t.Helper()
	result, err := renderAll(&req)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// wantRefusal wants an error with a reason, that says all of these.
func wantRefusal(t *testing.T, err error, reason string, says ...string) {
	t.Helper()
	var refused interface {
		error
		Reason() string
	}
	if !errors.As(err, &refused) {
		t.Fatalf("want an error with reason %s, got %v", reason, err)
	}
	if refused.Reason() != reason {
		t.Errorf("want reason %s, got %s: %v", reason, refused.Reason(), err)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("want %q in: %v", text, err)
		}
	}
}

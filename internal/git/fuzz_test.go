package git_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/lockstep-dev/lockstep/internal/git"
)

// FuzzCheckout writes trees that no git command would make: names with slashes and dots, links to anywhere, links through
// links, a name twice. Nothing outside the checkout is written or changed, and nothing in it leads out.
func FuzzCheckout(f *testing.F) {
	for _, tree := range []string{
		"f a hello\nd b\nf b/c deep", "l up ..\nf up/escaped x", "l a /etc\nl b a/passwd", "l a b\nl b a", "f .. x\nf . y\nf .git z", "f a/../../x y",
		"l out ../beside\nf out x", "d a\nl a/b ../..\nl c a/b/beside", "l a a/a\nf a x", "f a 1\nf a 2", "l x " + strings.Repeat("../", 50), "l a \\\\host\\x",
		"d .GIT\nf .GIT/config x\nf GIT~1 y", "l a b\nd b\nl b/c ../../beside\nl d a/c", "l a ./b/../..//beside", "x a #!/bin/sh", "f \x00 x", "l a \x00", "l a .git/config",
		"d a\nd a/b\nl a/b/up ../..\nl beside a/b/up/../beside",
	} {
		f.Add([]byte(tree))
	}
	f.Fuzz(func(t *testing.T, tree []byte) {
		// The folders of a seed have a # in their name, which ends the path of a URL.
		repository, err := os.MkdirTemp("", "lockstep-fuzz-")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(repository) }()
		commit := forge(t, repository, tree)
		around := t.TempDir()
		secret := filepath.Join(around, "beside")
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(around, "out")
		_, err = git.Checkout(t.Context(), git.Remote{URL: "file://" + repository, AllowFile: true}, commit, dir, git.Limits{})
		if err != nil && strings.Contains(err.Error(), "there is no repository") {
			t.Fatal(err)
		}
		kept, readErr := os.ReadFile(secret)
		names, globErr := filepath.Glob(filepath.Join(around, "*"))
		hidden, hiddenErr := filepath.Glob(filepath.Join(around, ".[!.]*"))
		if readErr != nil || globErr != nil || hiddenErr != nil || string(kept) != "secret" || !slices.Equal(names, []string{secret, dir}) || hidden != nil {
			t.Fatalf("beside the checkout lie %q %q, with %q (%v)", names, hidden, kept, readErr)
		}
		if err == nil {
			stays(t, dir)
		}
	})
}

// stays follows everything in a checkout as the kernel does, and wants it to end inside.
func stays(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(at string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if real, err := filepath.EvalSymlinks(at); err == nil && real != dir && !strings.HasPrefix(real, dir+"/") {
			t.Errorf("%s leads to %s", at, real)
		}
		if strings.EqualFold(filepath.Base(at), ".git") {
			t.Errorf("%s was written", at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// forge writes a commit object by object. A line is a kind (f, x, l or d), a path whose folders must have been named, and
// what the file or link holds; a path whose folder is missing is a name with slashes in it.
func forge(t *testing.T, dir string, tree []byte) string {
	t.Helper()
	repository, err := gogit.PlainInit(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string][]object.TreeEntry{"": nil}
	order := []string{""}
	store := func(kind plumbing.ObjectType, write func(plumbing.EncodedObject) error) plumbing.Hash {
		o := repository.Storer.NewEncodedObject()
		o.SetType(kind)
		if err := write(o); err != nil {
			return plumbing.ZeroHash
		}
		hash, err := repository.Storer.SetEncodedObject(o)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	blob := func(content []byte) plumbing.Hash {
		return store(plumbing.BlobObject, func(o plumbing.EncodedObject) error {
			w, err := o.Writer()
			if err == nil {
				_, err = w.Write(content)
			}
			return err
		})
	}
	modes := map[string]filemode.FileMode{"f": filemode.Regular, "x": filemode.Executable, "l": filemode.Symlink}
	for i, line := range bytes.Split(tree, []byte("\n")) {
		fields := strings.SplitN(string(line), " ", 3)
		if len(fields) < 2 || i > 30 || strings.Contains(fields[1], "\x00") {
			continue
		}
		folder, name := filepath.Split(fields[1])
		folder = strings.TrimSuffix(folder, "/")
		if _, named := folders[folder]; !named {
			folder, name = "", fields[1]
		}
		switch mode, file := modes[fields[0]]; {
		case fields[0] == "d":
			at := strings.TrimPrefix(folder+"/"+name, "/")
			if _, twice := folders[at]; !twice && name != "" {
				folders[at] = nil
				order = append(order, at)
			}
		case file && name != "":
			content := ""
			if len(fields) == 3 {
				content = fields[2]
			}
			folders[folder] = append(folders[folder], object.TreeEntry{Name: name, Mode: mode, Hash: blob([]byte(content))})
		}
	}
	hash := plumbing.ZeroHash
	for _, at := range slices.Backward(order) {
		// Trees are written as Git keeps them, because go-git's own encoder sorts and checks.
		hash = store(plumbing.TreeObject, func(o plumbing.EncodedObject) error {
			w, err := o.Writer()
			for _, e := range folders[at] {
				_, err = w.Write(append([]byte(strings.TrimLeft(e.Mode.String(), "0")+" "+e.Name+"\x00"), e.Hash[:]...))
			}
			return err
		})
		if at == "" {
			break
		}
		parent, name := filepath.Split(at)
		parent = strings.TrimSuffix(parent, "/")
		if _, named := folders[parent]; !named {
			parent, name = "", at
		}
		folders[parent] = append(folders[parent], object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: hash})
	}
	commit := &object.Commit{TreeHash: hash, Message: "forged"}
	made := store(plumbing.CommitObject, commit.Encode)
	if err := repository.Storer.SetReference(plumbing.NewHashReference("refs/heads/main", made)); err != nil {
		t.Fatal(err)
	}
	return made.String()
}

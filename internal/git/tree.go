package git

import (
	"context"
	"io"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// maxPath bounds paths and what links say, as file systems do.
const maxPath = 4096

// Tree is what a commit holds.
type Tree struct {
	// Commit is its full hash.
	Commit string

	remote  Remote
	limits  Limits
	entries map[string]entry
	order   []string
	size    int64
}

// entry is a file, a folder or a link.
type entry struct {
	mode   filemode.FileMode
	hash   plumbing.Hash
	target string
}

const root = "."

// read lists everything that the commit holds, and refuses what must not be written, before anything is.
func read(ctx context.Context, remote Remote, commit *object.Commit, stored storer.EncodedObjectStorer, limits Limits) (*Tree, error) {
	tree := &Tree{Commit: commit.Hash.String(), remote: remote, limits: limits, entries: map[string]entry{}}
	tree.entries[root] = entry{mode: filemode.Dir, hash: commit.TreeHash}
	if err := tree.readFolder(ctx, stored, root, commit.TreeHash); err != nil {
		return nil, err
	}
	return tree, tree.checkLinks()
}

func (t *Tree) readFolder(ctx context.Context, stored storer.EncodedObjectStorer, at string, hash plumbing.Hash) error {
	if ctx.Err() != nil {
		return t.remote.failed(ctx, ctx.Err())
	}
	folder, err := object.GetTree(stored, hash)
	if err != nil {
		return broken(t.remote, "folder "+at, err)
	}
	for _, item := range folder.Entries {
		if item.Mode == filemode.Submodule {
			continue
		}
		if err := t.add(ctx, stored, at, item); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) add(ctx context.Context, stored storer.EncodedObjectStorer, at string, item object.TreeEntry) error {
	name := path.Join(at, item.Name)
	if _, twice := t.entries[name]; twice || !safe(item.Name) || len(name) > maxPath {
		return refuse(v1alpha1.ReasonOutsideCheckout, "commit %s of %s holds %q in %s, a name that is not written to disk; rename it", t.Commit, t.remote, item.Name, at)
	}
	if len(t.order) >= t.limits.MaxFiles {
		return refuse(v1alpha1.ReasonContentTooLarge, "commit %s of %s holds more than %d files; keep the manifests in a smaller repository", t.Commit, t.remote, t.limits.MaxFiles)
	}
	t.order = append(t.order, name)
	t.entries[name] = entry{mode: item.Mode, hash: item.Hash}
	if item.Mode == filemode.Dir {
		return t.readFolder(ctx, stored, name, item.Hash)
	}
	return t.addFile(stored, name, item)
}

// safe is whether a name is written: not what would lead elsewhere, nor what Git would take for its own, on any system.
func safe(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00") &&
		!strings.EqualFold(name, ".git") && !strings.EqualFold(name, "git~1")
}

func (t *Tree) addFile(stored storer.EncodedObjectStorer, name string, item object.TreeEntry) error {
	size, err := stored.EncodedObjectSize(item.Hash)
	if err != nil {
		return broken(t.remote, name, err)
	}
	if t.size += size; t.size > t.limits.MaxBytes || size > t.limits.MaxBytes {
		return refuse(v1alpha1.ReasonContentTooLarge, "the files in commit %s of %s have more than %d MiB; keep the manifests in a smaller repository", t.Commit, t.remote, t.limits.MaxBytes>>20)
	}
	if item.Mode != filemode.Symlink {
		return nil
	}
	target, err := linkTarget(stored, item.Hash)
	if err != nil {
		return broken(t.remote, "link "+name, err)
	}
	t.entries[name] = entry{mode: item.Mode, hash: item.Hash, target: target}
	return nil
}

func linkTarget(stored storer.EncodedObjectStorer, hash plumbing.Hash) (string, error) {
	content, err := contentOf(stored, hash)
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }() // it was only read
	target, err := io.ReadAll(io.LimitReader(content, maxPath+1))
	return string(target), err
}

func contentOf(stored storer.EncodedObjectStorer, hash plumbing.Hash) (io.ReadCloser, error) {
	blob, err := object.GetBlob(stored, hash)
	if err != nil {
		return nil, err
	}
	return blob.Reader()
}

package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// Limits bound what is taken from a repository. Zero values stand for defaults.
type Limits struct {
	// MaxBytes of what a server sends, and of all files together. Default: 256 MiB.
	MaxBytes int64
	// MaxFiles, folders and links included. Default: 50,000.
	MaxFiles int
}

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 256 << 20
	}
	if l.MaxFiles <= 0 {
		l.MaxFiles = 50_000
	}
	return l
}

// Checkout writes the files of a revision, as Resolve understands it, into dir, which is made where it is missing and
// must be empty. There is no .git in it; submodules and LFS are left out. Symbolic links are written only if nothing leads
// outside dir, wherever they lead through. On an error dir may hold some of the files.
func Checkout(ctx context.Context, remote Remote, revision, dir string, limits Limits) (*Tree, error) {
	limits = limits.withDefaults()
	scratch, err := scratchBeside(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }() // what is left over lies in a temporary folder
	commit, stored, err := obtain(ctx, remote, revision, scratch, limits)
	if err != nil {
		return nil, err
	}
	tree, err := read(ctx, remote, commit, stored, limits)
	if err == nil {
		err = tree.write(ctx, stored, dir)
	}
	if err != nil && ctx.Err() != nil {
		return nil, remote.failed(ctx, err)
	}
	return tree, err
}

// scratchBeside makes a folder on the disk that has room for the checkout too.
func scratchBeside(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of the checkout: %w", err)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".lockstep-git-")
	if err != nil {
		return "", fmt.Errorf("making a folder for what Git sends: %w", err)
	}
	return scratch, nil
}

func obtain(ctx context.Context, remote Remote, revision, scratch string, limits Limits) (*object.Commit, storer.EncodedObjectStorer, error) {
	from, err := open(remote, limits)
	if err != nil {
		return nil, nil, err
	}
	defer from.close()
	known, err := from.refs(ctx)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := known.find(remote, revision)
	if err != nil {
		return nil, nil, err
	}
	stored, err := from.objects(ctx, known, wanted, scratch)
	if err != nil {
		return nil, nil, err
	}
	commit, err := commitOf(remote, stored, wanted.commit)
	return commit, stored, err
}

func commitOf(remote Remote, stored storer.EncodedObjectStorer, hash plumbing.Hash) (*object.Commit, error) {
	commit, err := object.GetCommit(stored, hash)
	if err != nil {
		return nil, broken(remote, "commit "+hash.String(), err)
	}
	return commit, nil
}

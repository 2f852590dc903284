package git

import (
	"context"
	"errors"
	"fmt"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// maxTagChain bounds tags of tags.
const maxTagChain = 8

// disk reads a repository where it lies: there is no transport, and so no git binary is needed.
type disk struct {
	remote Remote
	stored storage.Storer
}

func openDisk(remote Remote, path string) (origin, error) {
	repository, err := gogit.PlainOpenWithOptions(path, &gogit.PlainOpenOptions{EnableDotGitCommonDir: true})
	if errors.Is(err, gogit.ErrRepositoryNotExists) {
		return nil, refuse(v1alpha1.ReasonRepoUnreachable, "there is no repository at %s; check the path", remote)
	}
	if err != nil {
		return nil, refuse(v1alpha1.ReasonRepoUnreachable, "%s cannot be opened: %v", remote, err)
	}
	return &disk{remote: remote, stored: repository.Storer}, nil
}

func (d *disk) refs(ctx context.Context) (refs, error) {
	all, err := d.stored.IterReferences()
	if err != nil {
		return nil, d.remote.failed(ctx, err)
	}
	known := refs{}
	err = all.ForEach(func(reference *plumbing.Reference) error {
		d.add(known, reference.Name())
		return ctx.Err()
	})
	d.add(known, plumbing.HEAD)
	return known, d.remote.failed(ctx, err)
}

// add leaves out names that point at nothing, as HEAD does in an empty repository.
func (d *disk) add(known refs, name plumbing.ReferenceName) {
	reference, err := storer.ResolveReference(d.stored, name)
	if err != nil {
		return
	}
	known[name.String()] = tip{object: reference.Hash(), commit: d.peeled(name, reference.Hash())}
}

func (d *disk) peeled(name plumbing.ReferenceName, hash plumbing.Hash) plumbing.Hash {
	if !strings.HasPrefix(name.String(), tags) {
		return hash
	}
	for range maxTagChain {
		tag, err := object.GetTag(d.stored, hash)
		if err != nil {
			break
		}
		hash = tag.Target
	}
	return hash
}

func (d *disk) objects(_ context.Context, _ refs, wanted tip, _ string) (storer.EncodedObjectStorer, error) {
	if !holds(d.stored, wanted.commit) {
		return nil, noCommit(d.remote, wanted.commit)
	}
	return d.stored, nil
}

func (d *disk) close() {}

func holds(stored storer.EncodedObjectStorer, commit plumbing.Hash) bool {
	_, err := object.GetCommit(stored, commit)
	return err == nil
}

func noCommit(remote Remote, commit plumbing.Hash) error {
	return refuse(v1alpha1.ReasonRevisionMissing,
		"%s has no commit %s that a branch or a tag leads to; push it, or correct the revision", remote, commit)
}

func broken(remote Remote, what string, err error) error {
	return fmt.Errorf("reading %s of %s: %w", what, remote, err)
}

package git

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing/storer"
)

// origin is where a repository is read from.
type origin interface {
	// refs asks for the names that there are.
	refs(ctx context.Context) (refs, error)
	// objects brings the objects of a commit within reach; scratch is a folder to keep them in until they were read.
	objects(ctx context.Context, known refs, wanted tip, scratch string) (storer.EncodedObjectStorer, error)
}

func open(remote Remote, limits Limits) (origin, error) {
	address, err := remote.address()
	if err != nil {
		return nil, err
	}
	if address.Scheme == "file" {
		return openDisk(remote, address.Path)
	}
	return openServer(remote, address, limits)
}

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
	// close ends what is open. What was kept in scratch stays readable.
	close()
}

func open(remote Remote, limits Limits) (origin, error) {
	address, err := remote.address()
	if err != nil {
		return nil, err
	}
	switch address.Scheme {
	case "file":
		return openDisk(remote, address.Path)
	case "ssh":
		return openSSH(remote, address, limits)
	}
	return openServer(remote, address, limits)
}

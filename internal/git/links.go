package git

import (
	"errors"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// maxLinks that are followed for one path; Linux has the same bound.
const maxLinks = 40

var (
	errEscapes = errors.New("leads outside")
	errLoops   = errors.New("leads in a circle")
)

// checkLinks follows every link as the kernel would. Joining its text to its folder is not enough: in a/up/../.. a link
// named up that leads to the root makes the rest lead out of it.
func (t *Tree) checkLinks() error {
	for _, name := range t.order {
		link := t.entries[name]
		if link.mode != filemode.Symlink {
			continue
		}
		_, _, err := t.follow(name)
		if errors.Is(err, errEscapes) || len(link.target) > maxPath || strings.ContainsAny(link.target, "\\\x00") {
			return refuse(v1alpha1.ReasonOutsideCheckout,
				"%s in commit %s of %s is a symbolic link that leads outside the repository; replace it by a copy, or by a relative link that stays inside", name, t.Commit, t.remote)
		}
	}
	return nil
}

// follow returns where a path leads, and the links on the way. A path that is not there is followed by its text.
func (t *Tree) follow(name string) (end string, links []string, err error) {
	at, ahead := root, strings.Split(name, "/")
	for len(ahead) > 0 {
		var part string
		part, ahead = ahead[0], ahead[1:]
		if part == ".." && at == root {
			return "", links, errEscapes
		}
		next := path.Join(at, part)
		link := t.entries[next]
		if link.mode != filemode.Symlink || part == ".." || part == "." || part == "" {
			at = next
			continue
		}
		if path.IsAbs(link.target) {
			return "", links, errEscapes
		}
		if links = append(links, next); len(links) > maxLinks {
			return "", links, errLoops
		}
		ahead = append(strings.Split(link.target, "/"), ahead...)
	}
	return at, links, nil
}

package git

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Inputs is a digest of what lies at the paths, links on the way and where they lead included: a commit that touches none
// of it has the same. The order of the paths does not matter, nor do paths below others; none stand for everything.
func (t *Tree) Inputs(paths ...string) (string, error) {
	if len(paths) == 0 {
		paths = []string{root}
	}
	used := map[string]bool{}
	for _, name := range paths {
		if err := t.use(used, name); err != nil {
			return "", err
		}
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !covered(used, name) {
			at := t.entries[name]
			_, _ = fmt.Fprintf(sum, "%s %s %q\n", at.mode, at.hash, name) // a hash takes everything
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func (t *Tree) use(used map[string]bool, name string) error {
	local := path.Join(root, filepath.ToSlash(name))
	if path.IsAbs(name) || !filepath.IsLocal(local) {
		return refuse(v1alpha1.ReasonOutsideCheckout, "path %q lies outside the repository %s; name one inside it", name, t.remote)
	}
	end, links, err := t.follow(local)
	if _, there := t.entries[end]; err != nil || !there {
		return refuse(v1alpha1.ReasonPathMissing, "there is nothing at path %q in commit %s of %s (submodules are not fetched); add it, or correct the path", name, t.Commit, t.remote)
	}
	used[end] = true
	for _, link := range links {
		used[link] = true
	}
	return nil
}

func covered(used map[string]bool, name string) bool {
	for name != root && !strings.HasPrefix(name, "/") {
		if name = path.Dir(name); used[name] {
			return true
		}
	}
	return false
}

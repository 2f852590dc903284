package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// Cgroups lists the cgroups of the cluster, parents first, in whichever of the
// two layouts the machine has.
func (d Dir) Cgroups() []string { return findCgroups(cgroupMount, d.Cgroup()) }

func findCgroups(mount, name string) []string {
	roots, _ := filepath.Glob(filepath.Join(mount, "*", name)) // v1: one per controller
	roots = append(roots, filepath.Join(mount, name))          // v2
	var found []string
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}

// removeCgroups tries again for a while: a cgroup is busy until the kernel has
// let go of the last process in it.
func removeCgroups(mount, name string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var failed error
		found := findCgroups(mount, name)
		for _, dir := range slices.Backward(found) {
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = errors.Join(failed, err)
			}
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
	}
}

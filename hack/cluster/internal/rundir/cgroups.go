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

// CreateCgroups makes the topmost cgroups, which kubelet wants to find.
func (d Dir) CreateCgroups() error {
	parents := []string{cgroupMount}
	if isCgroupV2(cgroupMount) {
		enableControllers(cgroupMount)
	} else {
		parents, _ = filepath.Glob(filepath.Join(cgroupMount, "*"))
	}
	var failed error
	for _, parent := range parents {
		if _, err := os.Stat(filepath.Join(parent, "cgroup.procs")); err == nil {
			failed = errors.Join(failed, os.MkdirAll(filepath.Join(parent, d.Cgroup()), 0o755))
		}
	}
	return failed
}

// enableControllers passes on to children what they need. One that is missing
// is for kubelet to complain about.
func enableControllers(dir string) {
	for _, controller := range []string{"+cpu", "+cpuset", "+memory", "+pids"} {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte(controller), 0o644)
	}
}

func isCgroupV2(mount string) bool {
	_, err := os.Stat(filepath.Join(mount, "cgroup.controllers"))
	return err == nil
}

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

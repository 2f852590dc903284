package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// masked directories are written to by programs that cannot be told otherwise.
// What they write goes to the tmpfs, and vanishes with the cluster.
var masked = []string{"/run", "/etc", "/var"}

// Mounts gives the process's new mount namespace a /proc of its own and
// directories that are safe to write to. The directories in keep stay those of
// the machine even if they lie below a masked one.
func Mounts(keep ...string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	kept, err := openBelowMasked(keep)
	if err != nil {
		return err
	}
	steps := []func() error{
		func() error { return mount("tmpfs", "/run", "tmpfs", "mode=755") },
		func() error { return overlay("/etc") },
		func() error { return overlay("/var") },
		func() error { return mount("proc", "/proc", "proc", "") },
		func() error { return bindBack(kept) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind, options string) error {
	if err := unix.Mount(source, target, kind, 0, options); err != nil {
		return fmt.Errorf("mount %s on %s (are you root?): %w", kind, target, err)
	}
	return nil
}

func overlay(dir string) error {
	upper, work := state("overlay", dir, "upper"), state("overlay", dir, "work")
	if err := errors.Join(os.MkdirAll(upper, 0o755), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	return mount("overlay", dir, "overlay", fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work))
}

func openBelowMasked(dirs []string) (map[string]*os.File, error) {
	kept := map[string]*os.File{}
	for _, dir := range dirs {
		if !isMasked(dir) {
			continue
		}
		file, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		kept[dir] = file
	}
	return kept, nil
}

func isMasked(dir string) bool {
	for _, root := range masked {
		if strings.HasPrefix(filepath.Clean(dir)+"/", root+"/") {
			return true
		}
	}
	return false
}

func bindBack(kept map[string]*os.File) error {
	for dir, file := range kept {
		defer file.Close()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		from := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
		if err := unix.Mount(from, dir, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %s: %w", dir, err)
		}
	}
	return nil
}

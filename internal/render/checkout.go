package render

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Bounds of what is read.
const (
	maxDepth = 32
	maxFiles = 20_000
	maxFile  = 16 << 20
)

// checkout reads files below one directory and never outside it, wherever symbolic links lead, and remembers what it was
// asked for. Paths have slashes and are relative to the directory.
type checkout struct {
	root *os.Root
	dir  string
	used map[string]bool
}

// openCheckout opens the directory. Close it.
func openCheckout(dir string) (*checkout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the checkout: %w", err)
	}
	absolute, err := filepath.Abs(dir)
	if err == nil {
		absolute, err = filepath.EvalSymlinks(absolute)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the checkout: %w", err), root.Close())
	}
	return &checkout{root: root, dir: absolute, used: map[string]bool{}}, nil
}

// Close closes the directory, where there is one.
func (c *checkout) Close() error {
	if c.root == nil {
		return nil
	}
	return c.root.Close()
}

// join resolves a path that someone wrote. what says where, for people.
func join(what, base, relative string) (string, error) {
	joined := path.Join(base, filepath.ToSlash(relative))
	if path.IsAbs(relative) || strings.ContainsRune(relative, '\\') || !filepath.IsLocal(joined) {
		return "", outside(what, relative)
	}
	if slices.Contains(strings.Split(joined, "/"), ".git") {
		return "", refuse(v1alpha1.ReasonOutsideCheckout, "%s names %q: what Git keeps for itself is not rendered; name a path of the repository", what, relative)
	}
	return joined, nil
}

func outside(what, name string) error {
	return refuse(v1alpha1.ReasonOutsideCheckout, "%s names %q, which lies outside the repository; only paths inside it are read: move it there, and name it by a relative path", what, name)
}

// use records that a path was read, and where it really is, so that a change of either is noticed.
func (c *checkout) use(name string) error {
	c.used[name] = true
	real, err := c.real(name)
	if err != nil {
		return err
	}
	c.used[real] = true
	return nil
}

// real is where a path leads once all links on the way are followed.
func (c *checkout) real(name string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(c.dir, filepath.FromSlash(name)))
	if err != nil {
		return "", fmt.Errorf("following %s: %w", name, err)
	}
	relative, err := filepath.Rel(c.dir, real)
	if err != nil || !filepath.IsLocal(relative) || relative == ".git" || strings.HasPrefix(relative, ".git"+string(filepath.Separator)) {
		return "", escapes(name)
	}
	return filepath.ToSlash(relative), nil
}

func escapes(name string) error {
	return refuse(v1alpha1.ReasonOutsideCheckout, "%s is, or lies behind, a symbolic link that leads outside the repository; replace it by a copy, or by a relative link that stays inside", name)
}

// guarded words the refusals of os.Root, which has no error value of its own for them, and of links in a circle.
func guarded(name string, err error) error {
	switch {
	case err != nil && strings.Contains(err.Error(), "path escapes from parent"):
		return escapes(name)
	case errors.Is(err, syscall.ELOOP):
		return refuse(v1alpha1.ReasonRenderFailed, "%s leads through symbolic links in a circle; remove one of them", name)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return err
}

// stat follows symbolic links. The error is fs.ErrNotExist where there is nothing.
func (c *checkout) stat(name string) (fs.FileInfo, error) {
	info, err := c.root.Stat(filepath.FromSlash(name))
	return info, guarded(name, err)
}

func (c *checkout) read(name string) ([]byte, error) {
	file, err := c.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, guarded(name, err)
	}
	defer func() { _ = file.Close() }() // it is only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "%s is not a regular file; remove it", name)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(content) > maxFile {
		return nil, refuse(v1alpha1.ReasonContentTooLarge, "%s has more than %d MiB; move it out of the manifests", name, maxFile>>20)
	}
	return content, nil
}

// walk visits every file below a directory, in order, through symbolic links. skip says what is left out, by the path
// relative to the directory.
func (c *checkout) walk(dir string, skip func(string, fs.FileInfo) bool, visit func(name string) error) error {
	w := &walk{checkout: c, base: dir, skip: skip, visit: visit}
	return w.dir(dir, 0)
}

type walk struct {
	*checkout
	base  string
	skip  func(string, fs.FileInfo) bool
	visit func(string) error
	files int
}

func (w *walk) dir(dir string, depth int) error {
	if depth > maxDepth {
		return refuse(v1alpha1.ReasonRenderFailed, "%s lies more than %d directories deep; is there a symbolic link that leads back to a directory above it?", dir, maxDepth)
	}
	entries, err := fs.ReadDir(w.root.FS(), dir)
	if err != nil {
		return guarded(dir, err)
	}
	for _, entry := range entries {
		if err := w.entry(path.Join(dir, entry.Name()), entry, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(name string, entry fs.DirEntry, depth int) error {
	if entry.Name() == ".git" {
		return nil
	}
	info, err := w.follow(name, entry)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(w.base, name)
	if err != nil {
		return fmt.Errorf("walking %s: %w", name, err)
	}
	switch {
	case w.skip(filepath.ToSlash(relative), info):
		return nil
	case info.IsDir():
		return w.dir(name, depth+1)
	}
	if w.files++; w.files > maxFiles {
		return refuse(v1alpha1.ReasonContentTooLarge, "there are more than %d files below %s; set source.git.path to the directory of the chart or the manifests", maxFiles, w.base)
	}
	return w.visit(name)
}

func (w *walk) follow(name string, entry fs.DirEntry) (fs.FileInfo, error) {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Info()
	}
	info, err := w.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "%s is a symbolic link to nothing; correct or remove it", name)
	}
	if err != nil {
		return nil, err
	}
	return info, w.use(name)
}

// usedOutside lists what was read outside a path; what lies in a directory of the list goes without saying.
func (c *checkout) usedOutside(below string) []string {
	var result []string
	for _, name := range slices.Sorted(maps.Keys(c.used)) {
		if !within(name, below) && !slices.ContainsFunc(result, func(other string) bool { return within(name, other) }) {
			result = append(result, name)
		}
	}
	return result
}

func within(name, dir string) bool {
	return name == dir || dir == "." || strings.HasPrefix(name, dir+"/")
}

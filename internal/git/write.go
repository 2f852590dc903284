package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// write puts links last, so that no file is ever written through one.
func (t *Tree) write(ctx context.Context, stored storer.EncodedObjectStorer, dir string) error {
	to, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("opening the folder of the checkout: %w", err)
	}
	defer func() { _ = to.Close() }() // it is only a handle
	for _, links := range []bool{false, true} {
		if err := t.writeAll(ctx, stored, to, links); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) writeAll(ctx context.Context, stored storer.EncodedObjectStorer, to *os.Root, links bool) error {
	for _, name := range t.order {
		what := t.entries[name]
		if (what.mode == filemode.Symlink) != links {
			continue
		}
		if ctx.Err() != nil {
			return t.remote.failed(ctx, ctx.Err())
		}
		if err := writeOne(ctx, stored, to, name, what); err != nil {
			return fmt.Errorf("writing %s of %s: %w", name, t.remote, err)
		}
	}
	return nil
}

func writeOne(ctx context.Context, stored storer.EncodedObjectStorer, to *os.Root, name string, what entry) error {
	switch what.mode {
	case filemode.Dir:
		return to.Mkdir(name, 0o755)
	case filemode.Symlink:
		return to.Symlink(what.target, name)
	case filemode.Executable:
		return writeFile(ctx, stored, to, name, what, 0o755)
	default:
		return writeFile(ctx, stored, to, name, what, 0o644)
	}
}

func writeFile(ctx context.Context, stored storer.EncodedObjectStorer, to *os.Root, name string, what entry, mode os.FileMode) error {
	content, err := contentOf(stored, what.hash)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	file, err := to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, readerUntilDone{content, ctx.Err})
	return errors.Join(err, file.Close())
}

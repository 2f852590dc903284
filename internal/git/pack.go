package git

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// inMemory is the size from which objects are streamed.
const inMemory = 1 << 20

// unpack keeps a pack in scratch, and indexes it. It is looked over first: a few kilobytes can say that they are
// gigabytes once they are unpacked, and go-git unpacks objects in memory.
func unpack(ctx context.Context, remote Remote, limits Limits, pack io.Reader, scratch string) (storer.EncodedObjectStorer, error) {
	file, err := os.CreateTemp(scratch, "pack-")
	if err != nil {
		return nil, fmt.Errorf("keeping what %s sends: %w", remote, err)
	}
	defer func() { _ = file.Close() }() // scratch is removed as a whole
	if _, err := io.Copy(file, pack); err != nil {
		return nil, err
	}
	if err := inspect(ctx, remote, limits, file); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return indexed(scratch, file)
}

func indexed(scratch string, file io.Reader) (storer.EncodedObjectStorer, error) {
	dir, err := os.MkdirTemp(scratch, "objects-")
	if err != nil {
		return nil, err
	}
	options := filesystem.Options{ExclusiveAccess: true, LargeObjectThreshold: inMemory}
	stored := filesystem.NewStorageWithOptions(osfs.New(dir), cache.NewObjectLRU(16*cache.MiByte), options)
	return stored, packfile.WritePackfileToObjectStorage(stored, file)
}

func inspect(ctx context.Context, remote Remote, limits Limits, file io.ReadSeeker) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	scanner := packfile.NewScanner(file)
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	for range count {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		size, err := nextSize(scanner, limits.MaxBytes)
		if err != nil {
			return err
		}
		if size > limits.MaxBytes {
			return refuse(v1alpha1.ReasonContentTooLarge, "%s holds a file of more than %d MiB; keep the manifests in a repository of their own", remote, limits.MaxBytes>>20)
		}
	}
	return nil
}

// nextSize is the size of the next object once it is unpacked.
func nextSize(scanner *packfile.Scanner, limit int64) (int64, error) {
	header, err := scanner.NextObjectHeader()
	if err != nil || header.Length > limit {
		return lengthOf(header), err
	}
	head := &prefix{}
	if _, _, err := scanner.NextObject(head); err != nil {
		return 0, err
	}
	if !header.Type.IsDelta() {
		return header.Length, nil
	}
	return head.target()
}

func lengthOf(header *packfile.ObjectHeader) int64 {
	if header == nil {
		return 0
	}
	return header.Length
}

// prefix keeps the beginning of what is written to it.
type prefix struct{ kept []byte }

// Write implements io.Writer.
func (p *prefix) Write(data []byte) (int, error) {
	room := 2*binary.MaxVarintLen64 - len(p.kept)
	p.kept = append(p.kept, data[:min(room, len(data))]...)
	return len(data), nil
}

// target is the second number at the head of a delta: the size of what it makes. The first is that of its base.
func (p *prefix) target() (int64, error) {
	reader := bytes.NewReader(p.kept)
	_, err := binary.ReadUvarint(reader)
	size, second := binary.ReadUvarint(reader)
	return int64(min(size, 1<<62)), errors.Join(err, second)
}

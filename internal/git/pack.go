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
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// inMemory is the size from which objects are streamed.
const inMemory = 1 << 20

// go-git puts an object together in memory, out of another and what differs, and that one in the same way. What it held
// before lies about until the memory is collected.
const (
	// maxDelta bounds each object that is involved. go-git keeps the last one only up to this size, and puts larger ones
	// together from the beginning for each that follows.
	maxDelta = 96 << 20
	// maxChain bounds all those that lead to one. With both, some 850 MiB are held at worst.
	maxChain = 4 * maxDelta
)

// maxEntry is what an entry of a folder takes at most: mode, hash and a name as long as file systems have them.
const maxEntry = 300

// smaller is what to do about a repository that is too large.
const smaller = "keep the manifests in a smaller repository, and name a branch or a tag: of a bare commit some servers send the whole history"

// bounds are what a pack may hold once it is unpacked.
type bounds struct {
	// file is the most bytes of one object, and all those of all of them.
	file, all int64
	objects   int64
}

// ofCommit bounds what belongs to one commit: its files and folders, itself, and tags of it.
func (l Limits) ofCommit() bounds {
	return bounds{file: l.MaxBytes, all: l.MaxBytes + int64(l.MaxFiles)*maxEntry, objects: int64(l.MaxFiles) + 2 + maxTagChain}
}

// ofHistory bounds what all commits are made of. Little of it is held at once, but go-git keeps some 400 bytes of each
// object in memory.
func (l Limits) ofHistory() bounds {
	const times = 20
	one := l.ofCommit()
	return bounds{file: one.file, all: times * one.all, objects: times * one.objects}
}

// unpack keeps a pack in scratch, and indexes it. It is looked over first: a few kilobytes can say that they are
// gigabytes once they are unpacked, and go-git unpacks objects in memory.
func unpack(ctx context.Context, remote Remote, most bounds, pack io.Reader, scratch string) (storer.EncodedObjectStorer, error) {
	file, err := os.CreateTemp(scratch, "pack-")
	if err != nil {
		return nil, fmt.Errorf("keeping what %s sends: %w", remote, err)
	}
	defer func() { _ = file.Close() }() // scratch is removed as a whole
	if _, err := io.Copy(file, pack); err != nil {
		return nil, err
	}
	if err := inspect(ctx, remote, most, file); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return indexed(ctx, scratch, file)
}

func indexed(ctx context.Context, scratch string, file io.Reader) (storer.EncodedObjectStorer, error) {
	dir, err := os.MkdirTemp(scratch, "objects-")
	if err != nil {
		return nil, err
	}
	options := filesystem.Options{ExclusiveAccess: true, LargeObjectThreshold: inMemory}
	files := &untilDone{Filesystem: osfs.New(dir), ended: ctx.Err}
	stored := filesystem.NewStorageWithOptions(files, cache.NewObjectLRU(16*cache.MiByte), options)
	return stored, packfile.WritePackfileToObjectStorage(stored, file)
}

func inspect(ctx context.Context, remote Remote, most bounds, file io.ReadSeeker) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	scanner := packfile.NewScanner(file)
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	if int64(count) > most.objects {
		return refuse(v1alpha1.ReasonContentTooLarge, "%s sends more than %d files and folders; %s", remote, most.objects, smaller)
	}
	all, chains := int64(0), chains{at: map[int64]int64{}}
	for range count {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next, err := measure(scanner, most.file)
		if err != nil {
			return err
		}
		all += next.size
		if words := most.exceeded(next, chains.add(next), all); words != "" {
			return refuse(v1alpha1.ReasonContentTooLarge, "%s %s", remote, words)
		}
	}
	return nil
}

// exceeded is what people are told where an object, the chain that it ends, or everything up to it is too large.
func (b bounds) exceeded(next measured, chain, all int64) string {
	switch {
	case next.size > b.file:
		return fmt.Sprintf("holds a file of more than %d MiB; keep the manifests in a repository of their own", b.file>>20)
	case next.held > maxDelta:
		return fmt.Sprintf("sends a file of more than %d MiB as what differs from another; keep the manifests in a repository of their own", maxDelta>>20)
	case chain > maxChain:
		return fmt.Sprintf("sends large files as what differs from others, more than %d MiB of them in a row; keep the manifests in a repository of their own", maxChain>>20)
	case all > b.all:
		return fmt.Sprintf("sends more than %d MiB once it is unpacked; %s", b.all>>20, smaller)
	}
	return ""
}

// measured is an object of a pack: its size, and the largest that go-git holds to put it together where it is a delta.
type measured struct {
	*packfile.ObjectHeader
	size, held int64
}

// measure reads the next object, unless it says that it is larger than the limit.
func measure(scanner *packfile.Scanner, limit int64) (measured, error) {
	header, err := scanner.NextObjectHeader()
	if err != nil {
		return measured{}, err
	}
	next := measured{ObjectHeader: header, size: header.Length}
	if header.Length > limit {
		return next, nil
	}
	head := &prefix{}
	if _, _, err := scanner.NextObject(head); err != nil || !header.Type.IsDelta() {
		return next, err
	}
	base, target, err := head.sizes()
	next.size, next.held = max(header.Length, target), max(header.Length, base, target)
	return next, err
}

// chains are what deltas hold together with those that they begin with, by where they stand in the pack.
type chains struct {
	at    map[int64]int64
	all   int64
	named bool
}

// add is what the chain holds that an object ends. Where one names its base by hash, any can lead to any.
func (c *chains) add(next measured) int64 {
	c.all += next.held
	c.named = c.named || next.Type == plumbing.REFDeltaObject
	switch {
	case c.named:
		return c.all
	case next.held == 0:
		return 0
	}
	c.at[next.Offset] = next.held + c.at[next.OffsetReference]
	return c.at[next.Offset]
}

// prefix keeps the beginning of what is written to it.
type prefix struct{ kept []byte }

// Write implements io.Writer.
func (p *prefix) Write(data []byte) (int, error) {
	room := 2*binary.MaxVarintLen64 - len(p.kept)
	p.kept = append(p.kept, data[:min(room, len(data))]...)
	return len(data), nil
}

// sizes are the two numbers at the head of a delta: the size of its base, and of what it makes.
func (p *prefix) sizes() (base, target int64, err error) {
	reader := bytes.NewReader(p.kept)
	from, err := binary.ReadUvarint(reader)
	to, second := binary.ReadUvarint(reader)
	return int64(min(from, 1<<62)), int64(min(to, 1<<62)), errors.Join(err, second)
}

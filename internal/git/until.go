package git

import (
	"io"

	"github.com/go-git/go-billy/v5"
)

// untilDone is a file system that is read until a context ends. go-git knows no context while it puts objects together,
// and one pack can keep it busy for hours.
type untilDone struct {
	billy.Filesystem
	// ended is the context's Err.
	ended func() error
}

// Open implements billy.Filesystem.
func (u *untilDone) Open(name string) (billy.File, error) {
	file, err := u.Filesystem.Open(name)
	return &fileUntilDone{File: file, ended: u.ended}, err
}

type fileUntilDone struct {
	billy.File
	ended func() error
}

// Read implements io.Reader.
func (f *fileUntilDone) Read(p []byte) (int, error) {
	if err := f.ended(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// ReadAt implements io.ReaderAt.
func (f *fileUntilDone) ReadAt(p []byte, at int64) (int, error) {
	if err := f.ended(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// readerUntilDone is what go-git reads ahead of whoever reads it.
type readerUntilDone struct {
	io.Reader
	ended func() error
}

// Read implements io.Reader.
func (r readerUntilDone) Read(p []byte) (int, error) {
	if err := r.ended(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

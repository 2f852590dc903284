package git

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" //nolint:gosec // packs end with one
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// A delta of a few bytes can make a file of any size out of a small one.
func TestDeltasAreMeasuredByWhatTheyMake(t *testing.T) {
	for name, c := range map[string]struct {
		target uint64
		reason string
	}{
		"small": {900, ""},
		"huge":  {3 << 30, v1alpha1.ReasonContentTooLarge},
		"more":  {1<<64 - 1, v1alpha1.ReasonContentTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			err := inspect(t.Context(), Remote{URL: "https://example.com/shop"}, Limits{MaxBytes: 1000}.withDefaults().ofCommit(), bytes.NewReader(packOf(t, delta{base: 1, target: c.target})))
			var own *Error
			if got := errors.As(err, &own); got != (c.reason != "") || (err != nil) != got {
				t.Fatalf("got %v, want %q", err, c.reason)
			}
			if own != nil && own.Reason() != c.reason {
				t.Errorf("got %s, want %s", own.Reason(), c.reason)
			}
		})
	}
}

// What a delta says of itself is not unpacked either where it is too much: this one says 2,000 bytes, and has five.
func TestDeltasAreMeasuredThemselves(t *testing.T) {
	pack := packOf(t, delta{base: 1, target: 900})
	head := bytes.LastIndexByte(pack[:len(pack)-sha1.Size], 0x78) - 2
	pack[head] = byte(plumbing.OFSDeltaObject)<<4 | 0x80
	pack = append(pack[:head+1:head+1], append([]byte{2000 >> 4}, pack[head+1:]...)...)
	err := inspect(t.Context(), Remote{URL: "https://example.com/shop"}, Limits{MaxBytes: 1000}.withDefaults().ofCommit(), bytes.NewReader(pack))
	var own *Error
	if !errors.As(err, &own) || own.Reason() != v1alpha1.ReasonContentTooLarge {
		t.Errorf("got %v", err)
	}
}

// Each of these is small enough for itself. Nothing is unpacked: what deltas say of themselves is enough.
func TestPacksAreMeasuredAsAWhole(t *testing.T) {
	const most = maxDelta
	one := Limits{}.withDefaults()
	star, row := make([]delta, 8), make([]delta, 8)
	for i := range star {
		star[i], row[i] = delta{target: most}, delta{of: i, target: most}
	}
	for name, c := range map[string]struct {
		most   bounds
		deltas []delta
		says   string
	}{
		"a commit":                  {one.ofCommit(), star[:2], ""},
		"too much for a commit":     {one.ofCommit(), star[:3], "more than 270 MiB once it is unpacked"},
		"a history":                 {one.ofHistory(), star, ""},
		"too much for a history":    {Limits{MaxBytes: most, MaxFiles: 1}.ofHistory(), slices.Repeat(star, 3), "more than 1920 MiB once it is unpacked"},
		"a row":                     {one.ofHistory(), row[:4], ""},
		"a row that is too long":    {one.ofHistory(), row[:5], "more than 384 MiB of them in a row"},
		"by hash, in a row for all": {one.ofHistory(), append(slices.Clone(star[:4]), delta{target: 1, named: true}), "in a row"},
		"large":                     {one.ofHistory(), []delta{{target: most + 1}}, "more than 96 MiB as what differs"},
		"of a large one":            {one.ofHistory(), []delta{{base: most + 1, target: 1}}, "more than 96 MiB as what differs"},
		"many objects":              {Limits{MaxBytes: 1000, MaxFiles: 1}.ofCommit(), make([]delta, 10), ""},
		"too many objects":          {Limits{MaxBytes: 1000, MaxFiles: 1}.ofCommit(), make([]delta, 11), "more than 11 files"},
	} {
		t.Run(name, func(t *testing.T) {
			err := inspect(t.Context(), Remote{URL: "https://example.com/shop"}, c.most, bytes.NewReader(packOf(t, c.deltas...)))
			var own *Error
			switch is := errors.As(err, &own); {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (!is || own.Reason() != v1alpha1.ReasonContentTooLarge || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want one that says %q", err, c.says)
			}
		})
	}
}

// go-git itself knows no context while it puts objects together.
func TestUnpackingEndsWithItsContext(t *testing.T) {
	pack := packOf(t, delta{base: 1, target: 1})
	ctx, cancel := context.WithCancel(t.Context())
	stored, err := indexed(ctx, t.TempDir(), bytes.NewReader(pack))
	if err != nil {
		t.Fatal(err)
	}
	blob := plumbing.ComputeHash(plumbing.BlobObject, []byte("x"))
	if _, err := contentOf(stored, blob); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := indexed(ctx, t.TempDir(), bytes.NewReader(pack)); !errors.Is(err, context.Canceled) {
		t.Errorf("indexing: %v", err)
	}
	if _, err := io.ReadAll(readerUntilDone{strings.NewReader("x"), ctx.Err}); !errors.Is(err, context.Canceled) {
		t.Errorf("reading: %v", err)
	}
	to, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }() // it is only a handle
	if err := writeFile(ctx, stored, to, "x", entry{hash: blob}, 0o644); !errors.Is(err, context.Canceled) {
		t.Errorf("writing: %v", err)
	}
}

// delta makes target bytes, by what it says, out of an earlier object of a pack, by its number.
type delta struct {
	of           int
	base, target uint64
	// named is whether it names its base by hash.
	named bool
}

// packOf holds a blob of one byte, and what deltas make of it.
func packOf(t *testing.T, deltas ...delta) []byte {
	t.Helper()
	var pack bytes.Buffer
	pack.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&pack, binary.BigEndian, uint32(len(deltas)+1)) // a buffer takes everything
	offsets := []int{pack.Len()}
	pack.WriteByte(byte(plumbing.BlobObject)<<4 | 1)
	pack.Write(deflated(t, []byte("x")))
	for _, d := range deltas {
		content := append(binary.AppendUvarint(binary.AppendUvarint(nil, d.base), d.target), 0x90, 1)
		at := pack.Len()
		if d.named {
			pack.WriteByte(byte(plumbing.REFDeltaObject)<<4 | byte(len(content)))
			pack.Write(make([]byte, sha1.Size))
		} else {
			pack.WriteByte(byte(plumbing.OFSDeltaObject)<<4 | byte(len(content)))
			pack.Write(distance(at - offsets[d.of]))
		}
		pack.Write(deflated(t, content))
		offsets = append(offsets, at)
	}
	sum := sha1.Sum(pack.Bytes()) //nolint:gosec // packs end with one
	pack.Write(sum[:])
	return pack.Bytes()
}

// distance is how far back a base lies, as packs have it.
func distance(back int) []byte {
	result := []byte{byte(back & 0x7f)}
	for back >>= 7; back > 0; back >>= 7 {
		back--
		result = append([]byte{byte(back&0x7f) | 0x80}, result...)
	}
	return result
}

func deflated(t *testing.T, content []byte) []byte {
	t.Helper()
	var result bytes.Buffer
	writer := zlib.NewWriter(&result)
	_, err := writer.Write(content)
	if closeErr := writer.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	return result.Bytes()
}

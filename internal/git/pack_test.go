package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // packs end with one
	"encoding/binary"
	"errors"
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
			err := inspect(t.Context(), Remote{URL: "https://example.com/shop"}, Limits{MaxBytes: 1000}, bytes.NewReader(packOf(t, c.target)))
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
	pack := packOf(t, 900)
	head := bytes.LastIndexByte(pack[:len(pack)-sha1.Size], 0x78) - 2
	pack[head] = byte(plumbing.OFSDeltaObject)<<4 | 0x80
	pack = append(pack[:head+1:head+1], append([]byte{2000 >> 4}, pack[head+1:]...)...)
	err := inspect(t.Context(), Remote{URL: "https://example.com/shop"}, Limits{MaxBytes: 1000}, bytes.NewReader(pack))
	var own *Error
	if !errors.As(err, &own) || own.Reason() != v1alpha1.ReasonContentTooLarge {
		t.Errorf("got %v", err)
	}
}

// packOf holds a blob of one byte, and a delta that says it makes target bytes out of it.
func packOf(t *testing.T, target uint64) []byte {
	t.Helper()
	var pack bytes.Buffer
	pack.WriteString("PACK\x00\x00\x00\x02\x00\x00\x00\x02")
	base := pack.Len()
	pack.WriteByte(byte(plumbing.BlobObject)<<4 | 1)
	pack.Write(deflated(t, []byte("x")))
	offset := pack.Len() - base
	delta := append(binary.AppendUvarint([]byte{1}, target), 0x90, 1)
	pack.WriteByte(byte(plumbing.OFSDeltaObject)<<4 | byte(len(delta)))
	pack.WriteByte(byte(offset))
	pack.Write(deflated(t, delta))
	sum := sha1.Sum(pack.Bytes()) //nolint:gosec // packs end with one
	pack.Write(sum[:])
	return pack.Bytes()
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

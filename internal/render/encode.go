package render

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Bounds of frozen content. A chunk must fit into a Secret.
const (
	maxChunk      = 900 << 10
	maxCompressed = 8 << 20
	maxContent    = 64 << 20
)

// SecretKey is the key under which a Secret holds a chunk.
const SecretKey = "content"

// Encode freezes objects: compressed, in chunks of at most 900 KiB, in order. The digest addresses the content as it is,
// sizes included, and is the same for the same objects whatever Go compresses them to. Content over 64 MiB, or over
// 8 MiB compressed, is refused with ContentTooLarge.
func Encode(objects []*unstructured.Unstructured) (chunks [][]byte, digest string, err error) {
	content, err := marshal(objects)
	if err != nil {
		return nil, "", err
	}
	if len(content) > maxContent {
		return nil, "", tooLarge("the rendered manifests of a slot", len(content), maxContent)
	}
	packed, err := compress(content)
	if err != nil {
		return nil, "", err
	}
	if len(packed) > maxCompressed {
		return nil, "", tooLarge("the compressed manifests of a slot", len(packed), maxCompressed)
	}
	return slices.Collect(slices.Chunk(packed, maxChunk)), digestOf(content), nil
}

// freezable tells while a release can still be refused, and to lint, that content will not fit. Small content always
// does, so that it is not compressed twice.
func freezable(objects []*unstructured.Unstructured) error {
	content, err := marshal(objects)
	if err != nil || len(content) < maxCompressed/2 {
		return err
	}
	_, _, err = Encode(objects)
	return err
}

// ContentDigest is the digest that Encode returns for the same objects.
func ContentDigest(objects []*unstructured.Unstructured) (string, error) {
	content, err := marshal(objects)
	if err != nil {
		return "", err
	}
	return digestOf(content), nil
}

// Decode returns what was frozen. It refuses content over the bounds of Encode with ContentTooLarge, and fails where a
// chunk is missing or damaged. Compare ContentDigest with the recorded digest to know that it is what was frozen.
func Decode(chunks [][]byte) ([]*unstructured.Unstructured, error) {
	packed := bytes.Join(chunks, nil)
	if len(packed) > maxCompressed {
		return nil, tooLarge("the frozen content", len(packed), maxCompressed)
	}
	content, err := decompress(packed)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	if err := json.Unmarshal(content, &objects); err != nil {
		return nil, fmt.Errorf("reading frozen content: %w", err)
	}
	return objects, nil
}

func compress(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compressing content: %w", err)
	}
	_, err = writer.Write(content)
	if err := errors.Join(err, writer.Close()); err != nil {
		return nil, fmt.Errorf("compressing content: %w", err)
	}
	return packed.Bytes(), nil
}

func decompress(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("decompressing frozen content: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(reader, maxContent+1))
	if err != nil {
		return nil, fmt.Errorf("decompressing frozen content: %w", err)
	}
	if len(content) > maxContent {
		return nil, tooLarge("the frozen content, decompressed", len(content), maxContent)
	}
	return content, nil
}

func tooLarge(what string, size, limit int) error {
	return refuse(v1alpha1.ReasonContentTooLarge, "%s: %d KiB, where %d KiB are allowed; move data out of the manifests, or split the stack", what, size>>10, limit>>10)
}

// marshal is canonical: keys are sorted, and there is one way to write each value.
func marshal(objects []*unstructured.Unstructured) ([]byte, error) {
	plain := make([]map[string]any, len(objects))
	for i, object := range objects {
		plain[i] = object.Object
	}
	content, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("encoding objects: %w", err)
	}
	return content, nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

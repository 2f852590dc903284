package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// InlineRevision stands for the revision of a source without a repository: a hash of its objects, whatever the order of
// their fields. Empty where the source has a repository.
func InlineRevision(source v1alpha1.Source) string {
	if len(source.Inline) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, object := range source.Inline {
		_, _ = sum.Write(append(canonicalJSON(object.Raw), '\n')) // a hash takes everything
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// canonicalJSON sorts fields. What is no JSON stays as it is; rendering says what is wrong with it.
func canonicalJSON(raw []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var content any
	if err := decoder.Decode(&content); err != nil {
		return raw
	}
	sorted, err := json.Marshal(content)
	if err != nil {
		return raw
	}
	return sorted
}

package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// ReleaseName is the identity of a release: the same stack, revision, overrides and retry counter give the same name, so
// that making a release twice is making it once.
func ReleaseName(spec v1alpha1.ReleaseSpec) string {
	sorted := slices.Clone(spec.Images)
	slices.SortFunc(sorted, func(a, b v1alpha1.ImageOverride) int {
		return strings.Compare(a.Member+"/"+a.Container, b.Member+"/"+b.Container)
	})
	parts := []any{spec.Revision, sorted, spec.Retry}
	if spec.Slot != "" {
		parts = append(parts, spec.Slot)
	}
	return spec.Stack + "-" + hash(parts...)
}

// RollbackName is the identity of the release that a rollback Decision asks for.
func RollbackName(stack, of string, decision string) string {
	return stack + "-" + hash("rollback", of, decision)
}

func hash(parts ...any) string {
	raw, _ := json.Marshal(parts) // strings, numbers and plain structs: it cannot fail
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:10]
}

package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// slotContent is what was rendered for a slot.
type slotContent struct {
	slot    v1alpha1.Slot
	objects []object
	members []v1alpha1.ReleaseMember
}

// sameMembers refuses slots that do not hold the same members: a switch would lose one, or make one appear.
func sameMembers(slots []slotContent) error {
	for _, other := range slots[1:] {
		a, b := identities(slots[0].members), identities(other.members)
		if slices.Equal(a, b) {
			continue
		}
		return refuse(v1alpha1.ReasonRenderFailed, "the slots do not hold the same members: only in %s: %s; only in %s: %s; render the same workloads for every slot (their contents may differ)",
			slots[0].slot.Name, orNone(without(a, b)), other.slot.Name, orNone(without(b, a)))
	}
	return nil
}

func identities(members []v1alpha1.ReleaseMember) []string {
	result := make([]string, len(members))
	for i, m := range members {
		result[i] = m.Kind + "/" + m.Name
	}
	return result
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return listed(names, 10)
}

// merged are the members of all slots: a slot that is idle by its values (replicas 0) does not say how large a member is.
func merged(slots []slotContent) []v1alpha1.ReleaseMember {
	result := slices.Clone(slots[0].members)
	for _, other := range slots[1:] {
		for i := range result {
			result[i].Replicas = max(result[i].Replicas, other.members[i].Replicas)
		}
	}
	return result
}

// differences warns of objects that are not the same in every slot but for the names of slots and namespaces: what is
// tested in one slot is then not what ran in the other.
func differences(slots []slotContent) ([]string, error) {
	var warnings []string
	first, err := neutral(slots[0])
	if err != nil {
		return nil, err
	}
	for _, other := range slots[1:] {
		second, err := neutral(other)
		if err != nil {
			return nil, err
		}
		if names := differing(first, second); names != nil {
			warnings = append(warnings, fmt.Sprintf("the slots %s and %s differ by more than their names in %s; a release is tested in one of them, and may behave otherwise in the other (random functions of a template differ too)",
				slots[0].slot.Name, other.slot.Name, listed(names, 10)))
		}
	}
	return warnings, nil
}

func differing(a, b map[string][]byte) []string {
	var names []string
	for name, content := range a {
		if !bytes.Equal(content, b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if a[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// neutral is what a slot holds with its own names replaced, by object.
func neutral(s slotContent) (map[string][]byte, error) {
	namespace := regexp.MustCompile(`\b` + regexp.QuoteMeta(s.slot.Namespace) + `\b`)
	slot := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(s.slot.Name) + `\b`)
	result := make(map[string][]byte, len(s.objects))
	for _, o := range s.objects {
		content, err := json.Marshal(withoutSize(o.Unstructured).Object)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", o, err)
		}
		content = namespace.ReplaceAllLiteral(content, []byte("$(namespace)"))
		result[o.ref()] = slot.ReplaceAllLiteral(content, []byte("$(slot)"))
	}
	return result, nil
}

// duplicates refuses two objects of the same kind and name: the second would overwrite the first.
func duplicates(objects []object) error {
	seen := map[string]object{}
	for _, o := range objects {
		key := groupOf(o.Unstructured) + "/" + o.ref()
		if first, ok := seen[key]; ok {
			return refuse(v1alpha1.ReasonDuplicateObject, "%s is in the manifests twice: in %s and in %s; remove or rename one", o.ref(), first.from, o.from)
		}
		seen[key] = o
	}
	return nil
}

// SizelessDigest is over what objects are, and not over how large: the digest of a SlotResult.
func SizelessDigest(objects []*unstructured.Unstructured) (string, error) {
	sizeless := make([]*unstructured.Unstructured, len(objects))
	for i, o := range objects {
		sizeless[i] = withoutSize(o)
	}
	return ContentDigest(sizeless)
}

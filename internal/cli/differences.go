package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// maxDifferences that are told of; where there are more, the slots are meant to differ.
const maxDifferences = 10

// differences between what is rendered for the first slot and for each other. A slot's own name and namespace are meant
// to differ. Anything else may follow from which slot is live just now, and would be frozen at what it was then.
func differences(slots []v1alpha1.Slot, rendered []render.SlotResult) []string {
	var out []string
	for i := 1; i < len(rendered); i++ {
		d := differ{from: slots[0], to: slots[i]}
		d.objects(rendered[0].Objects, rendered[i].Objects)
		out = append(out, d.found...)
	}
	if more := len(out) - maxDifferences; more > 0 {
		out = append(out[:maxDifferences], fmt.Sprintf("and %d more differences between slots", more))
	}
	if len(out) > 0 {
		out = append(out, "where a difference says which slot is live, take it out: content is frozen when a release starts, and who is live changes after that")
	}
	return out
}

type differ struct {
	from, to v1alpha1.Slot
	found    []string
}

func (d *differ) objects(a, b []*unstructured.Unstructured) {
	left, right := d.byName(a), d.byName(b)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		other := right[name]
		if other == nil {
			d.found = append(d.found, fmt.Sprintf("%s is rendered for slot %s, and not for %s", name, d.from.Name, d.to.Name))
			continue
		}
		d.values(name, "", left[name].Object, other.Object)
	}
	for _, name := range slices.Sorted(maps.Keys(right)) {
		if left[name] == nil {
			d.found = append(d.found, fmt.Sprintf("%s is rendered for slot %s, and not for %s", name, d.to.Name, d.from.Name))
		}
	}
}

// byName keys objects by kind and name, as they are called in the slot to.
func (d *differ) byName(objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	out := map[string]*unstructured.Unstructured{}
	for _, o := range objects {
		out[o.GetKind()+"/"+d.translate(o.GetName())] = render.WithoutReplicas(o)
	}
	return out
}

func (d *differ) values(object, path string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		if other, ok := b.(map[string]any); ok {
			d.maps(object, path, a, other)
			return
		}
	case []any:
		if other, ok := b.([]any); ok && len(a) == len(other) {
			for i := range a {
				d.values(object, fmt.Sprintf("%s[%d]", path, i), a[i], other[i])
			}
			return
		}
	}
	left, right := fmt.Sprint(a), fmt.Sprint(b)
	if left != right && d.translate(left) != right {
		d.found = append(d.found, fmt.Sprintf("%s differs at %s: %s in slot %s, %s in %s", object, strings.TrimPrefix(path, "."), brief(a), d.from.Name, brief(b), d.to.Name))
	}
}

func (d *differ) maps(object, path string, a, b map[string]any) {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		d.values(object, path+"."+k, a[k], b[k])
	}
}

// translate says in the words of the slot to what was rendered for the slot from.
func (d *differ) translate(text string) string {
	text = strings.ReplaceAll(text, d.from.Namespace, d.to.Namespace)
	return strings.ReplaceAll(text, d.from.Name, d.to.Name)
}

func brief(v any) string {
	text := fmt.Sprintf("%v", v)
	if v == nil {
		return "nothing"
	}
	if r := []rune(text); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return text
}

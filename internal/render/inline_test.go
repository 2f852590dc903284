package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func inlineRequest(t *testing.T, objects ...string) Request {
	t.Helper()
	req := plainRequest("")
	req.Source = v1alpha1.Source{}
	for _, object := range objects {
		raw, err := yaml.YAMLToJSON([]byte(object))
		if err != nil {
			t.Fatal(err)
		}
		req.Source.Inline = append(req.Source.Inline, runtime.RawExtension{Raw: raw})
	}
	return req
}

func TestInlineObjects(t *testing.T) {
	req := inlineRequest(t, web, `{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {"$(slot)": "$(stack) in $(slot) as $(release), $(other)"}}`)
	result, err := Run(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range result.Slots {
		got, _, _ := unstructured.NestedStringMap(objectOf(t, slot, "ConfigMap").Object, "data")
		if diff := cmp.Diff(map[string]string{slot.Slot: "shop in " + slot.Slot + " as shop-1, $(other)"}, got); diff != "" {
			t.Errorf("slot %s (-want +got):\n%s", slot.Slot, diff)
		}
	}
	if len(result.Members) != 1 || result.Dependencies != nil {
		t.Errorf("members %v, dependencies %v", result.Members, result.Dependencies)
	}
}

// What is inline is what would lie in a file.
func TestInlineObjectsAndPlainYAMLAreTheSame(t *testing.T) {
	plain := must(t, plainRequest(checkoutOf(t, "-- web.yaml --\n"+web)))
	if diff := cmp.Diff(plain.Slots, must(t, inlineRequest(t, web)).Slots); diff != "" {
		t.Errorf("plain (-) and inline (+):\n%s", diff)
	}
}

func TestInlineObjectsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ object, reason, says string }{
		"cluster-scoped": {"{apiVersion: v1, kind: Node, metadata: {name: x}}", v1alpha1.ReasonClusterScoped, "Node/x (source.inline[1])"},
		"no name":        {"{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x}}", v1alpha1.ReasonRenderFailed, "source.inline[1]"},
		"a list's item":  {"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Node, metadata: {name: x}}]}", v1alpha1.ReasonClusterScoped, "source.inline[1], item 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderAll(new(inlineRequest(t, web, c.object)))
			wantRefusal(t, err, c.reason, c.says)
			if strings.Contains(err.Error(), "checkout") {
				t.Errorf("there is no checkout: %v", err)
			}
		})
	}
}

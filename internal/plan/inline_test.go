package plan

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func TestInlineRevision(t *testing.T) {
	of := func(objects ...string) string {
		source := v1alpha1.Source{}
		for _, o := range objects {
			source.Inline = append(source.Inline, runtime.RawExtension{Raw: []byte(o)})
		}
		return InlineRevision(source)
	}
	if of() != "" {
		t.Error("a source without inline objects has a revision of them")
	}
	if of(`{"a":1,"b":{"c":2,"d":3}}`) != of(`{ "b": {"d":3, "c":2}, "a":1 }`) {
		t.Error("the order of fields counts")
	}
	seen := map[string]bool{}
	for _, objects := range [][]string{{`{"a":1}`}, {`{"a":2}`}, {`{"a":1}`, `{"a":2}`}, {`{"a":2}`, `{"a":1}`}, {`{"a":9007199254740993}`}, {`{"a":9007199254740992}`}, {`{"a":`}} {
		if revision := of(objects...); seen[revision] {
			t.Errorf("%q has the revision of others", objects)
		} else {
			seen[revision] = true
		}
	}
}

package observe

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
)

func smallestStack() *v1alpha1.Stack {
	return &v1alpha1.Stack{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Stack"},
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "home"},
		Spec: v1alpha1.StackSpec{
			Source: v1alpha1.Source{Git: v1alpha1.GitSource{URL: "https://git.example.com/shop.git"}, Plain: &v1alpha1.PlainSource{}},
			Entries: []v1alpha1.Entry{{
				Name:      "web",
				HTTPRoute: &v1alpha1.HTTPRouteEntry{ParentRefs: []v1alpha1.ParentRef{{Name: "public"}}},
				Backend:   v1alpha1.Backend{Service: "frontend", Port: 80},
				Preview:   &v1alpha1.Preview{Header: &v1alpha1.NameValue{Name: "x-preview", Value: "true"}},
			}},
			Members: []v1alpha1.Member{{Name: "frontend"}},
		},
	}
}

func TestDefaultsAddNothingToWhatTheSchemaSays(t *testing.T) {
	bySchema := defaultedBySchema(t, smallestStack())
	want := bySchema.DeepCopy()
	// The one default that depends on the Stack's namespace, which a schema cannot say.
	want.Spec.Slots = []v1alpha1.Slot{{Name: "blue", Namespace: "home-blue"}, {Name: "green", Namespace: "home-green"}}

	if diff := cmp.Diff(want, WithDefaults(smallestStack())); diff != "" {
		t.Errorf("a Stack that was never at an API server (-by the schema +by WithDefaults):\n%s", diff)
	}
	if diff := cmp.Diff(want, WithDefaults(bySchema)); diff != "" {
		t.Errorf("a Stack from an API server (-want +got):\n%s", diff)
	}
}

func TestDefaultsChangeNothingThatIsSaid(t *testing.T) {
	stack := smallestStack()
	no := false
	stack.Spec.Slots = []v1alpha1.Slot{{Name: "a", Namespace: "x"}, {Name: "b", Namespace: "y"}}
	stack.Spec.Entries[0].InsertRules = &no
	stack.Spec.Strategy.BlueGreen.KeepPrevious.For = &metav1.Duration{}
	before := stack.DeepCopy()

	got := WithDefaults(stack)

	if diff := cmp.Diff(before, stack); diff != "" {
		t.Errorf("the Stack that was passed in was changed:\n%s", diff)
	}
	if diff := cmp.Diff(stack.Spec.Slots, got.Spec.Slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	if *got.Spec.Entries[0].InsertRules || got.Spec.Strategy.BlueGreen.KeepPrevious.For.Duration != 0 {
		t.Errorf("insertRules %v, keepPrevious %v: want what was said", *got.Spec.Entries[0].InsertRules, got.Spec.Strategy.BlueGreen.KeepPrevious.For)
	}
}

func defaultedBySchema(t *testing.T, stack *v1alpha1.Stack) *v1alpha1.Stack {
	t.Helper()
	raw, err := json.Marshal(stack)
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(raw, &content); err != nil {
		t.Fatal(err)
	}
	dropEmpty(content["spec"].(map[string]any), "start", "sessions", "strategy", "deadlines", "queue")
	git := content["spec"].(map[string]any)["source"].(map[string]any)["git"].(map[string]any)
	dropEmpty(git, "ref")
	defaulting.Default(content, stackSchema(t))
	out := &v1alpha1.Stack{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// dropEmpty leaves out what a person would not write: Go writes empty structs.
func dropEmpty(content map[string]any, fields ...string) {
	for _, field := range fields {
		delete(content, field)
	}
}

func stackSchema(t *testing.T) *structuralschema.Structural {
	t.Helper()
	crds, err := config.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range crds {
		if u.GetName() == "stacks.lockstep.dev" {
			return structuralOf(t, u)
		}
	}
	t.Fatal("there is no CRD of Stacks")
	return nil
}

func structuralOf(t *testing.T, u *unstructured.Unstructured) *structuralschema.Structural {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, crd); err != nil {
		t.Fatal(err)
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, internal, nil); err != nil {
		t.Fatal(err)
	}
	schema, err := structuralschema.NewStructural(internal)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

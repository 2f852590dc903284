package view_test

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

func workload(name string, container map[string]any) *unstructured.Unstructured {
	container["name"] = name
	labels := map[string]any{"app": name}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec":     map[string]any{"containers": []any{container}},
		}},
	}}
}

func serviceOf(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"selector": map[string]any{"app": name}},
	}}
}

// TestMentions: what is a host is found however it is written, and what only looks like one is not.
func TestMentions(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"CART_URL", "http://cart", "sure"},
		{"X", "http://cart/api", "sure"},
		{"X", "http://cart:8080/api", "sure"},
		{"X", "cart:8080", "sure"},
		{"X", "cart.shop-blue", "sure"},
		{"X", "cart.shop-green.svc:80", "sure"},
		{"X", "cart.shop-blue.svc.cluster.local", "sure"},
		{"X", "postgres://user:secret@cart/db", "sure"},
		{"X", "--upstream=http://cart", "sure"},
		{"X", "a:80,cart:80", "sure"},
		{"X", "$(CART_SERVICE_HOST):80", "sure"},
		{"CART_HOST", "cart", "sure"},
		{"NAME", "cart", "perhaps"},
		{"X", "url: cart", "sure"},
		{"X", "registry.example.com/cart:80", ""},
		{"X", "cart:1.4.2", ""},
		{"X", "cart.other", ""},
		{"X", "cart.example.com", ""},
		{"X", "cart.json", ""},
		{"X", "http://my-cart", ""},
		{"X", "http://cart-v2", ""},
		{"X", "http://shop/cart", ""},
		{"X", "the cart of a user", ""},
	} {
		front := workload("frontend", map[string]any{"env": []any{map[string]any{"name": c.name, "value": c.value}}})
		stack := v1alpha1.Stack{}
		stack.Name, stack.Namespace = "shop", "shop"
		g := view.Calls(view.GraphInput{Stack: stack, Objects: []*unstructured.Unstructured{front, workload("cart", map[string]any{}), serviceOf("cart")}})
		got := ""
		for _, call := range g.Calls {
			got = map[bool]string{true: "sure", false: "perhaps"}[call.Found[0].Sure]
		}
		if got != c.want {
			t.Errorf("%s=%s is found as %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

// TestNeverValues: of a Secret a diff tells keys, whatever shape the Secret has.
func TestNeverValues(t *testing.T) {
	secret := func(fields map[string]any) []*unstructured.Unstructured {
		object := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "keys", "annotations": map[string]any{"note": "hunter0"}}}
		maps.Copy(object, fields)
		return []*unstructured.Unstructured{{Object: object}}
	}
	shapes := []map[string]any{
		{},
		{"data": map[string]any{"password": "hunter1"}},
		{"data": map[string]any{"password": "hunter2", "more": "hunter3"}},
		{"stringData": map[string]any{"password": "hunter4"}},
		{"data": "hunter5"},
		{"data": []any{"hunter6"}, "type": "hunter7"},
	}
	for _, a := range shapes {
		for _, b := range shapes {
			d := view.Compare("shop", view.Side{Objects: secret(a)}, view.Side{Objects: secret(b)}, nil)
			if text := view.DiffText(d, view.Look{Wide: true}); strings.Contains(text, "hunter") {
				t.Errorf("a value is told:\n%s", text)
			}
			for _, o := range d.Objects {
				for _, f := range o.Fields {
					if f.From != nil || f.To != nil {
						t.Errorf("%s holds a value", f.Path)
					}
				}
			}
		}
	}
}

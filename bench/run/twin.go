package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/bench/figures"
)

// twin is a route of the same shape as Lockstep's own, for another hostname, that nobody but the benchmark moves.
type twin struct {
	s     *shop
	host  string
	route *unstructured.Unstructured
	// field of the spec that holds the rules, and the rules of each slot.
	field string
	rules map[string]json.RawMessage
}

// shape of a kind of route: where the hostnames and the rules are.
type shape struct {
	gvk          schema.GroupVersionKind
	hosts, rules string
}

func shapeOf(kind string) shape {
	if kind == figures.VirtualService {
		return shape{schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"}, "hosts", "http"}
	}
	return shape{schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}, "hostnames", "rules"}
}

// twin copies the route that Lockstep has made.
func (s *shop) twin(ctx context.Context) (*twin, error) {
	like := shapeOf(s.kind)
	own := &unstructured.Unstructured{}
	own.SetGroupVersionKind(like.gvk)
	if err := s.b.Get(ctx, client.ObjectKey{Namespace: s.home, Name: name + "-web"}, own); err != nil {
		return nil, err
	}
	spec, _, err := unstructured.NestedMap(own.Object, "spec")
	if err != nil {
		return nil, err
	}
	t := &twin{s: s, host: "bare." + s.host, route: &unstructured.Unstructured{}, field: like.rules}
	spec[like.hosts] = []any{t.host}
	t.route.SetGroupVersionKind(like.gvk)
	t.route.SetNamespace(s.home)
	t.route.SetName("bare")
	t.route.Object["spec"] = spec
	if t.rules, err = s.rulesBySlot(spec[like.rules]); err != nil {
		return nil, err
	}
	return t, s.b.Create(ctx, t.route.DeepCopy())
}

// rulesBySlot turns the rules of the live slot into those of every slot.
func (s *shop) rulesBySlot(rules any) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(rules)
	if err != nil {
		return nil, err
	}
	bySlot := map[string]json.RawMessage{}
	for _, to := range []string{"blue", "green"} {
		moved := raw
		for _, from := range []string{"blue", "green"} {
			moved = bytes.ReplaceAll(moved, []byte(s.slot(from)), []byte(s.slot(to)))
		}
		bySlot[to] = moved
	}
	return bySlot, nil
}

// patch moves the twin's users, with one write and nothing else.
func (t *twin) patch(ctx context.Context, slot, from, to string) (time.Duration, error) {
	merge := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{%q:%s}}`, t.field, t.rules[slot]))
	return t.s.b.watch(ctx, t.host, from, to, func() error { return t.s.b.Patch(ctx, t.route.DeepCopy(), merge) })
}

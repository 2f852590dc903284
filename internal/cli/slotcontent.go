package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/render"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// slotKinds are the kinds that a slot is looked through for.
var slotKinds = []schema.GroupVersionKind{
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	{Group: "batch", Version: "v1", Kind: "CronJob"},
	{Group: "batch", Version: "v1", Kind: "Job"},
	{Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Secret"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	{Group: "networking.istio.io", Version: "v1", Kind: "DestinationRule"},
}

// slotReading is what was found in a slot's namespace.
type slotReading struct {
	objects []*unstructured.Unstructured
	// unread are the kinds that the user may not list there.
	unread []string
}

// readSlot reads what a slot holds with the user's own rights.
func (c *Cluster) readSlot(ctx context.Context, slot v1alpha1.SlotStatus, kinds ...schema.GroupVersionKind) (slotReading, error) {
	reading := slotReading{objects: noObjects}
	for _, gvk := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		err := c.List(ctx, list, client.InNamespace(slot.Namespace))
		switch {
		case meta.IsNoMatchError(err), gone(err):
			continue
		case apierrors.IsForbidden(err):
			reading.unread = append(reading.unread, gvk.Kind+"s")
			continue
		case err != nil:
			return reading, fmt.Errorf("look into slot %s: %w", slot.Name, explain(err))
		}
		for i := range list.Items {
			if o := &list.Items[i]; heldBySlot(slot, o) {
				o.SetGroupVersionKind(gvk)
				reading.objects = append(reading.objects, o)
			}
		}
	}
	return reading, nil
}

// heldBySlot reports whether an object is of the content: where Lockstep applied it, it says so; else all is taken but what the
// cluster puts into every namespace.
func heldBySlot(slot v1alpha1.SlotStatus, o *unstructured.Unstructured) bool {
	if slot.Proof == v1alpha1.ProofStamped {
		return o.GetLabels()[v1alpha1.LabelSlot] == slot.Name && len(o.GetOwnerReferences()) == 0
	}
	everywhere := []string{"ConfigMap/kube-root-ca.crt", "ConfigMap/istio-ca-root-cert", "ServiceAccount/default"}
	token := o.GetKind() == "Secret" && o.Object["type"] == "kubernetes.io/service-account-token"
	return len(o.GetOwnerReferences()) == 0 && !token && !slices.Contains(everywhere, o.GetKind()+"/"+o.GetName())
}

// slotNamed is a slot with what is known of it.
func slotNamed(stack *v1alpha1.Stack, name string) (v1alpha1.SlotStatus, error) {
	var names []string
	for _, spec := range view.Slots(stack) {
		names = append(names, spec.Name)
		if spec.Name != name {
			continue
		}
		out := v1alpha1.SlotStatus{Name: name}
		for _, st := range stack.Status.Slots {
			if st.Name == name {
				out = st
			}
		}
		out.Namespace = spec.Namespace
		return out, nil
	}
	return v1alpha1.SlotStatus{}, usagef("Stack %s has no slot %s; its slots are %s", stack.Name, name, strings.Join(names, ", "))
}

func (c *Cluster) diffSlots(ctx context.Context, stack *v1alpha1.Stack, names []string) (*view.Diff, error) {
	var (
		sides   [2]view.Side
		unknown []string
	)
	for i, name := range names {
		slot, err := slotNamed(stack, name)
		if err != nil {
			return nil, err
		}
		if sides[i], err = c.slotSide(ctx, slot, &unknown); err != nil {
			return nil, err
		}
	}
	return view.Compare(stack.Name, sides[0], sides[1], unknown), nil
}

func (c *Cluster) slotSide(ctx context.Context, slot v1alpha1.SlotStatus, unknown *[]string) (view.Side, error) {
	reading, err := c.readSlot(ctx, slot, slotKinds...)
	if err != nil {
		return view.Side{}, err
	}
	if len(reading.unread) > 0 {
		*unknown = append(*unknown, fmt.Sprintf("%s of slot %s: you may not list them; it needs the right to list them in namespace %s",
			strings.Join(reading.unread, ", "), slot.Name, slot.Namespace))
	}
	side := view.Side{
		What: "slot " + slot.Name, Slot: slot.Name, Images: map[string][]string{}, Objects: noObjects,
		Names: map[string]string{slot.Namespace: "$(namespace)", slot.Name: "$(slot)"},
	}
	if slot.Release != "" {
		side.What += ", with release " + slot.Release
		side.Names[slot.Release] = "$(release)"
	}
	for _, o := range reading.objects {
		if render.IsWorkload(o) {
			side.Images[o.GetName()] = view.ImagesOf(o)
		}
		side.Objects = append(side.Objects, render.WithoutReplicas(o))
	}
	return side, nil
}

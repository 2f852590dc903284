package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// where is what logs and events are of: a release, and the slots that may hold it, or a slot with all that is in it.
type where struct {
	stack   *v1alpha1.Stack
	release *v1alpha1.Release
	slots   []v1alpha1.Slot
	members []string
	// known are all members, to tell whose an object is by its name.
	known []string
}

type whereFlags struct {
	release string
	slot    string
	members []string
}

func (f *whereFlags) what(release string) string {
	if f.slot != "" {
		return "slot " + f.slot
	}
	return "release " + release
}

// find resolves the flags: by default it is the release that is being taken through its steps, or else the live one.
func (c *Cluster) find(ctx context.Context, args []string, f *whereFlags) (*where, error) {
	if f.release != "" && f.slot != "" {
		return nil, usagef("--release and --slot: give one of them")
	}
	stack, err := c.stack(ctx, args)
	if err != nil {
		return nil, err
	}
	releases, err := c.releases(ctx, stack)
	if err != nil {
		return nil, err
	}
	w := &where{stack: stack, slots: view.Slots(stack), members: f.members, known: memberNames(stack, releases)}
	for _, m := range f.members {
		if len(w.known) > 0 && !slices.Contains(w.known, m) {
			return nil, usagef("Stack %s has no member %s; its members are %s", stack.Name, m, strings.Join(w.known, ", "))
		}
	}
	if f.slot != "" {
		slot, err := slotNamed(stack, f.slot)
		w.slots = []v1alpha1.Slot{{Name: slot.Name, Namespace: slot.Namespace}}
		return w, err
	}
	unit := unitOf(stack)
	name := cmp.Or(f.release, unit.ActiveRelease, unit.LiveRelease)
	if name == "" {
		return nil, fmt.Errorf("no release of Stack %s is active or live; name a release with --release, or a slot with --slot", stack.Name)
	}
	w.release, err = c.release(ctx, stack, name)
	return w, err
}

// pods are the Pods of the release, or of the slot, by member and name. Namespaces that do not exist have none.
func (c *Cluster) pods(ctx context.Context, w *where) ([]corev1.Pod, error) {
	var out []corev1.Pod
	for _, slot := range w.slots {
		list := &corev1.PodList{}
		options := []client.ListOption{client.InNamespace(slot.Namespace)}
		if w.release != nil {
			options = append(options, client.MatchingLabels{v1alpha1.LabelStack: w.stack.Name, v1alpha1.LabelRelease: w.release.Name})
		}
		err := c.List(ctx, list, options...)
		switch {
		case apierrors.IsForbidden(err):
			return nil, fmt.Errorf("you may not list pods in namespace %s, where slot %s is; it takes the ClusterRole view there", slot.Namespace, slot.Name)
		case err != nil:
			return nil, explain(err)
		}
		for _, p := range list.Items {
			if w.wants(&p) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b corev1.Pod) int {
		return cmp.Or(strings.Compare(w.memberOf(&a), w.memberOf(&b)), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return out, nil
}

func (w *where) wants(p *corev1.Pod) bool {
	return len(w.members) == 0 || slices.Contains(w.members, w.memberOf(p))
}

// memberOf is the member that a Pod belongs to; by its name where nothing was stamped.
func (w *where) memberOf(p *corev1.Pod) string {
	return cmp.Or(p.Labels[v1alpha1.LabelMember], w.memberNamed(p.Name))
}

// memberNamed is the member that an object was made for, as its name tells: the longest that it begins with.
func (w *where) memberNamed(name string) string {
	best := ""
	for _, m := range w.known {
		if (name == m || strings.HasPrefix(name, m+"-")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

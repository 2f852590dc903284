package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// slotWork is what is needed to work in one slot: whose it is, what it is to hold, and the rights to write it.
type slotWork struct {
	stack *v1alpha1.Stack
	slot  v1alpha1.Slot
	// release whose content objects is; nil where only sizes are written.
	release *v1alpha1.Release
	// objects of the frozen content, stamped.
	objects []*unstructured.Unstructured
	team    client.Client
	// proof is what was compared with the content before.
	proof *proof
}

// openSlot reads the frozen content of a release for a slot.
func (a *Applier) openSlot(ctx context.Context, s *plan.Snapshot, ref plan.ReleaseRef, slotName string) (*slotWork, error) {
	slot, err := slotOf(s, slotName)
	if err != nil {
		return nil, err
	}
	release, err := releaseOf(s, ref)
	if err != nil {
		return nil, err
	}
	return a.openContent(ctx, &s.Stack, release, slot)
}

func (a *Applier) openContent(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slot v1alpha1.Slot) (*slotWork, error) {
	team, err := a.team(stack)
	if err != nil {
		return nil, err
	}
	objects, err := a.content(ctx, stack, release, slot)
	if err != nil {
		return nil, err
	}
	return &slotWork{stack: stack, slot: slot, release: release, objects: objects, team: team, proof: a.proofs.of(stack, slot.Name, release)}, nil
}

// find returns the object of that kind and name in the content; nil where there is none.
func (w *slotWork) find(kind, name string) *unstructured.Unstructured {
	for _, object := range w.objects {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	return nil
}

// refused words an answer to a write in the slot.
func (w *slotWork) refused(doing string, object client.Object, err error) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("slot %s: %s %s", w.slot.Name, doing, nameOf(object))
	if object.GetObjectKind().GroupVersionKind().Kind == kindSecret && isRejected(err) {
		return refuse(v1alpha1.ReasonAdmissionRefused, "%s: the API server refuses it; the answer may repeat what is secret, and is not shown", what)
	}
	return asTeam(w.stack, w.slot.Namespace, what, err)
}

// nameOf names an object for people.
func nameOf(o client.Object) string {
	return o.GetObjectKind().GroupVersionKind().Kind + " " + o.GetNamespace() + "/" + o.GetName()
}

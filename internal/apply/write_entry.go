package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// route is one entry's route, as it was read.
type route struct {
	stack *v1alpha1.Stack
	spec  entry.Spec
	team  client.Client
	live  *unstructured.Unstructured
}

// writeEntry moves users: one write, which carries the resourceVersion that was read before the intent was saved.
func (a *Applier) writeEntry(ctx context.Context, s *plan.Snapshot, act plan.WriteEntry) error {
	r, err := a.openRoute(ctx, s, act.Entry)
	if err != nil {
		return err
	}
	if r.live != nil && epochOf(r.live) > act.Intent.Epoch {
		return nil
	}
	if err := r.unchangedSince(act.ResourceVersion); err != nil {
		return err
	}
	want, err := r.next(act.Intent, wayBack(s))
	if err != nil {
		return err
	}
	if err := r.grant(ctx, s); err != nil {
		return err
	}
	return r.write(ctx, want)
}

func (a *Applier) openRoute(ctx context.Context, s *plan.Snapshot, name string) (*route, error) {
	spec, err := entrySpec(&s.Stack, name)
	if err != nil {
		return nil, err
	}
	team, err := a.team(&s.Stack)
	if err != nil {
		return nil, err
	}
	r := &route{stack: &s.Stack, spec: spec, team: team}
	like := &unstructured.Unstructured{}
	like.SetGroupVersionKind(spec.Kind())
	like.SetNamespace(spec.Key().Namespace)
	like.SetName(spec.Key().Name)
	if r.live = asObserved(s, name); r.live == nil {
		r.live, err = look(ctx, team, like)
	}
	if err != nil {
		return nil, r.refused("reading", err)
	}
	return r, nil
}

// asObserved is the route as the pass has read it a moment ago. Reading it again would tell no more than the write does: that
// is refused where anyone wrote the route meanwhile, since it carries the resourceVersion. It is nil where there was none.
func asObserved(s *plan.Snapshot, name string) *unstructured.Unstructured {
	for i := range s.Entries {
		if e := &s.Entries[i]; e.Name == name && e.Route != nil {
			return (&unstructured.Unstructured{Object: e.Route}).DeepCopy()
		}
	}
	return nil
}

func entrySpec(stack *v1alpha1.Stack, name string) (entry.Spec, error) {
	for _, spec := range entry.Specs(stack) {
		if spec.Entry.Name == name {
			return spec, nil
		}
	}
	return entry.Spec{}, refuse(v1alpha1.ReasonEntryMissing, "entry %s is not in spec.entries of the Stack (any more); put it back", name)
}

// wayBack is whether users are being taken back: then moving them goes before everything else.
func wayBack(s *plan.Snapshot) bool {
	unit := unitOf(s)
	return unit != nil && unit.Step != nil &&
		(unit.Step.Kind == v1alpha1.StepAbort || unit.Step.Kind == v1alpha1.StepRollback)
}

// unchangedSince fails if anyone has written the route since it was read: what was decided then may be wrong by now.
func (r *route) unchangedSince(resourceVersion string) error {
	now := ""
	if r.live != nil {
		now = r.live.GetResourceVersion()
	}
	if now == resourceVersion {
		return nil
	}
	resource := schema.GroupResource{Group: r.spec.Kind().Group, Resource: r.spec.Kind().Kind}
	return apierrors.NewConflict(resource, r.spec.Key().String(),
		fmt.Errorf("it was read at resourceVersion %q and is at %q", resourceVersion, now))
}

func (r *route) next(intent v1alpha1.RouteIntent, back bool) (*unstructured.Unstructured, error) {
	want, err := entry.Write(r.spec, r.live, intent)
	if err != nil && back && r.spec.Inserts() && r.spec.Adopted() {
		if bare, bareErr := entry.Write(r.spec.WithoutRules(), r.live, intent); bareErr == nil {
			return bare, nil
		}
	}
	if no, ok := errors.AsType[*entry.Error](err); ok {
		return nil, refuse(no.Reason(), "%s", no.Error())
	}
	return want, err
}

// grant makes the ReferenceGrants without which the route may not point into the slots that exist, but for those that the pass
// saw in place.
func (r *route) grant(ctx context.Context, s *plan.Snapshot) error {
	for _, g := range entry.Grants(r.spec) {
		if !usable(s, g.GetNamespace()) || slices.Contains(grantedBy(s, r.spec.Entry.Name), g.GetNamespace()) {
			continue
		}
		err := r.team.Apply(ctx, client.ApplyConfigurationFromUnstructured(g), client.ForceOwnership, client.FieldOwner(v1alpha1.ManagerEntry))
		if err != nil {
			what := fmt.Sprintf("entry %s: making ReferenceGrant %s/%s", r.spec.Entry.Name, g.GetNamespace(), g.GetName())
			return asTeam(r.stack, g.GetNamespace(), what, err)
		}
	}
	return nil
}

// grantedBy are the namespaces that let the entry's route in, as the pass saw it.
func grantedBy(s *plan.Snapshot, name string) []string {
	for i := range s.Entries {
		if s.Entries[i].Name == name {
			return s.Entries[i].Granted
		}
	}
	return nil
}

func usable(s *plan.Snapshot, namespace string) bool {
	for _, slot := range s.Slots {
		if slot.Namespace == namespace {
			return slot.Exists && slot.Consented && !slot.Terminating
		}
	}
	return false
}

func (r *route) write(ctx context.Context, want *unstructured.Unstructured) error {
	var err error
	if r.live == nil {
		err = r.team.Create(ctx, want, client.FieldOwner(v1alpha1.ManagerEntry))
	} else {
		err = r.team.Update(ctx, want, client.FieldOwner(v1alpha1.ManagerEntry))
	}
	if err != nil {
		return r.refused("writing", err)
	}
	return nil
}

func (r *route) refused(doing string, err error) error {
	what := fmt.Sprintf("entry %s: %s %s %s", r.spec.Entry.Name, doing, r.spec.Kind().Kind, r.spec.Key())
	if meta.IsNoMatchError(err) {
		return refuse(v1alpha1.ReasonRouterMissing, "%s: this cluster does not know the kind; install the CRDs of %s", what, r.spec.Kind().Group)
	}
	err = asTeam(r.stack, r.spec.Key().Namespace, what, err)
	var no *Refusal
	if errors.As(err, &no) && no.reason == v1alpha1.ReasonAdmissionRefused {
		no.reason = v1alpha1.ReasonEntryRefused
	}
	return err
}

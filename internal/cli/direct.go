package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// directTries are how often it is looked again where someone else wrote a route in the meantime.
const directTries = 3

// decideDirectly takes users back without the controller, which is waited for only where --wait asks for what it does. What
// is said comes first: whoever may not decide writes nothing, and the controller, once it is back, goes on from there.
func (a *app) decideDirectly(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, r *v1alpha1.Release, verb v1alpha1.Verb, f *decideFlags) (*v1alpha1.Decision, error) {
	if _, _, err := a.wayOut(ctx, c, stack, f.to); err != nil {
		return nil, err
	}
	d, err := a.say(ctx, c, stack, r, verb, f)
	if err != nil {
		return nil, err
	}
	err = a.tryDirectly(ctx, c, stack, f)
	if err == nil && f.wait.goal != goalNone {
		err = a.answered(ctx, c, d, &f.wait)
	}
	return d, err
}

func (a *app) tryDirectly(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, f *decideFlags) (err error) {
	for range directTries {
		if err = a.writeDirectly(ctx, c, stack, f); !errors.Is(err, errTryAgain) {
			break
		}
	}
	return err
}

var errTryAgain = errors.New("the routes are being written by someone else; look at them with kubectl, and try again")

func (a *app) wayOut(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, to string) (*plan.Snapshot, *plan.Detour, error) {
	snapshot, _, err := a.Observe(ctx, c, stack)
	if err != nil {
		return nil, nil, fmt.Errorf("look at the cluster: %w", explain(err))
	}
	detour, problem := plan.Direct(*snapshot, to, a.Clock.Now())
	if problem != nil {
		return nil, nil, refusedf("users cannot be taken back by routes alone: %s: %s", problem.Reason, problem.Message)
	}
	return snapshot, detour, nil
}

func (a *app) writeDirectly(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, f *decideFlags) error {
	snapshot, detour, err := a.wayOut(ctx, c, stack, f.to)
	if err != nil {
		return err
	}
	if len(detour.Writes) == 0 {
		a.note(f.output, "every entry sends users to slot %s already", detour.Slot)
		return nil
	}
	if detour.Try != nil {
		for _, write := range detour.Writes {
			if err := c.writeRoute(ctx, snapshot, write, true); err != nil {
				return err
			}
		}
	}
	for i, write := range detour.Writes {
		if err := c.writeRoute(ctx, snapshot, write, false); err != nil {
			return after(detour.Writes[:i], err)
		}
		a.note(f.output, "entry %s written: users go to slot %s (epoch %d)", write.Entry, detour.Slot, write.Intent.Epoch)
	}
	a.note(f.output, "workers stay where they are until the controller is back, which then finishes the rollback; see kubectl lockstep doctor")
	return nil
}

// after tells of the entries that were written before one was refused.
func after(written []plan.WriteEntry, err error) error {
	if len(written) == 0 || errors.Is(err, errTryAgain) {
		return err
	}
	var names []string
	for _, w := range written {
		names = append(names, w.Entry)
	}
	return fmt.Errorf("users of entry %s are back, others are not: %w", strings.Join(names, ", "), err)
}

// writeRoute writes one route, if nobody has done so since it was looked at; by dry-run where it is only tried.
func (c *Cluster) writeRoute(ctx context.Context, s *plan.Snapshot, write plan.WriteEntry, try bool) error {
	specs := entry.Specs(&s.Stack)
	spec := specs[slices.IndexFunc(specs, func(spec entry.Spec) bool { return spec.Entry.Name == write.Entry })]
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(spec.Kind())
	err := c.Get(ctx, spec.Key(), live)
	if apierrors.IsNotFound(err) {
		live, err = nil, nil
	}
	if err != nil {
		return explain(err)
	}
	if live != nil && live.GetResourceVersion() != write.ResourceVersion {
		return errTryAgain
	}
	want, err := entry.Write(spec, live, write.Intent)
	if err != nil {
		return err
	}
	return routeError(spec, c.store(ctx, live, want, try))
}

func (c *Cluster) store(ctx context.Context, live, want *unstructured.Unstructured, try bool) error {
	owner := client.FieldOwner(v1alpha1.ManagerEntry)
	switch {
	case live == nil && try:
		return c.Create(ctx, want, owner, client.DryRunAll)
	case live == nil:
		return c.Create(ctx, want, owner)
	case try:
		return c.Update(ctx, want, owner, client.DryRunAll)
	}
	return c.Update(ctx, want, owner)
}

func routeError(spec entry.Spec, err error) error {
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return errTryAgain
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not write %s %s, the route of entry %s; ask who administers the cluster for the verbs get and update on it: %w", spec.Kind().Kind, spec.Key(), spec.Entry.Name, err)
	}
	return explain(err)
}

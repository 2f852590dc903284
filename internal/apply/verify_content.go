package apply

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// verifyContent compares what runs in a slot with the frozen content.
func (a *Applier) verifyContent(ctx context.Context, s *plan.Snapshot, act plan.VerifyContent) error {
	w, err := a.openSlot(ctx, s, act.Release, act.Slot)
	if err != nil {
		return err
	}
	found, err := w.drift(ctx)
	if err != nil || found == "" {
		return err
	}
	return refuse(v1alpha1.ReasonContentDrifted,
		"slot %s does not hold what was frozen for release %s: %s",
		act.Slot, act.Release.Name, found)
}

// Drift says in a sentence how what runs in a slot differs from the frozen content of the release; empty where it does
// not. Sizes, epochs and what the cluster fills in are no difference.
func (a *Applier) Drift(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slotName string) (string, error) {
	slot, err := slotOf(&plan.Snapshot{Stack: *stack}, slotName)
	if err != nil {
		return "", err
	}
	w, err := a.openContent(ctx, stack, release, slot)
	if err != nil {
		return "", err
	}
	return w.drift(ctx)
}

// What is listed of a drift, at most.
const (
	maxDrifted    = 5
	maxDriftPaths = 3
)

// compareAtOnce bounds how many objects are compared at the same time.
const compareAtOnce = 8

func (w *slotWork) drift(ctx context.Context) (string, error) {
	found := make([]string, len(w.objects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compareAtOnce)
	for i, object := range w.objects {
		group.Go(func() (err error) {
			found[i], err = w.driftOf(ctx, object)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	drift := listed(found, maxDrifted)
	if drift == "" {
		w.proof.complete(len(w.objects))
	}
	return drift, nil
}

// listed joins what is not empty, up to a limit.
func listed(all []string, limit int) string {
	var kept []string
	for _, text := range all {
		if text != "" {
			kept = append(kept, text)
		}
	}
	if over := len(kept) - limit; over > 0 {
		kept = append(kept[:limit], fmt.Sprintf("and %d more", over))
	}
	return strings.Join(kept, "; ")
}

func (w *slotWork) driftOf(ctx context.Context, want *unstructured.Unstructured) (string, error) {
	live, err := look(ctx, w.team, want)
	if err != nil {
		return "", w.refused("comparing", want, err)
	}
	if live == nil {
		return missing(want), nil
	}
	if w.proof.holds(want, live) {
		return "", nil
	}
	merged, err := w.merge(ctx, want, live)
	if apierrors.IsInvalid(err) {
		return fmt.Sprintf("%s cannot be brought back to it (%s)", nameOf(want), said(err)), nil
	}
	if err != nil {
		return "", w.refused("comparing", want, err)
	}
	differences, err := differ(live, merged)
	if err != nil {
		return "", err
	}
	if len(differences) == 0 {
		return "", w.proof.keep(want, live)
	}
	return nameOf(want) + " differs at " + listed(differences, maxDriftPaths), nil
}

// missing is empty for a Job that the cluster removes by itself once it is done.
func missing(want *unstructured.Unstructured) string {
	_, expires, _ := unstructured.NestedFieldNoCopy(want.Object, "spec", "ttlSecondsAfterFinished")
	if want.GetKind() == kindJob && expires {
		return ""
	}
	return nameOf(want) + " is missing"
}

// merge is what the API server would make of live if the content were applied now.
func (w *slotWork) merge(ctx context.Context, want, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	object, err := wanted(want, live)
	if err != nil {
		return nil, err
	}
	err = w.team.Apply(ctx, client.ApplyConfigurationFromUnstructured(object),
		client.DryRunAll, client.ForceOwnership, client.FieldOwner(v1alpha1.ManagerContent))
	return object, err
}

// wanted is what would be applied over live: at its size and its epoch, and asleep if it is.
func wanted(want, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if !isWorkload(want) {
		object := render.WithoutReplicas(want)
		setEpoch(object, epochOf(live))
		return object, nil
	}
	object := render.WithoutReplicas(want)
	if isAsleep(live) {
		return object, putToSleep(object)
	}
	return object, nil
}

package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// endRelease records how a Release ended. The same outcome is not written twice, so that its time stays; a Release that
// has ended in another way since is left alone, because the plan was late.
func (a *Applier) endRelease(ctx context.Context, s *plan.Snapshot, act plan.EndRelease) error {
	return a.patchRelease(ctx, s, act.Release, func(r *v1alpha1.Release) bool {
		if is := outcomeOf(r); is == act.Ended.Outcome || is != act.Was {
			return false
		}
		r.Status.Ended = act.Ended.DeepCopy()
		r.Status.Ended.Message = shorten(act.Ended.Message, maxMessage)
		return true
	})
}

func outcomeOf(r *v1alpha1.Release) v1alpha1.Outcome {
	if r.Status.Ended == nil {
		return ""
	}
	return r.Status.Ended.Outcome
}

// copyContent starts a Release with content that was frozen for another. What has started is not started again. The
// content is marked as wanted first, so that nobody sweeps it who does not know of this Release yet.
func (a *Applier) copyContent(ctx context.Context, s *plan.Snapshot, act plan.CopyContent) error {
	release, err := a.readRelease(ctx, s.Stack.Namespace, act.Release)
	if err != nil || release == nil || release.Status.Started != nil {
		return err
	}
	for _, content := range act.Started.Content {
		for _, name := range content.Secrets {
			if err := a.touch(ctx, name); err != nil {
				return err
			}
		}
	}
	return a.startRelease(ctx, s, act.Release, &act.Started)
}

func (a *Applier) startRelease(ctx context.Context, s *plan.Snapshot, ref plan.ReleaseRef, started *v1alpha1.ReleaseStarted) error {
	return a.patchRelease(ctx, s, ref, func(r *v1alpha1.Release) bool {
		if r.Status.Started != nil {
			return false
		}
		r.Status.Started = started.DeepCopy()
		return true
	})
}

// patchRelease changes the status of a Release as it is now. A Release that is gone, or another one of the same name, is
// left alone: the plan was late.
func (a *Applier) patchRelease(ctx context.Context, s *plan.Snapshot, ref plan.ReleaseRef, change func(*v1alpha1.Release) bool) error {
	r, err := a.readRelease(ctx, s.Stack.Namespace, ref)
	if err != nil || r == nil {
		return err
	}
	before := r.DeepCopy()
	if !change(r) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := a.Client.Status().Patch(ctx, r, patch, client.FieldOwner(v1alpha1.ManagerStatus)); err != nil {
		return refused("writing the status of release "+ref.Name, err)
	}
	return nil
}

// readRelease reads a Release as it is now; nil where it is gone, or another one has its name.
func (a *Applier) readRelease(ctx context.Context, namespace string, ref plan.ReleaseRef) (*v1alpha1.Release, error) {
	r := &v1alpha1.Release{}
	err := a.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, r)
	if apierrors.IsNotFound(err) || (err == nil && r.UID != ref.UID) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading release %s: %w", ref.Name, err)
	}
	return r, nil
}

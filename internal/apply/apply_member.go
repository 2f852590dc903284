package apply

import (
	"context"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// applyMember applies one workload. Its content and its size have managers of their own, so that applying content again
// never scales.
func (a *Applier) applyMember(ctx context.Context, s *plan.Snapshot, act plan.ApplyMember) error {
	w, err := a.openSlot(ctx, s, act.Release, act.Slot)
	if err != nil {
		return err
	}
	want := w.find(act.Kind, act.Name)
	if want == nil {
		return refuse(v1alpha1.ReasonContentMissing, "the frozen content of release %s for slot %s holds no %s %s; make a new release",
			act.Release.Name, act.Slot, act.Kind, act.Name)
	}
	live, err := look(ctx, w.team, want)
	if err != nil {
		return w.refused("reading", want, err)
	}
	m := &member{slotWork: w, want: render.WithoutReplicas(want), act: act}
	if live == nil {
		return m.create(ctx)
	}
	if epochOf(live) > act.Epoch {
		return nil
	}
	return m.update(ctx, live)
}

// member is a workload that is being applied.
type member struct {
	*slotWork
	// want is the workload as it was rendered, without its size.
	want *unstructured.Unstructured
	act  plan.ApplyMember
}

func (m *member) replicas() int32 {
	if m.act.Asleep {
		return 0
	}
	return m.act.Replicas
}

func (m *member) create(ctx context.Context) error {
	object, err := sized(m.want, m.replicas())
	if err != nil {
		return err
	}
	setEpoch(object, m.act.Epoch)
	return m.refused("creating", object, create(ctx, m.team, object))
}

// update applies the content first and the size right after: at its former size the workload cannot do harm, because
// the slot was empty, and at its new size it must not run former content.
func (m *member) update(ctx context.Context, live *unstructured.Unstructured) error {
	version, err := takeOver(ctx, m.team, live)
	if err != nil {
		return m.refused("taking over", live, err)
	}
	content, err := m.content()
	if err != nil {
		return err
	}
	applied, err := applyAt(ctx, m.team, content, version)
	if m.mustBeRemade(live, err) {
		return m.replace(ctx, live)
	}
	if err != nil {
		return m.refused("applying", live, err)
	}
	if err := m.appliedTo(applied); err != nil {
		return err
	}
	return m.resizeApplied(ctx, applied, m.newSize(live))
}

// resizeTries bounds how often a size is written again whose object was written meanwhile.
const resizeTries = 5

// resizeApplied writes the size of what was just applied. The cluster's own controllers write status at any moment, and
// that is no reason to look at everything again; a change of what was applied, or a later epoch, is.
func (m *member) resizeApplied(ctx context.Context, applied *unstructured.Unstructured, replicas *int32) error {
	now, err := applied, error(nil)
	for range resizeTries {
		err = m.resize(ctx, now, now.GetResourceVersion(), m.act.Epoch, replicas)
		if !apierrors.IsConflict(err) {
			return err
		}
		seen, lookErr := look(ctx, m.team, applied)
		if lookErr != nil || !sameButStatus(applied, seen) || epochOf(seen) > m.act.Epoch {
			return err
		}
		now = seen
	}
	return err
}

// sameButStatus is whether nobody changed the spec since.
func sameButStatus(before, now *unstructured.Unstructured) bool {
	return now != nil && now.GetUID() == before.GetUID() && now.GetGeneration() == before.GetGeneration()
}

// content of the workload. A node selector is owned as a whole, so that a sleeping DaemonSet's is part of its content.
func (m *member) content() (*unstructured.Unstructured, error) {
	if m.act.Kind != kindDaemonSet || !m.act.Asleep {
		return m.want, nil
	}
	return sized(m.want, 0)
}

// newSize is nil for a workload that runs this release already: its size is not ours to change here. One that has the
// content and is still at zero was left so by a write of its size that failed.
func (m *member) newSize(live *unstructured.Unstructured) *int32 {
	size, has, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
	if !m.act.Asleep && releaseOn(live) == m.act.Release.Name && (!has || size > 0) {
		return nil
	}
	replicas := m.replicas()
	return &replicas
}

// mustBeRemade is whether the workload is a former release's, and differs in what cannot be changed: a Job's template, a
// Deployment's selector. The slot was empty, so that nothing that is used goes with it.
func (m *member) mustBeRemade(live *unstructured.Unstructured, err error) bool {
	return isUnchangeable(err) && releaseOn(live) != m.act.Release.Name
}

func isUnchangeable(err error) bool {
	return apierrors.IsInvalid(err) && (strings.Contains(err.Error(), "immutable") ||
		strings.Contains(err.Error(), "updates to statefulset spec"))
}

// replace makes a workload again.
func (m *member) replace(ctx context.Context, live *unstructured.Unstructured) error {
	now, err := look(ctx, m.team, live)
	if err != nil {
		return m.refused("reading", live, err)
	}
	if now != nil {
		if epochOf(now) > m.act.Epoch {
			return nil
		}
		if err := deleteAt(ctx, m.team, now); err != nil {
			return m.refused("deleting", live, err)
		}
	}
	return m.create(ctx)
}

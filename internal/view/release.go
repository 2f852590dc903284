package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func releaseOf(r *v1alpha1.Release) Release {
	out := Release{Name: r.Name, Revision: r.Spec.Revision, Of: r.Spec.RollbackOf, Created: r.CreationTimestamp}
	for _, i := range r.Spec.Images {
		out.Images = append(out.Images, overrideOf(i))
	}
	if s := r.Status.Started; s != nil {
		out.Commit, out.Started = s.Commit, &s.At
	}
	if e := r.Status.Ended; e != nil {
		out.Outcome, out.Reason, out.Message, out.EndSlot, out.Ended = e.Outcome, e.Reason, e.Message, e.Slot, &e.At
	}
	return out
}

func overrideOf(i v1alpha1.ImageOverride) string {
	if i.Container == "" {
		return i.Member + "=" + i.Image
	}
	return i.Member + "/" + i.Container + "=" + i.Image
}

func find(releases []v1alpha1.Release, name string) *v1alpha1.Release {
	i := slices.IndexFunc(releases, func(r v1alpha1.Release) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &releases[i]
}

// newestFirst sorts a copy; two releases of the same second keep a stable order by name.
func newestFirst(releases []v1alpha1.Release) []v1alpha1.Release {
	out := slices.Clone(releases)
	slices.SortFunc(out, func(a, b v1alpha1.Release) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return out
}

func activeOf(releases []v1alpha1.Release, unit v1alpha1.UnitStatus) *Active {
	if unit.ActiveRelease == "" {
		return nil
	}
	a := &Active{Release: Release{Name: unit.ActiveRelease}, Slot: unit.ActiveSlot}
	if r := find(releases, unit.ActiveRelease); r != nil {
		a.Release = releaseOf(r)
		if r.Status.Started != nil {
			a.Steps = stepsOf(r.Status.Started.Steps)
		}
	}
	return mark(a, unit.Step)
}

func stepsOf(steps []v1alpha1.Step) []Step {
	out := make([]Step, 0, len(steps))
	for _, s := range steps {
		out = append(out, Step{Kind: s.Kind, Name: s.Name, Mark: MarkNext})
	}
	return out
}

func mark(a *Active, step *v1alpha1.StepStatus) *Active {
	if step == nil {
		return a
	}
	a.Kind, a.Attempt, a.Since = step.Kind, step.Attempt, step.Since
	at := slices.IndexFunc(a.Steps, func(s Step) bool { return s.Kind == step.Kind })
	if at < 0 {
		for i := range a.Steps {
			a.Steps[i].Mark = MarkLeft
		}
		a.Steps = append(a.Steps, Step{Kind: step.Kind, Mark: MarkCurrent})
		return a
	}
	for i := range at {
		a.Steps[i].Mark = MarkDone
	}
	a.Steps[at].Mark = MarkCurrent
	return a
}

func lastOf(releases []v1alpha1.Release, unit v1alpha1.UnitStatus) *Release {
	for _, r := range newestFirst(releases) {
		if r.Name == unit.ActiveRelease || r.Name == unit.LiveRelease {
			return nil
		}
		if EndedBadly(&r) {
			out := releaseOf(&r)
			return &out
		}
	}
	return nil
}

// EndedBadly reports whether a release ended without users staying on it.
func EndedBadly(r *v1alpha1.Release) bool {
	if r.Status.Ended == nil {
		return false
	}
	switch r.Status.Ended.Outcome {
	case v1alpha1.OutcomeFailed, v1alpha1.OutcomeAborted, v1alpha1.OutcomeSuperseded, v1alpha1.OutcomeRolledBack:
		return true
	case v1alpha1.OutcomeLive, v1alpha1.OutcomeReplaced:
		return false
	}
	return false
}

func queuedOf(releases []v1alpha1.Release, unit v1alpha1.UnitStatus) []Release {
	var out []Release
	for _, r := range newestFirst(releases) {
		if r.Status.Ended == nil && r.Name != unit.ActiveRelease && r.Name != unit.LiveRelease {
			out = append(out, releaseOf(&r))
		}
	}
	slices.Reverse(out)
	return out
}

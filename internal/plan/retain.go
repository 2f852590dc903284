package plan

import (
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// watch makes a Release for a new commit that changes what the stack is rendered from, or for a new tag. A revision that
// was released before, whatever became of it, is not released again by itself.
func (p *planner) watch() bool {
	src := p.s.Source
	if src == nil || src.Problem != nil || p.suspended() {
		return true
	}
	switch p.s.Stack.Spec.Start.When {
	case v1alpha1.StartCommit:
		p.watchCommit(src)
	case v1alpha1.StartTag:
		p.watchTag(src)
	case v1alpha1.StartManual:
	}
	return true
}

func (p *planner) watchCommit(src *SourceFacts) {
	if p.st.Source != nil && p.st.Source.Inputs == src.Inputs {
		p.st.Source.Commit = src.Commit
		return
	}
	spec := v1alpha1.ReleaseSpec{Stack: p.s.Stack.Name, Revision: src.Commit}
	if p.liveInputs(src.Inputs) || p.make(spec, "commit "+Because(src.Commit)+" changes the stack") {
		p.st.Source = &v1alpha1.SourceStatus{Commit: src.Commit, Inputs: src.Inputs, Release: ReleaseName(spec)}
	}
}

func (p *planner) watchTag(src *SourceFacts) {
	if src.Tag == "" || p.st.Source != nil && p.st.Source.Tag == src.Tag {
		return
	}
	spec := v1alpha1.ReleaseSpec{Stack: p.s.Stack.Name, Revision: src.Tag, Slot: src.Slot}
	if p.make(spec, "tag "+Because(src.Tag)+" is the newest") {
		p.st.Source = &v1alpha1.SourceStatus{Commit: src.Commit, Tag: src.Tag, Release: ReleaseName(spec)}
	}
}

// make makes a Release, and returns whether there is one.
func (p *planner) make(spec v1alpha1.ReleaseSpec, because Because) bool {
	name := ReleaseName(spec)
	if p.release(name) != nil {
		return true
	}
	p.do(CreateRelease{Name: name, Spec: spec, Because: because})
	return false
}

// liveInputs is whether the live release was rendered from the same inputs.
func (p *planner) liveInputs(inputs string) bool {
	r := p.release(p.u.LiveRelease)
	return r != nil && r.Status.Started != nil && r.Status.Started.Inputs == inputs
}

// retain deletes ended Releases beyond the history limit, oldest first.
func (p *planner) retain() bool {
	var ended []*v1alpha1.Release
	for i := range p.s.Releases {
		r := &p.s.Releases[i]
		if r.Status.Ended != nil && r.Status.Ended.Outcome != v1alpha1.OutcomeLive && r.DeletionTimestamp == nil && !p.needed(r) {
			ended = append(ended, r)
		}
	}
	slices.SortFunc(ended, func(a, b *v1alpha1.Release) int { return b.Status.Ended.At.Compare(a.Status.Ended.At.Time) })
	for i, r := range ended {
		if i >= int(p.s.Stack.Spec.HistoryLimit) {
			p.do(DeleteRelease{Release: ref(r), Because: "it is beyond the history limit"})
		}
	}
	return true
}

// asked is whether a Decision about the release waits for its answer, which nobody could give once it is gone.
func (p *planner) asked(release string) bool {
	return slices.ContainsFunc(p.s.Decisions, func(d v1alpha1.Decision) bool { return d.Spec.Release == release })
}

// needed is whether something still refers to the release.
func (p *planner) needed(r *v1alpha1.Release) bool {
	if r.Name == p.u.ActiveRelease || r.Name == p.u.LiveRelease || p.holds(r.Name) || p.asked(r.Name) {
		return true
	}
	if p.st.Source != nil && p.st.Source.Release == r.Name {
		return true
	}
	for i := range p.s.Releases {
		if other := &p.s.Releases[i]; other.Spec.RollbackOf == r.Name && other.Status.Started == nil && other.Status.Ended == nil {
			return true
		}
	}
	return false
}

package observe

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// remembered is what a pass knows of releases and Decisions by watching. It shares memory with the cache, and is only read.
type remembered struct {
	// releases are the Stack's.
	releases []v1alpha1.Release
	// open are the Decisions of the namespace that nobody has answered.
	open []v1alpha1.Decision
	// noReleases and noDecisions are why these are not known.
	noReleases, noDecisions error
}

func (p *pass) remember(ctx context.Context) remembered {
	if p.Watched == nil {
		return remembered{}
	}
	var releases v1alpha1.ReleaseList
	var decisions v1alpha1.DecisionList
	r := remembered{
		noReleases:  p.Watched.List(ctx, &releases, client.InNamespace(p.stack.Namespace), client.UnsafeDisableDeepCopy),
		noDecisions: p.Watched.List(ctx, &decisions, client.InNamespace(p.stack.Namespace), client.UnsafeDisableDeepCopy),
	}
	r.releases = releasesOf(p.stack.Name, releases.Items)
	for _, d := range decisions.Items {
		if d.Status.Result == "" {
			r.open = append(r.open, d)
		}
	}
	return r
}

// goingBack is whether someone has decided to roll back: a release may have been made for it a moment ago.
func (r *remembered) goingBack() bool {
	return r.noDecisions != nil || slices.ContainsFunc(r.open, func(d v1alpha1.Decision) bool { return d.Spec.Verb == v1alpha1.VerbRollback })
}

// openAbout are the names of open Decisions about some releases, and about those that are watched. One about another release is
// none of the Stack's business; one about a release that was not seen yet is looked at when that is.
func (r *remembered) openAbout(releases []string) []string {
	var names []string
	for _, d := range r.open {
		known := func(o v1alpha1.Release) bool { return o.Name == d.Spec.Release }
		if slices.Contains(releases, d.Spec.Release) || slices.ContainsFunc(r.releases, known) {
			names = append(names, d.Name)
		}
	}
	return names
}

// spokenOf are the releases that are, or may be, in a slot by what the Stack's status says.
func spokenOf(stack *v1alpha1.Stack) []string {
	var names []string
	for _, unit := range stack.Status.Units {
		names = append(names, unit.ActiveRelease, unit.LiveRelease)
	}
	for _, slot := range stack.Status.Slots {
		names = append(names, slot.Release)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

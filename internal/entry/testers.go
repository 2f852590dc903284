package entry

import (
	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Specs are what a Stack writes: its entries in the team's order, and after them the HTTPRoutes that are made for the
// hostnames of previews, which no user comes in through.
func Specs(stack *v1alpha1.Stack) []Spec {
	var all, testers []Spec
	for _, e := range stack.Spec.Entries {
		s := Spec{Entry: e, Slots: stack.Spec.Slots}
		s.Stack.Namespace, s.Stack.Name = stack.Namespace, stack.Name
		all = append(all, s)
		if e.HTTPRoute != nil && e.Preview != nil && e.Preview.Hostname != "" {
			testers = append(testers, s.testersRoute())
		}
	}
	return append(all, testers...)
}

// testersRoute is made beside an HTTPRoute: hostnames stand over all of its rules, so that a hostname for testers alone
// needs an object of its own.
func (s Spec) testersRoute() Spec {
	p := s.Entry.Preview
	parents := p.ParentRefs
	if len(parents) == 0 {
		parents = s.Entry.HTTPRoute.ParentRefs
	}
	out := s
	out.Testers, out.Between = true, p.BetweenReleases
	out.Entry = v1alpha1.Entry{
		Name:            s.Entry.Name + v1alpha1.TestersSuffix,
		Backend:         s.Entry.Backend,
		RequireEvidence: s.Entry.RequireEvidence,
		HTTPRoute: &v1alpha1.HTTPRouteEntry{
			Name: s.Key().Name + v1alpha1.TestersSuffix, Namespace: s.Key().Namespace, ParentRefs: parents, Hostnames: []string{p.Hostname},
		},
	}
	return out
}

// meant is what an intent means for this route: the one for testers sends them to the preview, or where
// betweenReleases says.
func (s Spec) meant(intent v1alpha1.RouteIntent) v1alpha1.RouteIntent {
	if !s.Testers {
		return intent
	}
	slot := intent.Preview
	if slot == "" && s.Between != v1alpha1.BetweenNone {
		slot = intent.Live
	}
	return v1alpha1.RouteIntent{Epoch: intent.Epoch, Live: slot}
}

// asTesters tells of a route for testers what others tell of their preview: no user comes in through it.
func asTesters(s Spec, o Observed) Observed {
	o.Preview = o.Live()
	o.Weights, o.Consistent = s.none(), true
	return o
}

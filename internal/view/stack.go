package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Stack makes the Model of a Stack.
func Stack(in Input) *Model {
	unit := unitOf(&in.Stack)
	m := &Model{
		offer: offered(&in.Stack),
		Name:  in.Stack.Name, Namespace: in.Stack.Namespace, Now: metav1.NewTime(in.Now),
		Ready:    stateOf(in.Stack.Status.Conditions, v1alpha1.ConditionReady),
		LiveSlot: unit.LiveSlot, LiveRelease: unit.LiveRelease,
		Waiting: waitingOf(&in.Stack, unit),
		Active:  activeOf(in.Releases, unit),
	}
	m.Slots = slotsOf(in)
	m.Entries = entriesOf(&in.Stack, unit)
	m.Window = windowOf(unit)
	m.Last = lastOf(in.Releases, unit)
	m.Queued = queuedOf(in.Releases, unit)
	m.Undecided = undecidedOf(in.Decisions)
	m.Ready = beforeTheFirst(m)
	m.Problems = problemsOf(in, m)
	m.Commands = commandsOf(in, m, unit)
	return m
}

// windowOf is how far apart several entries were written when users were last moved.
func windowOf(unit v1alpha1.UnitStatus) *Window {
	w := unit.Window
	if w == nil {
		return nil
	}
	return &Window{Live: w.Live, Since: w.Since, Milliseconds: w.Milliseconds}
}

// unitOf is the first unit: there is one, until a dependency may cut it.
func unitOf(s *v1alpha1.Stack) v1alpha1.UnitStatus {
	if len(s.Status.Units) == 0 {
		return v1alpha1.UnitStatus{}
	}
	return s.Status.Units[0]
}

func stateOf(conditions []metav1.Condition, kind string) State {
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil {
		return State{Status: string(metav1.ConditionUnknown), Message: "the controller has not looked at this Stack yet"}
	}
	return State{Status: string(c.Status), Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime}
}

func waitingOf(s *v1alpha1.Stack, unit v1alpha1.UnitStatus) *Waiting {
	if step := unit.Step; step != nil && step.WaitingFor != "" {
		since := step.Since
		if step.WaitingSince != nil {
			since = *step.WaitingSince
		}
		return &Waiting{Reason: step.Reason, Message: step.WaitingFor, Since: since}
	}
	if c := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionStalled); c != nil && c.Status == metav1.ConditionTrue {
		return &Waiting{Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime}
	}
	return startsNot(s, unit)
}

// startsNot is why no release starts. Since when is not known: the condition's time is that of its status.
func startsNot(s *v1alpha1.Stack, unit v1alpha1.UnitStatus) *Waiting {
	c := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionProgressing)
	if c == nil || unit.ActiveRelease != "" {
		return nil
	}
	switch c.Reason {
	case v1alpha1.ReasonIdle, v1alpha1.ReasonProgressing, v1alpha1.ReasonWatchFailed:
		return nil
	}
	return &Waiting{Reason: c.Reason, Message: c.Message}
}

// beforeTheFirst is Ready, which tells to make a release where none is live, though one may wait to start.
func beforeTheFirst(m *Model) State {
	ready := m.Ready
	if ready.Reason == v1alpha1.ReasonNothingReleased && m.Active == nil && len(m.Queued) > 0 {
		ready.Message = "the first release, " + m.Queued[0].Name + ", has not started yet"
	}
	return ready
}

func entriesOf(s *v1alpha1.Stack, unit v1alpha1.UnitStatus) []Entry {
	out := make([]Entry, 0, len(s.Spec.Entries))
	for _, spec := range withTesters(s.Spec.Entries) {
		e := Entry{Name: spec.Name}
		e.Route, e.Adopted = routeOf(s, spec)
		e.Require = spec.RequireEvidence
		if i := slices.IndexFunc(unit.Entries, func(st v1alpha1.EntryStatus) bool { return st.Name == spec.Name }); i >= 0 {
			st := unit.Entries[i]
			e.Weights, e.Evidence, e.Epoch, e.Message = st.Weights, st.Evidence, st.ObservedEpoch, st.Message
		}
		if unit.Route != nil {
			e.IntendedEpoch = unit.Route.Epoch
		}
		if unit.Route != nil && spec.Preview != nil {
			e.PreviewSlot, e.PreviewBy = unit.Route.Preview, previewBy(spec.Preview)
		}
		out = append(out, e)
	}
	return out
}

// withTesters adds the routes that are made for the hostnames of previews.
func withTesters(entries []v1alpha1.Entry) []v1alpha1.Entry {
	all := slices.Clone(entries)
	for _, e := range entries {
		if e.HTTPRoute != nil && e.Preview != nil && e.Preview.Hostname != "" {
			route := *e.HTTPRoute
			route.ParentRefs = append(e.Preview.ParentRefs, route.ParentRefs...)
			if route.Name != "" {
				route.Name += v1alpha1.TestersSuffix
			}
			all = append(all, v1alpha1.Entry{Name: e.Name + v1alpha1.TestersSuffix, HTTPRoute: &route, RequireEvidence: e.RequireEvidence})
		}
	}
	return all
}

func routeOf(s *v1alpha1.Stack, e v1alpha1.Entry) (route string, adopted bool) {
	kind, namespace, name := "Route", "", ""
	switch {
	case e.VirtualService != nil:
		kind, namespace, name = "VirtualService", e.VirtualService.Namespace, e.VirtualService.Name
		adopted = e.VirtualService.Adopted()
	case e.HTTPRoute != nil:
		kind, namespace, name = "HTTPRoute", e.HTTPRoute.Namespace, e.HTTPRoute.Name
		adopted = e.HTTPRoute.Adopted()
	case e.Service != nil:
		kind, namespace, name = "Service", e.Service.Namespace, e.Service.Name
		adopted = e.Service.Adopt
	}
	return fmt.Sprintf("%s %s/%s", kind, cmp.Or(namespace, s.Namespace), cmp.Or(name, s.Name+"-"+e.Name)), adopted
}

func previewBy(p *v1alpha1.Preview) string {
	var ways []string
	if p.Header != nil {
		ways = append(ways, "header "+p.Header.Name+": "+p.Header.Value)
	}
	if p.Cookie != nil {
		ways = append(ways, "cookie "+p.Cookie.Name+"="+p.Cookie.Value)
	}
	if p.Hostname != "" {
		ways = append(ways, "hostname "+p.Hostname)
	}
	return strings.Join(ways, " or ")
}

func undecidedOf(all []v1alpha1.Decision) []Decision {
	var out []Decision
	for _, d := range all {
		if d.Status.Result == "" {
			out = append(out, Decision{Name: d.Name, Verb: d.Spec.Verb, Release: d.Spec.Release, By: d.Spec.By, At: d.CreationTimestamp})
		}
	}
	slices.SortFunc(out, func(a, b Decision) int { return cmp.Or(a.At.Compare(b.At.Time), strings.Compare(a.Name, b.Name)) })
	return out
}

package world

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Observe reads everything at once.
func (w *World) Observe() plan.Snapshot {
	s := w.ReadStack()
	for _, read := range w.Readings() {
		read(w, &s)
	}
	leaveUnknown(&s)
	return s
}

// ReadStack begins a Snapshot, with room for all that is read after the Stack. It shares with the world what is replaced
// there, and never changed: statuses, Releases, Decisions.
func (w *World) ReadStack() plan.Snapshot {
	stack := w.Stack
	return plan.Snapshot{
		Stack:   stack,
		Slots:   make([]plan.Slot, len(stack.Spec.Slots)),
		Entries: make([]plan.Entry, len(w.Routes)),
	}
}

// Reading reads a part of a Snapshot. It holds on to no world, so that it can be done in a fork of the one that it was
// made for.
type Reading func(*World, *plan.Snapshot)

// Readings are the parts of a Snapshot, each read by itself, in any order, after the Stack.
func (w *World) Readings() []Reading {
	all := []Reading{(*World).readReleases, (*World).readDecisions, (*World).readTurn}
	for i := range w.Stack.Spec.Slots {
		all = append(all,
			reading(i, func(w *World, _ v1alpha1.Stack, out *plan.Slot, n *Namespace) { w.readNamespace(out, n) }),
			reading(i, (*World).readWorkloads),
			reading(i, func(w *World, _ v1alpha1.Stack, out *plan.Slot, n *Namespace) { w.readPods(out, n) }),
			reading(i, func(w *World, _ v1alpha1.Stack, out *plan.Slot, n *Namespace) { w.readServices(out, n) }),
			reading(i, (*World).prove),
		)
	}
	for i := range w.Routes {
		all = append(all, func(w *World, s *plan.Snapshot) { s.Entries[i] = w.readEntry(s.Stack, i) })
	}
	return all
}

// reading of a part of the slot, which says why it could not be done.
func reading(slot int, read func(*World, v1alpha1.Stack, *plan.Slot, *Namespace)) Reading {
	return func(w *World, s *plan.Snapshot) {
		out, n := &s.Slots[slot], w.Namespace(s.Stack.Spec.Slots[slot].Name)
		out.Name, out.Namespace = n.Slot, n.Name
		if n.Hidden {
			out.Problem = &plan.Problem{Reason: v1alpha1.ReasonForbidden, Message: "slot " + n.Slot + " (namespace " + n.Name + ") cannot be read"}
			return
		}
		read(w, s.Stack, out, n)
	}
}

func (w *World) readReleases(s *plan.Snapshot) {
	s.Content = map[string]bool{}
	for _, r := range w.Releases {
		s.Releases = append(s.Releases, *r)
		if r.Status.Started != nil {
			s.Content[r.Name] = w.Content[r.Name]
		}
	}
	if w.Source != nil {
		source := *w.Source
		s.Source = &source
	}
}

func (w *World) readDecisions(s *plan.Snapshot) {
	if w.Policy != nil {
		since := *w.Policy
		s.Policy = &since
	}
	for _, d := range w.Decisions {
		if d.Status.Result == "" {
			s.Decisions = append(s.Decisions, *d)
		}
	}
}

// leaveUnknown leaves Decisions out that are about a release which was not read: it was made meanwhile, and brings a pass.
func leaveUnknown(s *plan.Snapshot) {
	s.Decisions = slices.DeleteFunc(slices.Clone(s.Decisions), func(d v1alpha1.Decision) bool {
		return !slices.ContainsFunc(s.Releases, func(r v1alpha1.Release) bool { return r.Name == d.Spec.Release })
	})
}

func (w *World) readNamespace(out *plan.Slot, n *Namespace) {
	out.Exists, out.Terminating, out.Consented, out.Bound = n.Exists, n.Terminating, n.Consented, n.Bound
	out.Creatable = strings.HasPrefix(n.Name, w.Stack.Namespace+"-")
}

func (w *World) readWorkloads(stack v1alpha1.Stack, out *plan.Slot, n *Namespace) {
	for _, x := range n.Workloads {
		if !x.Labelled && !w.memberNamed(x.Name) {
			continue
		}
		out.Workloads = append(out.Workloads, plan.Workload{
			Kind: x.Kind, Name: x.Name, Release: x.Release, Epoch: x.Epoch, Replicas: x.Replicas,
			Ready: x.settled(), Problem: w.trouble(n, x), Autoscaler: n.autoscalerOf(x.Name),
		})
		if x.Edited && idleOn(stack, n.Slot) {
			out.Drift = x.Kind + "/" + x.Name + " was changed by hand"
		}
	}
}

// prove tells which release the slot runs as it was frozen, with every Service answering.
func (w *World) prove(stack v1alpha1.Stack, out *plan.Slot, n *Namespace) {
	if !w.Proves || len(stack.Status.Units) == 0 {
		return
	}
	r := w.Release(stack.Status.Units[0].ActiveRelease)
	if r == nil || r.Status.Started == nil || stack.Status.Units[0].ActiveSlot != n.Slot {
		return
	}
	ref := plan.ReleaseRef{Name: r.Name, UID: r.UID}
	if w.dial(plan.DialServices{Release: ref, Slot: n.Slot}).Refused == nil && w.verify(plan.VerifyContent{Release: ref, Slot: n.Slot}).Refused == nil {
		out.Proven = r.UID
	}
}

func idleOn(stack v1alpha1.Stack, slot string) bool {
	units := stack.Status.Units
	return len(units) > 0 && units[0].ActiveRelease == "" && units[0].LiveSlot == slot
}

func (x *Workload) settled() bool {
	return x.Replicas > 0 && (x.Kind == cronJob || x.observed == x.generation && x.ready)
}

// memberNamed is whether any release has such a member.
func (w *World) memberNamed(name string) bool {
	for _, r := range w.Releases {
		if r.Status.Started == nil {
			continue
		}
		if slices.ContainsFunc(r.Status.Started.Members, func(m v1alpha1.ReleaseMember) bool { return m.Name == name }) {
			return true
		}
	}
	return false
}

func (w *World) trouble(n *Namespace, x *Workload) *plan.Problem {
	for _, p := range n.Pods {
		if p.Member == x.Name && p.Release == x.Release && !p.Ready && !p.Terminating && w.runs(x.Release).Unpullable[x.Name] {
			return &plan.Problem{Reason: v1alpha1.ReasonImagePull, Message: "Pod " + p.Name + ": image of " + x.Name + " cannot be pulled"}
		}
	}
	return nil
}

func (w *World) readPods(out *plan.Slot, n *Namespace) {
	for _, p := range n.Pods {
		x := n.Workload(p.Member)
		ours := p.Release != "" || (x != nil && (x.Labelled || w.memberNamed(x.Name)))
		if ours || w.behindEntry(n, p) {
			out.Pods = append(out.Pods, plan.Pod{Name: p.Name, Member: p.Member, Release: p.Release, Terminating: p.Terminating, Due: p.due, Node: "node-1"})
		}
	}
}

func (w *World) behindEntry(n *Namespace, p *Pod) bool {
	for _, e := range w.Stack.Spec.Entries {
		if s := n.Service(e.Backend.Service); s != nil && s.selects(p) {
			return true
		}
	}
	return false
}

func (w *World) readServices(out *plan.Slot, n *Namespace) {
	for _, s := range n.Services {
		facts := plan.Service{Name: s.Name, Release: s.Release, Ports: []int32{80}}
		for _, name := range s.Endpoints {
			if p := n.Pod(name); p != nil && (s.Release == "" || p.Release == s.Release) {
				facts.Endpoints++
			}
		}
		out.Services = append(out.Services, facts)
	}
}

func (w *World) readEntry(stack v1alpha1.Stack, i int) plan.Entry {
	spec, r := specOf(stack, w.Routes[i]), w.Routes[i]
	e := plan.Entry{
		Name: r.Entry, Testers: r.Testers, Adopted: r.Adopted, Preview: spec.Preview != nil && !r.Testers, Require: spec.RequireEvidence,
		Service: spec.Backend.Service, Port: spec.Backend.Port,
	}
	if !r.Exists {
		e.Problem = w.missing(r)
		return e
	}
	e.Exists, e.ResourceVersion, e.Epoch = true, strconv.FormatInt(r.version, 10), r.Epoch
	e.Weights, e.PreviewSlot = slices.Clone(r.Weights), r.Preview
	e.Accepted = r.accepted == r.generation
	e.Served = w.served(r)
	if r.By != "lockstep" && r.By != "" {
		e.EditedBy = []string{r.By}
	}
	if w.Unroutable[r.Entry] {
		e.Problem = &plan.Problem{Reason: v1alpha1.ReasonGatewayMissing, Message: "the gateway of entry " + r.Entry + " does not exist"}
	}
	if len(stack.Status.Units) > 0 && stack.Status.Units[0].Route != nil {
		e.AsIntended = r.says(*stack.Status.Units[0].Route)
		if !e.AsIntended {
			e.Differs = "users are sent to " + shares(r.Weights)
		}
	}
	return e
}

// specOf is the entry that a route belongs to.
func specOf(stack v1alpha1.Stack, r *Route) v1alpha1.Entry {
	name := r.Entry
	if r.Testers {
		name = strings.TrimSuffix(name, v1alpha1.TestersSuffix)
	}
	for _, e := range stack.Spec.Entries {
		if e.Name == name {
			return e
		}
	}
	return v1alpha1.Entry{Name: r.Entry}
}

func (w *World) missing(r *Route) *plan.Problem {
	if !r.Adopted {
		return nil
	}
	return &plan.Problem{Reason: v1alpha1.ReasonEntryMissing, Message: "the route of entry " + r.Entry + " does not exist, and is adopted by name; create it"}
}

// served is whether every gateway replica answers with the epoch of the route.
func (w *World) served(r *Route) bool {
	for _, g := range w.Gateways {
		if taken := g.Routes[r.Entry]; !taken.Exists || taken.Epoch != r.Epoch {
			return false
		}
	}
	return true
}

// says is whether the route says what the intent says.
func (r *Route) says(intent v1alpha1.RouteIntent) bool {
	return r.Epoch == intent.Epoch && r.Preview == r.shown(intent) && slices.Equal(r.Weights, r.wanted(intent))
}

// shown is where testers are sent.
func (r *Route) shown(intent v1alpha1.RouteIntent) string {
	if r.Testers && intent.Preview == "" {
		return intent.Live
	}
	return intent.Preview
}

func (r *Route) wanted(intent v1alpha1.RouteIntent) []v1alpha1.SlotWeight {
	if r.Testers {
		return nil
	}
	if intent.Live == "" {
		return r.Origin
	}
	return []v1alpha1.SlotWeight{{Slot: intent.Live, Weight: 100}}
}

func shares(weights []v1alpha1.SlotWeight) string {
	var parts []string
	for _, w := range weights {
		parts = append(parts, w.Slot+" "+strconv.Itoa(int(w.Weight))+"%")
	}
	if len(parts) == 0 {
		return "no slot"
	}
	return strings.Join(parts, ", ")
}

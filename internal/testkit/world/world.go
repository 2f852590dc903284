package world

import (
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Start is when every world begins.
var Start = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// World is everything outside the planner.
type World struct {
	Now   time.Time
	Stack v1alpha1.Stack
	// Releases and Decisions in the order in which they were made.
	Releases  []*v1alpha1.Release
	Decisions []*v1alpha1.Decision
	Policy    *time.Time
	Content   map[string]bool
	// Repo is what each revision renders to; Default is for all others.
	Repo       map[string]Manifest
	Default    Manifest
	Source     *plan.SourceFacts
	Namespaces []*Namespace
	Routes     []*Route
	Gateways   []*Gateway
	// Lease of the queue group, and who of another Stack waits for it longer than anyone here.
	Lease          Lease
	NeighbourWaits string
	// RouterRefuses is whether the router accepts no change of a route.
	RouterRefuses bool
	// Refuses are the entries whose routes, and the members that, admission lets nobody write.
	Refuses map[string]bool
	// Unroutable are the entries whose gateway is gone, so that their routes can be read and not be written.
	Unroutable map[string]bool
	// NodesLag is whether the nodes do not follow the endpoints of Services.
	NodesLag bool
	// EndpointsLag is whether the endpoints of Services do not follow their Pods.
	EndpointsLag bool
	// Proves is whether readings of a slot tell that it runs what was frozen, and answers.
	Proves bool
	// PodsLinger is whether Pods that are told to end go on.
	PodsLinger bool
	// Log keeps every write, for those who watch over promises.
	Log []Write

	versions int64
	decided  int
	// watched counts the changes that a watch would tell of.
	watched int64
	// disturbed counts what the world does to a slot that no one could foresee.
	disturbed int64
	// said is the Stack's status as it was last written down for a fingerprint.
	said *said
	// left is when users could last be sent to a slot.
	left map[string]time.Time
}

// Namespace is the place of a slot.
type Namespace struct {
	Name        string
	Slot        string
	Exists      bool
	Terminating bool
	Consented   bool
	Bound       bool
	Workloads   []*Workload
	Pods        []*Pod
	Services    []*Service
	Autoscalers []*Autoscaler
	// Hidden is whether nobody may read what is in it.
	Hidden bool
	// Hurt is whether the world, or someone's hand, has harmed what runs here since it was last whole.
	Hurt bool
}

// Workload is a Deployment or a CronJob.
type Workload struct {
	Kind, Name string
	// Release that the template is stamped with, and Labelled whether Lockstep applied it.
	Release  string
	Labelled bool
	Epoch    int64
	Replicas int32
	// Edited is whether someone has changed the template by hand.
	Edited  bool
	version int64
	// generation of the spec, and the one that the controller has seen, with what it found then.
	generation, observed int64
	ready                bool
	// struck is when a CronJob last made a Pod.
	struck time.Time
}

// Pod of a workload.
type Pod struct {
	Name, Kind, Member, Release string
	Ready, Terminating, Broken  bool
	// due is when a Pod that is told to end is to be gone.
	due time.Time
}

// Service selects the Pods of a member, of one release where it is stamped.
type Service struct {
	Name, Member, Release string
	Epoch                 int64
	Endpoints             []string
	// reached are the endpoints that nodes send callers to: those of a moment ago.
	reached []string
}

// Route is what an entry's route says.
type Route struct {
	Entry string
	// Testers is whether the route is made for the hostname of a preview: it has no users, and a Preview always.
	Testers bool
	Exists  bool
	Adopted bool
	Epoch   int64
	Weights []v1alpha1.SlotWeight
	Preview string
	Origin  []v1alpha1.SlotWeight
	// By is who wrote it last, and MovedBy who changed last where users are sent.
	By, MovedBy string
	version     int64
	generation  int64
	accepted    int64
}

// Gateway is one replica, with the routes as it has taken them.
type Gateway struct {
	Name   string
	Routes map[string]Route
}

// Write is one entry of the log.
type Write struct {
	At     time.Time
	Who    string
	Action plan.Action
	// Effect says what came of it: written, nothing, or why it was refused.
	Effect string
	// Saw is what the writer had read when it planned this.
	Saw *plan.Snapshot
	// Disturbed is whether the world harmed something between the writer's reading and this write.
	Disturbed bool
	// Route and workload before and after, where one was written.
	RouteBefore, RouteAfter       *Route
	WorkloadBefore, WorkloadAfter *Workload
	// Status before and after, where it was saved.
	StatusBefore, StatusAfter *v1alpha1.StackStatus
}

// New makes a world for a Stack with its defaults filled in, in which nothing exists yet but adopted routes' places.
func New(stack v1alpha1.Stack) *World {
	policy := Start.Add(-time.Hour)
	w := &World{
		Now: Start, Stack: stack, Policy: &policy, Content: map[string]bool{}, Repo: map[string]Manifest{}, Default: Shop(),
		Gateways: []*Gateway{{Name: "gateway-1", Routes: map[string]Route{}}, {Name: "gateway-2", Routes: map[string]Route{}}},
		left:     map[string]time.Time{},
	}
	w.Stack.ResourceVersion = w.nextVersion()
	w.Stack.Generation = 1
	for _, s := range stack.Spec.Slots {
		w.Namespaces = append(w.Namespaces, &Namespace{Name: s.Namespace, Slot: s.Name})
	}
	for _, e := range stack.Spec.Entries {
		w.Routes = append(w.Routes, &Route{Entry: e.Name})
	}
	for _, e := range stack.Spec.Entries {
		if e.Preview != nil && e.Preview.Hostname != "" {
			w.Routes = append(w.Routes, &Route{Entry: e.Name + v1alpha1.TestersSuffix, Testers: true})
		}
	}
	return w
}

func (w *World) nextVersion() string {
	w.versions++
	return strconv.FormatInt(w.versions, 10)
}

func (w *World) nextNumber() int64 {
	w.versions++
	return w.versions
}

func (w *World) changed() { w.watched++ }

// Watched grows with every change that a watch would tell of.
func (w *World) Watched() int64 { return w.watched }

// Pass lets time go by.
func (w *World) Pass(d time.Duration) { w.Now = w.Now.Add(d) }

// MakeRelease creates a Release, as people and pipelines do.
func (w *World) MakeRelease(name string, spec v1alpha1.ReleaseSpec) *v1alpha1.Release {
	if r := w.Release(name); r != nil {
		return r
	}
	r := &v1alpha1.Release{Spec: spec}
	r.Name, r.Namespace, r.UID = name, w.Stack.Namespace, types.UID("uid-"+w.nextVersion())
	r.Spec.Stack = w.Stack.Name
	r.CreationTimestamp = metav1.NewTime(w.Now.Truncate(time.Second))
	w.Releases = append(w.Releases, r)
	w.changed()
	return r
}

// Decide creates a Decision.
func (w *World) Decide(spec v1alpha1.DecisionSpec) *v1alpha1.Decision {
	d := &v1alpha1.Decision{Spec: spec}
	w.decided++
	d.Name, d.UID = fmt.Sprintf("decision-%d", w.decided), types.UID("uid-"+w.nextVersion())
	d.CreationTimestamp = metav1.NewTime(w.Now.Truncate(time.Second))
	w.Decisions = append(w.Decisions, d)
	w.changed()
	return d
}

// Release by name; nil where there is none.
func (w *World) Release(name string) *v1alpha1.Release {
	for _, r := range w.Releases {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Namespace of a slot.
func (w *World) Namespace(slot string) *Namespace {
	for _, n := range w.Namespaces {
		if n.Slot == slot {
			return n
		}
	}
	return nil
}

// Route of an entry.
func (w *World) Route(entry string) *Route {
	for _, r := range w.Routes {
		if r.Entry == entry {
			return r
		}
	}
	return nil
}

// Workload by name; nil where there is none.
func (n *Namespace) Workload(name string) *Workload {
	for _, w := range n.Workloads {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// Service by name; nil where there is none.
func (n *Namespace) Service(name string) *Service {
	for _, s := range n.Services {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Pod by name; nil where there is none.
func (n *Namespace) Pod(name string) *Pod {
	for _, p := range n.Pods {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Sends is whether the route gives the slot any users.
func (r *Route) Sends(slot string) bool {
	for _, w := range r.Weights {
		if w.Slot == slot && w.Weight > 0 {
			return r.Exists
		}
	}
	return false
}

func (s *Service) selects(p *Pod) bool {
	return s.Member == p.Member && (s.Release == "" || s.Release == p.Release)
}

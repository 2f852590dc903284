package plan

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// UnitAll is the one unit of a stack whose members all switch together.
const UnitAll = "all"

// Snapshot is everything that the next plan depends on, read after the Stack's status was.
type Snapshot struct {
	// Stack with its spec (defaults filled in) and its last saved status.
	Stack v1alpha1.Stack
	// Releases of the Stack, in any order.
	Releases []v1alpha1.Release
	// Decisions about Releases of the Stack that carry no result yet, in any order.
	Decisions []v1alpha1.Decision
	// Policy says since when the admission policy for Decisions has been in force; nil where it is missing or altered.
	Policy *time.Time
	// Slots are the facts of each slot in the spec, in its order.
	Slots []Slot
	// Entries are the facts of each entry in the spec, in its order.
	Entries []Entry
	// Content says, by the name of a started Release, whether its frozen content can be read.
	Content map[string]bool
	// Results came in since the status was last saved.
	Results []v1alpha1.Observation
	// Turn is whose turn it is in the Stack's queue group; nil where it is in none.
	Turn *Turn
	// Source is the newest commit of a watched source; nil where none was read yet.
	Source *SourceFacts
}

// Turn is what was seen of a queue group.
type Turn struct {
	Group string
	// Problem says why it could not be read; the other facts mean nothing then.
	Problem *Problem
	// Mine is whether this Stack has the turn: for Release, since the intent of Epoch.
	Mine    bool
	Release types.UID
	Epoch   int64
	// Holder is who else has the turn, for people; empty where nobody has it, or whoever has it is done with it.
	Holder string
	// Ahead is who else waits for the turn and has done so for longer, for people.
	Ahead string
	// ResourceVersion that a write must carry; empty where nobody ever had the turn.
	ResourceVersion string
}

// SourceFacts is the newest commit of a watched source.
type SourceFacts struct {
	Commit string
	Inputs string
	// Tag that points at the commit, and the Slot that it names, where tags start releases; empty where there is none.
	Tag  string
	Slot string
	// Asked is the annotation lockstep.dev/reconcile-at that the source was read for.
	Asked string
	// Problem says why the source could not be read.
	Problem *Problem
}

// Problem is what is wrong, and what to do.
type Problem struct {
	Reason  string
	Message string
}

// Slot is what was seen in a slot's namespace.
type Slot struct {
	Name      string
	Namespace string
	// Exists is whether there is such a namespace.
	Exists bool
	// Terminating is whether it is being deleted.
	Terminating bool
	// Consented is whether its labels name this Stack.
	Consented bool
	// Creatable is whether the controller may make it.
	Creatable bool
	// Bound is whether the Stack's ServiceAccount may work in it.
	Bound bool
	// Problem is why the slot could not be read; the other facts mean nothing then.
	Problem *Problem
	// Workloads of members: ours by label, and others of a member's kind and name.
	Workloads []Workload
	// Pods of members and behind their Services, terminating ones included.
	Pods []Pod
	// Services in the namespace that select members, or that an entry needs.
	Services []Service
	// Proven is the Release that the slot was seen to run, byte for byte as it was frozen and with every Service answering,
	// in this very reading; empty where that was not looked at, or is not so.
	Proven types.UID
	// Drift is how the live workloads differ from the frozen content, in a sentence; empty where they do not, or it was
	// not looked at.
	Drift string
}

// Workload is a Deployment, StatefulSet, DaemonSet, Job or CronJob.
type Workload struct {
	Kind string
	Name string
	// Release that its Pod template is stamped with; empty where Lockstep did not apply it.
	Release string
	// Epoch that it was last written for.
	Epoch int64
	// Replicas that it is meant to have; 0 for a suspended Job or CronJob, 1 for one that is not.
	Replicas int32
	// Ready is whether it has rolled out at its generation (kstatus Current) with every replica ready.
	Ready bool
	// Problem is what stands in its way: an image that cannot be pulled, a Pod that crashes.
	Problem *Problem
	// Autoscaler that changes its replicas; nil where none does.
	Autoscaler *Autoscaler
}

// Autoscaler is the HorizontalPodAutoscaler of a workload.
type Autoscaler struct {
	Name     string
	Min, Max int32
	// Epoch that its minimum was last written for.
	Epoch int64
	// Held is whether Lockstep holds the minimum; else it is the team's.
	Held bool
	// Problem is why it cannot scale, Since when; empty where it can.
	Problem string
	Since   time.Time
}

// Pod of a member.
type Pod struct {
	Name    string
	Member  string
	Release string
	// Terminating Pods can still answer: they are here until they no longer exist.
	Terminating bool
	// Due is when a terminating Pod was to be gone: its grace period is over then.
	Due time.Time
	// Finalizers keep a terminating Pod from going.
	Finalizers []string
	// Node that it runs on.
	Node string
}

// Service in a slot.
type Service struct {
	Name string
	// Release that its selector is stamped with.
	Release string
	// Ports that it offers.
	Ports []int32
	// Endpoints that are ready and are Pods of Release (of any, where Release is empty).
	Endpoints int32
}

// Entry is what was seen of an entry's route.
type Entry struct {
	Name    string
	Exists  bool
	Adopted bool
	// Testers is whether only testers come in here: a route of its own for a preview's hostname.
	Testers bool
	// Preview is whether the entry has a preview.
	Preview bool
	// Problem is why the entry cannot be read or written: claimed by another Stack, router or gateway missing, …
	Problem *Problem
	// ResourceVersion that a write must carry.
	ResourceVersion string
	// Route is the whole of it as it was read, for whoever writes it; nil where there is none. Nothing is planned by it.
	Route map[string]any
	// Granted are the namespaces whose ReferenceGrants let the route in, for whoever writes it. Nothing is planned by it.
	Granted []string
	// Epoch that the route carries; 0 where Lockstep never wrote it.
	Epoch int64
	// Weights in percent, of slots that get any.
	Weights []v1alpha1.SlotWeight
	// PreviewSlot that testers are sent to.
	PreviewSlot string
	// AsIntended is whether the route says what the saved intent says; Differs says how it does not.
	AsIntended bool
	Differs    string
	// EditedBy are the field managers, other than Lockstep, that wrote the route's spec.
	EditedBy []string
	// Accepted is whether the control plane accepts the route at its generation.
	Accepted bool
	// Served is whether every ready endpoint of the gateway answers with Epoch.
	Served bool
	// Message says what stands in the way of more evidence.
	Message string
	// Require is the evidence that the Stack asks of this entry.
	Require v1alpha1.Evidence
	// Service and Port are the entry's backend in each slot.
	Service string
	Port    int32
}

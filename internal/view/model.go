package view

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Input is everything that a Model is made of.
type Input struct {
	Stack     v1alpha1.Stack
	Releases  []v1alpha1.Release
	Decisions []v1alpha1.Decision
	// Objects of each slot, by its name; a slot that was not read is missing.
	Objects map[string]SlotObjects
	// Namespace that the reader's commands go to when they name none; empty where that is not known.
	Namespace string
	Now       time.Time
}

// SlotObjects is what runs in a slot's namespace.
type SlotObjects struct {
	Deployments  []appsv1.Deployment
	StatefulSets []appsv1.StatefulSet
	DaemonSets   []appsv1.DaemonSet
	CronJobs     []batchv1.CronJob
	Jobs         []batchv1.Job
	Pods         []corev1.Pod
	// Problem says why they could not be read.
	Problem string
}

// Model is what people see of a Stack.
type Model struct {
	Name        string      `json:"name"`
	Namespace   string      `json:"namespace"`
	Now         metav1.Time `json:"now"`
	Ready       State       `json:"ready"`
	LiveSlot    string      `json:"liveSlot,omitempty"`
	LiveRelease string      `json:"liveRelease,omitempty"`
	// Waiting is what Lockstep waits for; nil where it waits for nothing.
	Waiting  *Waiting  `json:"waiting,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
	Slots    []Slot    `json:"slots"`
	Entries  []Entry   `json:"entries"`
	// Window is how far apart several entries were written when users were last moved; nil where there is one entry.
	Window *Window `json:"window,omitempty"`
	Active *Active `json:"active,omitempty"`
	// Last is the newest release, where it ended without users on it.
	Last   *Release  `json:"last,omitempty"`
	Queued []Release `json:"queued,omitempty"`
	// Undecided are Decisions that the controller has not answered.
	Undecided []Decision `json:"undecided,omitempty"`
	// Commands are what the reader may want to do next, the likeliest first.
	Commands []Command `json:"commands,omitempty"`

	// offer is what a release that names no revision is for.
	offer string
}

// State is a condition in short.
type State struct {
	Status  string      `json:"status"`
	Reason  string      `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
	Since   metav1.Time `json:"since,omitzero"`
}

// Waiting is what Lockstep waits for, and since when.
type Waiting struct {
	Reason  string      `json:"reason,omitempty"`
	Message string      `json:"message"`
	Since   metav1.Time `json:"since,omitzero"`
}

// Problem is something that is not as it should be.
type Problem struct {
	About   string      `json:"about"`
	Reason  string      `json:"reason,omitempty"`
	Message string      `json:"message"`
	Since   metav1.Time `json:"since,omitzero"`
}

// Slot is a slot and what it holds.
type Slot struct {
	Name      string             `json:"name"`
	Namespace string             `json:"namespace,omitempty"`
	State     v1alpha1.SlotState `json:"state,omitempty"`
	Release   string             `json:"release,omitempty"`
	Commit    string             `json:"commit,omitempty"`
	Proof     v1alpha1.Proof     `json:"proof,omitempty"`
	Since     metav1.Time        `json:"since,omitzero"`
	Reason    string             `json:"reason,omitempty"`
	Message   string             `json:"message,omitempty"`
	// Problem says why the slot's members could not be read.
	Problem string   `json:"problem,omitempty"`
	Members []Member `json:"members,omitempty"`
}

// Member is a workload in a slot.
type Member struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Role    v1alpha1.Role `json:"role"`
	Images  []string      `json:"images,omitempty"`
	Ready   int32         `json:"ready"`
	Desired int32         `json:"desired"`
	// Found is whether the workload was seen in the slot's namespace.
	Found bool `json:"found"`
	// Asleep: a Worker, or a CronJob, outside the live slot.
	Asleep bool `json:"asleep,omitempty"`
	// Waits: applied as its release is deployed, and at zero until what it depends on is ready.
	Waits bool `json:"waits,omitempty"`
	// Untested: a Worker of a release that never was live, of which only a dry run is known.
	Untested bool   `json:"untested,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

// Window is the time in which some entries sent users to a slot, and others did not yet.
type Window struct {
	Live  string           `json:"live,omitempty"`
	Since metav1.MicroTime `json:"since"`
	// Milliseconds is nil as long as an entry is not written.
	Milliseconds *int64 `json:"milliseconds,omitempty"`
}

// Entry is a way in for users.
type Entry struct {
	Name string `json:"name"`
	// Require is the evidence that the Stack asks for.
	Require v1alpha1.Evidence `json:"require,omitempty"`
	// Route is the kind, namespace and name of the route.
	Route    string                `json:"route"`
	Adopted  bool                  `json:"adopted"`
	Weights  []v1alpha1.SlotWeight `json:"weights,omitempty"`
	Evidence v1alpha1.Evidence     `json:"evidence,omitempty"`
	Epoch    int64                 `json:"epoch,omitempty"`
	// IntendedEpoch is the epoch that the route should carry.
	IntendedEpoch int64  `json:"intendedEpoch,omitempty"`
	PreviewSlot   string `json:"previewSlot,omitempty"`
	// PreviewBy is how testers reach the preview.
	PreviewBy string `json:"previewBy,omitempty"`
	Message   string `json:"message,omitempty"`
}

// Active is the release that is being taken through its steps.
type Active struct {
	Release
	Slot    string            `json:"slot,omitempty"`
	Kind    v1alpha1.StepKind `json:"kind,omitempty"`
	Attempt int32             `json:"attempt,omitempty"`
	Since   metav1.Time       `json:"since,omitzero"`
	Steps   []Step            `json:"steps"`
}

// Mark says how far a step is.
type Mark string

// How far a step is.
const (
	MarkDone    Mark = "Done"
	MarkCurrent Mark = "Current"
	MarkNext    Mark = "Next"
	// MarkLeft is a step that an abort or a rollback leaves undone.
	MarkLeft Mark = "Left"
)

// Step of the active release.
type Step struct {
	Kind v1alpha1.StepKind `json:"kind"`
	Name string            `json:"name,omitempty"`
	Mark Mark              `json:"mark"`
}

// Release is a release in short.
type Release struct {
	Name     string           `json:"name"`
	Revision string           `json:"revision,omitempty"`
	Commit   string           `json:"commit,omitempty"`
	Of       string           `json:"rollbackOf,omitempty"`
	Images   []string         `json:"imageOverrides,omitempty"`
	Created  metav1.Time      `json:"created"`
	Started  *metav1.Time     `json:"started,omitempty"`
	Ended    *metav1.Time     `json:"ended,omitempty"`
	Outcome  v1alpha1.Outcome `json:"outcome,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Message  string           `json:"message,omitempty"`
	EndSlot  string           `json:"endSlot,omitempty"`
}

// Decision is a Decision in short.
type Decision struct {
	Name    string        `json:"name"`
	Verb    v1alpha1.Verb `json:"verb"`
	Release string        `json:"release"`
	By      string        `json:"by"`
	At      metav1.Time   `json:"at"`
}

// Command is something that the reader may want to do next.
type Command struct {
	Line string `json:"line"`
	Why  string `json:"why"`
}

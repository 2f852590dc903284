package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Evidence is how sure Lockstep is that an entry's route is in force.
type Evidence string

// How sure Lockstep is that an entry's route is in force, in growing order.
const (
	// EvidenceNone: the route does not carry the current epoch.
	EvidenceNone Evidence = "None"
	// EvidenceWritten: the API server holds the route at the current epoch.
	EvidenceWritten Evidence = "Written"
	// EvidenceAccepted: the control plane accepts the route at its generation.
	EvidenceAccepted Evidence = "Accepted"
	// EvidenceServed: every ready endpoint of the gateway answers with the current epoch.
	EvidenceServed Evidence = "Served"
)

// SlotState is what a slot is used for.
// +kubebuilder:validation:Enum=Live;Preview;Warm;Draining;Retiring;Idle
type SlotState string

// What a slot is used for.
const (
	// SlotLive: users are on it.
	SlotLive SlotState = "Live"
	// SlotPreview: a release is being prepared in it.
	SlotPreview SlotState = "Preview"
	// SlotWarm: the previous live one, ready to go back to.
	SlotWarm SlotState = "Warm"
	// SlotDraining: no new traffic reaches it; what is in flight may finish.
	SlotDraining SlotState = "Draining"
	// SlotRetiring: it is being scaled to zero.
	SlotRetiring SlotState = "Retiring"
	// SlotIdle: nothing of this stack runs in it.
	SlotIdle SlotState = "Idle"
)

// Proof is how sure Lockstep is of what a slot runs.
// +kubebuilder:validation:Enum=Stamped;Recorded
type Proof string

// How sure Lockstep is of what a slot runs.
const (
	// ProofStamped: applied by Lockstep; the release stands on pod templates and in Service selectors.
	ProofStamped Proof = "Stamped"
	// ProofRecorded: found there; the slot is known by what the entries point at, and by the ReplicaSets that ran then.
	ProofRecorded Proof = "Recorded"
)

// StackStatus is the only working status of Lockstep: what it last observed, and what it intends next.
type StackStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready, Reconciling, Stalled, Progressing, EntriesInForce.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// units are the groups of members that must switch together; one, named all, for now.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Units []UnitStatus `json:"units,omitempty"`
	// slots is what each slot is used for.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Slots []SlotStatus `json:"slots,omitempty"`
	// lastHandledReconcileAt is the annotation lockstep.dev/reconcile-at that was last answered, by a look at everything
	// and, where a source is watched, at the source.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`
	// source is the newest commit that the watcher has seen.
	// +optional
	Source *SourceStatus `json:"source,omitempty"`
}

// SourceStatus is the newest commit that the watcher has seen.
type SourceStatus struct {
	// commit is its hash.
	// +optional
	Commit string `json:"commit,omitempty"`
	// tag that points at it, where tags start releases.
	// +optional
	Tag string `json:"tag,omitempty"`
	// inputs is a hash of the trees of the path and of its file:// dependencies at that commit.
	// +optional
	Inputs string `json:"inputs,omitempty"`
	// release is the Release that was made for these inputs.
	// +optional
	Release string `json:"release,omitempty"`
}

// UnitStatus is the state of a group of members that switch together.
type UnitStatus struct {
	// name of the unit.
	Name string `json:"name"`
	// epoch is the fencing token of the current intent; it grows with each.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// liveSlot is the slot that users are on, as last proven.
	// +optional
	LiveSlot string `json:"liveSlot,omitempty"`
	// liveRelease is the Release that users are on; empty where it was found and not released by Lockstep.
	// +optional
	LiveRelease string `json:"liveRelease,omitempty"`
	// route is where the entries are meant to point, at the epoch given there.
	// +optional
	Route *RouteIntent `json:"route,omitempty"`
	// activeRelease is the Release that is being taken through its steps.
	// +optional
	ActiveRelease string `json:"activeRelease,omitempty"`
	// activeSlot is the slot that the active release is deployed to.
	// +optional
	ActiveSlot string `json:"activeSlot,omitempty"`
	// step of the active release, or the way back (Abort, Rollback).
	// +optional
	Step *StepStatus `json:"step,omitempty"`
	// turn is what the Stack wants of its queue group.
	// +optional
	Turn *TurnIntent `json:"turn,omitempty"`
	// entries is what is known of each entry, and of each HTTPRoute that is made for a preview's hostname.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Entries []EntryStatus `json:"entries,omitempty"`
	// window is how far apart several entries were written when users were last moved.
	// +optional
	Window *SwitchWindow `json:"window,omitempty"`
	// observations are results that belong to the step and attempt that they name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Observations []Observation `json:"observations,omitempty"`
	// decisions are the Decisions that were last acted upon or refused.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Decisions []DecisionRecord `json:"decisions,omitempty"`
}

// TurnIntent is what a Stack wants of its queue group.
type TurnIntent struct {
	// epoch that the group's Lease carries once this intent is written.
	Epoch int64 `json:"epoch"`
	// releaseUID is the Release that is to have the turn; empty to give the turn back.
	// +optional
	ReleaseUID types.UID `json:"releaseUID,omitempty"`
}

// SwitchWindow is the time in which some entries sent users to the new slot, and others still to the old one.
type SwitchWindow struct {
	// epoch of the intent that moved users.
	Epoch int64 `json:"epoch"`
	// live is the slot that users were moved to.
	// +optional
	Live string `json:"live,omitempty"`
	// since is when the intent was made; no entry was written earlier.
	Since metav1.MicroTime `json:"since"`
	// first is when the first entry was written; since, where the process that wrote it died.
	// +optional
	First *metav1.MicroTime `json:"first,omitempty"`
	// last is when the last entry was written; when it was first seen written, where the process that wrote it died.
	// +optional
	Last *metav1.MicroTime `json:"last,omitempty"`
	// milliseconds from first to last, rounded up; absent as long as an entry is not written.
	// +optional
	Milliseconds *int64 `json:"milliseconds,omitempty"`
}

// RouteIntent is where the entries are meant to point.
type RouteIntent struct {
	// epoch that the routes carry once this intent is written.
	Epoch int64 `json:"epoch"`
	// live is the slot that users are sent to; empty to go back to the route's origin.
	// +optional
	Live string `json:"live,omitempty"`
	// preview is the slot that testers are sent to; empty where nothing is previewed.
	// +optional
	Preview string `json:"preview,omitempty"`
}

// StepKind is a kind of step.
type StepKind string

// The steps of a release, and the ways back.
const (
	// StepRender fetches and renders the source, once per slot, and freezes the result.
	StepRender StepKind = "Render"
	// StepDeploy applies the content to the slot.
	StepDeploy StepKind = "Deploy"
	// StepCheck waits until every member is ready at the released revision.
	StepCheck StepKind = "Check"
	// StepHold waits for a person or a pipeline to promote.
	StepHold StepKind = "Hold"
	// StepSwitch scales to the live size, moves users and hands workers over.
	StepSwitch StepKind = "Switch"
	// StepKeep keeps the previous slot warm.
	StepKeep StepKind = "Keep"
	// StepDrain lets what is in flight at the previous slot finish.
	StepDrain StepKind = "Drain"
	// StepRetire scales the previous slot to zero.
	StepRetire StepKind = "Retire"
	// StepAbort takes users and workers back to the live slot, from any step.
	StepAbort StepKind = "Abort"
	// StepRollback takes users and workers from the live slot to the kept one.
	StepRollback StepKind = "Rollback"
)

// StepStatus is where the active release is, and what it waits for.
type StepStatus struct {
	// kind of the step.
	Kind StepKind `json:"kind"`
	// attempt grows when a step is done again for the same release.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// since is when the step began.
	// +optional
	Since metav1.Time `json:"since,omitempty"`
	// reason is a word for what the step waits for.
	// +optional
	Reason string `json:"reason,omitempty"`
	// waitingFor says in a sentence what the step waits for, and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	WaitingFor string `json:"waitingFor,omitempty"`
	// waitingSince is when it began to wait for this.
	// +optional
	WaitingSince *metav1.Time `json:"waitingSince,omitempty"`
	// outcome that the release has when a way back (Abort, Rollback) is done.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`
	// outcomeReason and outcomeMessage say why.
	// +optional
	OutcomeReason string `json:"outcomeReason,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	OutcomeMessage string `json:"outcomeMessage,omitempty"`
}

// SlotWeight is the share of users that an entry sends to a slot.
type SlotWeight struct {
	// slot that users are sent to.
	Slot string `json:"slot"`
	// weight in percent.
	Weight int32 `json:"weight"`
}

// EntryStatus is what is known of an entry.
type EntryStatus struct {
	// name of the entry.
	Name string `json:"name"`
	// weights that the route gives to each slot, as last read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Weights []SlotWeight `json:"weights,omitempty"`
	// evidence that the current intent is in force.
	// +optional
	// +kubebuilder:validation:Enum=None;Written;Accepted;Served
	Evidence Evidence `json:"evidence,omitempty"`
	// observedEpoch is the epoch that the route carried when it was last read.
	// +optional
	ObservedEpoch int64 `json:"observedEpoch,omitempty"`
	// message says what stands in the way of more evidence.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
}

// SlotStatus is what a slot is used for.
type SlotStatus struct {
	// name of the slot.
	Name string `json:"name"`
	// namespace of the slot.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// state of the slot.
	// +optional
	State SlotState `json:"state,omitempty"`
	// release that the slot holds, or held last.
	// +optional
	Release string `json:"release,omitempty"`
	// proof of what it runs.
	// +optional
	Proof Proof `json:"proof,omitempty"`
	// since is when the slot came to this state.
	// +optional
	Since metav1.Time `json:"since,omitempty"`
	// leftAt is when the last entry stopped sending new traffic to it.
	// +optional
	LeftAt *metav1.Time `json:"leftAt,omitempty"`
	// epoch of the intent that the slot's workloads were last written for.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// replicas that each member of a kept slot was scaled down to; absent while the slot has its full size.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// reason is a word for what the slot waits for.
	// +optional
	Reason string `json:"reason,omitempty"`
	// message says in a sentence what the slot waits for.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
}

// Observation is the result of something that ran for a step.
type Observation struct {
	// key names what was observed: render, preflight, drift, …
	Key string `json:"key"`
	// release that it was observed for.
	// +optional
	Release types.UID `json:"release,omitempty"`
	// step that it belongs to.
	// +optional
	Step StepKind `json:"step,omitempty"`
	// attempt of the step that it belongs to.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
	// ok is whether it went well.
	OK bool `json:"ok"`
	// reason is a word for what went wrong.
	// +optional
	Reason string `json:"reason,omitempty"`
	// message says what went wrong, where, and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
	// at is when it was observed.
	// +optional
	At metav1.Time `json:"at,omitempty"`
}

// DecisionRecord remembers what became of a Decision.
type DecisionRecord struct {
	// name of the Decision.
	Name string `json:"name"`
	// uid of the Decision.
	UID types.UID `json:"uid"`
	// result of the Decision.
	Result DecisionResult `json:"result"`
	// message says why.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

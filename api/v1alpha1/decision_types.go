package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Decision is what a person or a pipeline said about a release. It can only be created; the ValidatingAdmissionPolicy
// that ships with Lockstep makes sure that `by` is the caller, and that the caller has the verb.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=lockstep
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.spec.release`
// +kubebuilder:printcolumn:name="Verb",type=string,JSONPath=`.spec.verb`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.by`
// +kubebuilder:printcolumn:name="Result",type=string,JSONPath=`.status.result`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
// +genclient
type Decision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what was said.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Decision cannot be changed; make another one"
	Spec DecisionSpec `json:"spec"`
	// status is what became of it.
	// +optional
	Status DecisionStatus `json:"status,omitempty"`
}

// DecisionList is a list of Decisions.
//
// +kubebuilder:object:root=true
type DecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Decision `json:"items"`
}

// Verb is what was said about a release. In lower case it is the verb on releases.lockstep.dev that the caller needs.
// +kubebuilder:validation:Enum=Promote;Abort;Rollback;Retire
type Verb string

// What can be said about a release.
const (
	// VerbPromote lets a release that is at its hold go on.
	VerbPromote Verb = "Promote"
	// VerbAbort ends a release that is not live yet; users and workers go back to where they were.
	VerbAbort Verb = "Abort"
	// VerbRollback leaves the live release for the previous one.
	VerbRollback Verb = "Rollback"
	// VerbRetire gives up a slot that is kept warm.
	VerbRetire Verb = "Retire"
)

// DecisionSpec is what was said.
//
// +kubebuilder:validation:XValidation:rule="!has(self.to) || self.verb == 'Rollback'",message="only a Rollback goes to another release: remove to"
// +kubebuilder:validation:XValidation:rule="self.verb != 'Promote' || (has(self.step) && has(self.attempt) && has(self.digest))",message="a promote is bound to what was seen: give step, attempt and digest (kubectl lockstep promote does)"
type DecisionSpec struct {
	// release that it is about, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Release string `json:"release"`
	// releaseUID is the uid of that Release, so that a later one of the same name is not meant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ReleaseUID string `json:"releaseUID"`
	// verb is what is said: Promote, Abort, Rollback or Retire.
	// +required
	Verb Verb `json:"verb"`
	// by is the user name of the caller, as the API server knows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	By string `json:"by"`
	// step that the release was seen at, where the verb is Promote.
	// +optional
	Step StepKind `json:"step,omitempty"`
	// attempt of that step.
	// +optional
	// +kubebuilder:validation:Minimum=1
	Attempt int32 `json:"attempt,omitempty"`
	// digest of the release (status.started.digest) that was seen.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`
	// to is the release to go back to, where the verb is Rollback. Default: the one that users were on before.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	To string `json:"to,omitempty"`
	// reason is why, in the words of whoever decided.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}

// DecisionResult is what became of a Decision.
// +kubebuilder:validation:Enum=Accepted;Refused
type DecisionResult string

// What became of a Decision.
const (
	// DecisionAccepted: it is, or was, carried out.
	DecisionAccepted DecisionResult = "Accepted"
	// DecisionRefused: it was not carried out; the message says why.
	DecisionRefused DecisionResult = "Refused"
)

// DecisionStatus is what became of a Decision.
type DecisionStatus struct {
	// result is Accepted or Refused.
	// +optional
	Result DecisionResult `json:"result,omitempty"`
	// message says why.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// at is when.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Release is one version of the whole stack. Its spec is immutable.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=lockstep
// +kubebuilder:printcolumn:name="Stack",type=string,JSONPath=`.spec.stack`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Commit",type=string,JSONPath=`.status.started.commit`,priority=1
// +kubebuilder:printcolumn:name="Outcome",type=string,JSONPath=`.status.ended.outcome`
// +kubebuilder:printcolumn:name="Slot",type=string,JSONPath=`.status.ended.slot`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.ended.reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +genclient
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which version, of which stack.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release cannot be changed; make another one (kubectl lockstep release)"
	Spec ReleaseSpec `json:"spec"`
	// status is written when the release starts, and when it ends.
	// +optional
	Status ReleaseStatus `json:"status,omitempty"`
}

// ReleaseList is a list of Releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}

// ReleaseSpec says which version, of which stack.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rollbackOf) || (!has(self.images) && !has(self.revision))",message="a rollback takes the frozen content of the release that it names: remove revision and images"
type ReleaseSpec struct {
	// stack is the name of the Stack, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stack string `json:"stack"`
	// revision is the branch, tag or commit to release. Default: the Stack's source.git.ref. For inline objects it is the
	// hash of them, or nothing: the release fails where the Stack no longer holds what the hash is of.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Revision string `json:"revision,omitempty"`
	// images replace the images of members, whatever the manifests say.
	// +optional
	// +listType=map
	// +listMapKey=member
	// +kubebuilder:validation:MaxItems=100
	Images []ImageOverride `json:"images,omitempty"`
	// slot that it is deployed to. A release that names the live slot is refused. Default: a free one.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	Slot string `json:"slot,omitempty"`
	// retry tells one try of the same revision and images from another.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Retry int32 `json:"retry,omitempty"`
	// rollbackOf names the Release whose frozen content is deployed again.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	RollbackOf string `json:"rollbackOf,omitempty"`
}

// ImageOverride replaces the image of a member's container.
type ImageOverride struct {
	// member whose image is replaced.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Member string `json:"member"`
	// container of the member. Default: its only one, or the one of the member's name.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container,omitempty"`
	// image to run.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image"`
}

// ReleaseStatus is written when the release starts, and when it ends; each part once.
type ReleaseStatus struct {
	// started is what was frozen when the release started.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="what was frozen when the release started cannot be changed"
	Started *ReleaseStarted `json:"started,omitempty"`
	// ended says how the release ended, or that it went live. A live release that is rolled back is ended again.
	// +optional
	Ended *ReleaseEnded `json:"ended,omitempty"`
}

// ReleaseStarted is what was frozen when the release started.
type ReleaseStarted struct {
	// at is when it started.
	At metav1.Time `json:"at"`
	// commit that was rendered; none for inline objects.
	// +optional
	Commit string `json:"commit,omitempty"`
	// inputs is a hash of the trees of the path and of what it depends on outside, or of the inline objects.
	// +optional
	Inputs string `json:"inputs,omitempty"`
	// digest of everything that makes this release: inputs, overrides, renderer, and each slot's manifests. A promote is bound to it.
	Digest string `json:"digest"`
	// stepsSchema is the version of the list of steps.
	StepsSchema int32 `json:"stepsSchema"`
	// steps that the release goes through.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Steps []Step `json:"steps"`
	// members that were found in the manifests.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=200
	Members []ReleaseMember `json:"members"`
	// content is where the frozen manifests of each slot are kept.
	// +listType=map
	// +listMapKey=slot
	// +kubebuilder:validation:MaxItems=16
	Content []SlotContent `json:"content"`
}

// Step of a release.
type Step struct {
	// kind of the step.
	Kind StepKind `json:"kind"`
	// name of the step, where there may be several of a kind.
	// +optional
	Name string `json:"name,omitempty"`
	// deadline after which the step has failed. Default: none.
	// +optional
	Deadline *metav1.Duration `json:"deadline,omitempty"`
}

// ReleaseMember is a workload that was found in the manifests.
type ReleaseMember struct {
	// name of the workload.
	Name string `json:"name"`
	// kind of the workload: Deployment, StatefulSet, DaemonSet, CronJob, Job.
	Kind string `json:"kind"`
	// role of the member.
	Role Role `json:"role"`
	// replicas that the manifests ask for.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// autoscaler of the workload, as the manifests ask for it.
	// +optional
	Autoscaler *ReleaseAutoscaler `json:"autoscaler,omitempty"`
	// images of its containers.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Images []string `json:"images,omitempty"`
	// services that select its Pods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Services []string `json:"services,omitempty"`
	// dependsOn lists members that must be ready before it runs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	DependsOn []string `json:"dependsOn,omitempty"`
}

// ReleaseAutoscaler is the HorizontalPodAutoscaler of a member.
type ReleaseAutoscaler struct {
	// name of the HorizontalPodAutoscaler.
	Name string `json:"name"`
	// minReplicas that the manifests ask for.
	MinReplicas int32 `json:"minReplicas"`
	// maxReplicas that the manifests ask for.
	MaxReplicas int32 `json:"maxReplicas"`
}

// SlotContent is where the frozen manifests of a slot are kept.
type SlotContent struct {
	// slot that they were rendered for.
	Slot string `json:"slot"`
	// digest of the canonical manifests, without replicas.
	Digest string `json:"digest"`
	// secrets, in order, in the controller's namespace, that hold the compressed manifests.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Secrets []string `json:"secrets"`
}

// Outcome is how a release ended.
// +kubebuilder:validation:Enum=Live;Failed;Aborted;Superseded;RolledBack;Replaced
type Outcome string

// How a release ended.
const (
	// OutcomeLive: users are on it.
	OutcomeLive Outcome = "Live"
	// OutcomeFailed: a step failed or passed its deadline; users stayed where they were.
	OutcomeFailed Outcome = "Failed"
	// OutcomeAborted: someone ended it before it went live.
	OutcomeAborted Outcome = "Aborted"
	// OutcomeSuperseded: a newer release took its place before it went live.
	OutcomeSuperseded Outcome = "Superseded"
	// OutcomeRolledBack: it was live, and users were taken back from it.
	OutcomeRolledBack Outcome = "RolledBack"
	// OutcomeReplaced: it was live until a newer release took its place.
	OutcomeReplaced Outcome = "Replaced"
)

// ReleaseEnded says how a release ended.
type ReleaseEnded struct {
	// outcome of the release.
	Outcome Outcome `json:"outcome"`
	// reason is a word for why.
	// +optional
	Reason string `json:"reason,omitempty"`
	// message says why, and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
	// slot that it was deployed to.
	// +optional
	Slot string `json:"slot,omitempty"`
	// at is when.
	At metav1.Time `json:"at"`
}

package v1alpha1

// Labels on everything that Lockstep applies, pod templates and Services included. On a Namespace the first two are its
// consent to be a slot of that Stack.
const (
	LabelStack          = "lockstep.dev/stack"
	LabelStackNamespace = "lockstep.dev/stack-namespace"
	LabelSlot           = "lockstep.dev/slot"
	LabelRelease        = "lockstep.dev/release"
	// LabelContent marks the Secrets that hold frozen content.
	LabelContent = "lockstep.dev/content"
	// LabelQueueGroup is on the Lease that says whose turn it is in a queue group.
	LabelQueueGroup = "lockstep.dev/queue-group"
	// LabelMember names the member that a workload is, and that its Pods belong to.
	LabelMember = "lockstep.dev/member"
)

// Annotations.
const (
	// AnnotationEpoch is the fencing token on routes and workloads: it grows with every new intent, so that the late
	// write of an older one fails on its resourceVersion.
	AnnotationEpoch = "lockstep.dev/epoch"
	// AnnotationOwner names the Stack, as namespace/name, that a route belongs to.
	AnnotationOwner = "lockstep.dev/owner"
	// AnnotationOrigin keeps, on an adopted route, the destinations that it had before Lockstep first wrote it.
	AnnotationOrigin = "lockstep.dev/origin"
	// AnnotationReleaseUID is on the Lease of a queue group: for which Release its holder has the turn.
	AnnotationReleaseUID = "lockstep.dev/release-uid"
	// AnnotationMinimumHeld is on a HorizontalPodAutoscaler of which Lockstep holds the minimum; without it the minimum is
	// the team's.
	AnnotationMinimumHeld = "lockstep.dev/minimum-held"
	// AnnotationReconcileAt on a Stack asks for a look at everything now; its value is any text that was not there before.
	AnnotationReconcileAt = "lockstep.dev/reconcile-at"
)

// Field managers.
const (
	// ManagerContent owns what was rendered.
	ManagerContent = "lockstep"
	// ManagerScale owns replicas, suspension and epochs of workloads, and the minimums of HorizontalPodAutoscalers.
	ManagerScale = "lockstep-scale"
	// ManagerEntry writes routes.
	ManagerEntry = "lockstep-entry"
	// ManagerStatus writes the status of Lockstep's own kinds.
	ManagerStatus = "lockstep-status"
)

// DefaultServiceAccount is the ServiceAccount as which content and routes are touched, and the only name that the
// controller may impersonate out of the box.
const DefaultServiceAccount = "lockstep-releaser"

// ReleaserClusterRole is the ClusterRole that the controller may bind in the slot namespaces that it makes.
const ReleaserClusterRole = "lockstep-releaser"

// DecisionPolicy is the name of the ValidatingAdmissionPolicy (and of its binding) that makes Decisions trustworthy.
const DecisionPolicy = "decisions.lockstep.dev"

// StepsSchema is the version of the step list that this build writes into Releases.
const StepsSchema = 1

package v1alpha1

// Condition types of a Stack. Ready, Reconciling and Stalled follow kstatus.
const (
	// ConditionReady: users are on a proven release, and nothing is wrong.
	ConditionReady = "Ready"
	// ConditionReconciling: Lockstep is working on it.
	ConditionReconciling = "Reconciling"
	// ConditionStalled: Lockstep cannot go on until someone changes something.
	ConditionStalled = "Stalled"
	// ConditionProgressing: a release is active.
	ConditionProgressing = "Progressing"
	// ConditionEntriesInForce: every entry's route is in force as intended.
	ConditionEntriesInForce = "EntriesInForce"
	// ConditionLiveAsReleased: the live slot runs the frozen content.
	ConditionLiveAsReleased = "LiveAsReleased"
)

// Reasons of conditions, steps, slots, outcomes and events. Documented in docs/operations.md, each with what to do.
const (
	ReasonLive              = "Live"
	ReasonNothingReleased   = "NothingReleased"
	ReasonProgressing       = "Progressing"
	ReasonIdle              = "Idle"
	ReasonInForce           = "InForce"
	ReasonAsReleased        = "AsReleased"
	ReasonSucceeded         = "Succeeded"
	ReasonRendering         = "Rendering"
	ReasonDeploying         = "Deploying"
	ReasonAwaitingPromotion = "AwaitingPromotion"
	ReasonAborted           = "Aborted"
	ReasonSuperseded        = "Superseded"
	ReasonRolledBack        = "RolledBack"
	ReasonReplaced          = "Replaced"

	// Waiting.
	ReasonWaitingForSlot   = "WaitingForSlot"
	ReasonMemberNotReady   = "MemberNotReady"
	ReasonNoEndpoints      = "NoEndpoints"
	ReasonDependencyWait   = "WaitingForDependency"
	ReasonScaling          = "Scaling"
	ReasonWritingEntries   = "WritingEntries"
	ReasonRouteNotAccepted = "RouteNotAccepted"
	ReasonRouteNotServed   = "RouteNotServed"
	ReasonWorkerHandover   = "WorkerHandover"
	ReasonWorkerNotReady   = "WorkerNotReady"
	ReasonKeeping          = "Keeping"
	ReasonDraining         = "Draining"
	ReasonDrainDeadline    = "DrainDeadline"
	ReasonRetiring         = "Retiring"
	ReasonSlotNotEmpty     = "SlotNotEmpty"
	ReasonCheckingContent  = "CheckingContent"
	ReasonDialing          = "Dialing"
	ReasonServiceSilent    = "ServiceSilent"
	ReasonServiceUnasked   = "ServiceUnasked"
	ReasonPreflight        = "Preflight"
	ReasonUnknownStep      = "UnknownStep"
	ReasonContentDrifted   = "ContentDrifted"
	ReasonLiveDrifted      = "LiveDrifted"
	ReasonLiveUnknown      = "LiveUnknown"
	ReasonLiveNotReady     = "LiveNotReady"
	ReasonEntryMissing     = "EntryMissing"
	ReasonEntryEdited      = "EntryEdited"
	ReasonEntryClaimed     = "EntryClaimed"
	ReasonEntryInvalid     = "EntryInvalid"
	ReasonEntryRefused     = "EntryRefused"
	ReasonSlotUnreadable   = "SlotUnreadable"
	ReasonEntryUnreadable  = "EntryUnreadable"
	ReasonRouterMissing    = "RouterMissing"
	ReasonGatewayMissing   = "GatewayMissing"
	ReasonBackendMissing   = "BackendMissing"
	ReasonPolicyMissing    = "PolicyMissing"
	ReasonStackMissing     = "StackMissing"
	ReasonInvalidSpec      = "InvalidSpec"
	ReasonSlotGone         = "SlotGone"
	ReasonContentMissing   = "ContentMissing"
	ReasonWatchFailed      = "WatchFailed"
	ReasonDecisionRefused  = "DecisionRefused"
	ReasonDecisionAccepted = "DecisionAccepted"
	ReasonTakenOver        = "TakenOver"

	// Source and rendering.
	ReasonRepoUnreachable   = "RepoUnreachable"
	ReasonAuthFailed        = "AuthenticationFailed"
	ReasonRevisionMissing   = "RevisionMissing"
	ReasonPathMissing       = "PathMissing"
	ReasonOutsideCheckout   = "OutsideCheckout"
	ReasonRenderFailed      = "RenderFailed"
	ReasonRenderTimeout     = "RenderTimeout"
	ReasonValuesMissing     = "ValuesFileMissing"
	ReasonDependencyMissing = "ChartDependencyMissing"
	ReasonContentTooLarge   = "ContentTooLarge"
	ReasonSecretMissing     = "SecretMissing"

	// Classification of rendered content.
	ReasonNoWorkload         = "NoWorkload"
	ReasonClusterScoped      = "ClusterScoped"
	ReasonForeignNamespace   = "ForeignNamespace"
	ReasonExposesSlot        = "ExposesSlot"
	ReasonHelmHook           = "HelmHook"
	ReasonVolume             = "Volume"
	ReasonCrossSlotReference = "CrossSlotReference"
	ReasonDependencyCycle    = "DependencyCycle"
	ReasonUnknownMember      = "UnknownMember"
	ReasonDuplicateObject    = "DuplicateObject"
	ReasonUnsupportedKind    = "UnsupportedKind"

	// Deploying.
	ReasonNamespaceNoConsent    = "NamespaceNotConsented"
	ReasonNamespaceMissing      = "NamespaceMissing"
	ReasonNamespaceTerminating  = "NamespaceTerminating"
	ReasonServiceAccountMissing = "ServiceAccountMissing"
	ReasonForbidden             = "Forbidden"
	ReasonAdmissionRefused      = "AdmissionRefused"
	ReasonQuotaExceeded         = "QuotaExceeded"
	ReasonReferenceMissing      = "ReferenceMissing"
	ReasonImagePull             = "ImagePullFailed"
	ReasonCrashing              = "Crashing"
)

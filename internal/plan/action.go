package plan

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Plan is what to do next.
type Plan struct {
	// Status to save before any action is carried out.
	Status v1alpha1.StackStatus
	// Actions are independent of each other, and each can be repeated; but of WriteEntry none is begun before the one that
	// precedes it in the list was carried out.
	Actions []Action
	// Wake is when to look again though nothing changed; zero for never.
	Wake time.Time
}

// Action is an effect, as plain data.
type Action interface {
	// Verb names the action in a word.
	Verb() string
	// Object names what it acts upon, for people.
	Object() string
	// Why says in a few words why it is done.
	Why() string
}

// Because is the reason that every action carries.
type Because string

// Why says in a few words why it is done.
func (b Because) Why() string { return string(b) }

// ReleaseRef names a Release for certain.
type ReleaseRef struct {
	Name string
	UID  types.UID
}

// RenderRelease fetches and renders the source for every slot, freezes the content, and records it in the Release's
// status. Its result is the observation "render".
type RenderRelease struct {
	Because
	Release ReleaseRef
	Attempt int32
	Steps   []v1alpha1.Step
	Timeout time.Duration
}

// PrepareSlot makes the slot's namespace, with its consent, and binds the Stack's ServiceAccount in it.
type PrepareSlot struct {
	Because
	Slot string
}

// Preflight finds out, by dry-run and by reading, whether the content could be applied. Its result is the observation
// "preflight".
type Preflight struct {
	Because
	Release ReleaseRef
	Slot    string
	Attempt int32
	// Sizes of the members, which room is looked for. A member that is missing counts as its manifest says.
	Sizes []Size
}

// Size is how many Pods a member is going to have.
type Size struct {
	Kind, Name string
	// Preview is the size before users come, Live the one with them.
	Preview, Live int32
}

// ApplyBase applies everything of the content that is no workload, and prunes what the slot's former release had and
// this one has not. Its result is the observation "base".
type ApplyBase struct {
	Because
	Release ReleaseRef
	Slot    string
	Epoch   int64
	Attempt int32
	// Minimums that autoscalers get, once for each Epoch. One that is missing gets what its manifest says.
	Minimums []Minimum
}

// Minimum of a HorizontalPodAutoscaler.
type Minimum struct {
	Name     string
	Replicas int32
	// Held is whether Lockstep holds it there until it says otherwise; else it is the team's.
	Held bool
}

// ApplyMember applies one workload, with Replicas where it does not exist yet or holds another release; Workers are
// applied asleep. A failure is the observation "apply/<member>".
type ApplyMember struct {
	Because
	Release  ReleaseRef
	Slot     string
	Epoch    int64
	Attempt  int32
	Kind     string
	Name     string
	Replicas int32
	Asleep   bool
}

// VerifyContent compares what runs in the slot with the frozen content. Its result is the observation "verify".
type VerifyContent struct {
	Because
	Release ReleaseRef
	Slot    string
	Attempt int32
}

// DialServices connects to each Service of the release's members in the slot, as the members will: a ready endpoint is not
// yet one that the nodes send callers to. Its result is the observation "dial".
type DialServices struct {
	Because
	Release ReleaseRef
	Slot    string
	Attempt int32
}

// TryEntries writes every entry by dry-run, with the rights with which it will be written, and writes it back likewise.
// Nothing is changed. Its result is the observation "entries".
type TryEntries struct {
	Because
	Release ReleaseRef
	Attempt int32
	There   v1alpha1.RouteIntent
	Back    v1alpha1.RouteIntent
}

// Scale writes the epoch, and the replicas where they are given, of a workload. A Job or CronJob is suspended at 0 and
// resumed otherwise. A workload that carries a later epoch is left alone.
type Scale struct {
	Because
	Slot     string
	Epoch    int64
	Kind     string
	Name     string
	Replicas *int32
}

// ScaleMinimum writes the epoch and the minimum of a HorizontalPodAutoscaler, and whether Lockstep holds it. One that carries
// a later epoch is left alone.
type ScaleMinimum struct {
	Because
	Slot    string
	Epoch   int64
	Name    string
	Minimum int32
	Held    bool
}

// WriteEntry writes a route so that the intent is in force. It carries the resourceVersion that was read before the
// intent was saved, and leaves a route that carries a later epoch alone. When it was written is the observation
// "wrote/<entry>", and what refused it "entry/<entry>".
type WriteEntry struct {
	Because
	Entry           string
	ResourceVersion string
	Intent          v1alpha1.RouteIntent
}

// TakeTurn has the Stack take the turn in its queue group. It carries the resourceVersion that was read before the intent
// was saved.
type TakeTurn struct {
	Because
	Group           string
	ResourceVersion string
	Epoch           int64
	Release         ReleaseRef
}

// GiveTurn lets others have the turn. A turn that was taken for a later epoch is left alone.
type GiveTurn struct {
	Because
	Group           string
	ResourceVersion string
	Epoch           int64
}

// EndRelease records how a Release ended. A Release that has ended otherwise than Was since (empty: had not ended) is left
// alone.
type EndRelease struct {
	Because
	Release ReleaseRef
	Was     v1alpha1.Outcome
	Ended   v1alpha1.ReleaseEnded
}

// CreateRelease makes a Release: for a watched commit, or to go back to frozen content.
type CreateRelease struct {
	Because
	Name string
	Spec v1alpha1.ReleaseSpec
}

// CopyContent starts a rollback Release with the frozen content of the Release that it goes back to.
type CopyContent struct {
	Because
	Release ReleaseRef
	Started v1alpha1.ReleaseStarted
}

// DeleteRelease removes a Release that the history limit no longer keeps, with the content that no other one needs.
type DeleteRelease struct {
	Because
	Release ReleaseRef
}

// AnswerDecision records what became of a Decision.
type AnswerDecision struct {
	Because
	Name    string
	UID     types.UID
	Result  v1alpha1.DecisionResult
	Message string
}

// Event tells people of a change.
type Event struct {
	Because
	Warning bool
	// Waiting is whether it is not over: what comes of it is told by another event.
	Waiting bool
	Reason  string
	Message string
}

// Verb names the action in a word.
func (RenderRelease) Verb() string  { return "Render" }
func (PrepareSlot) Verb() string    { return "PrepareSlot" }
func (Preflight) Verb() string      { return "Preflight" }
func (ApplyBase) Verb() string      { return "ApplyBase" }
func (ApplyMember) Verb() string    { return "ApplyMember" }
func (VerifyContent) Verb() string  { return "Verify" }
func (DialServices) Verb() string   { return "Dial" }
func (TryEntries) Verb() string     { return "TryEntries" }
func (Scale) Verb() string          { return "Scale" }
func (ScaleMinimum) Verb() string   { return "ScaleMinimum" }
func (WriteEntry) Verb() string     { return "WriteEntry" }
func (TakeTurn) Verb() string       { return "TakeTurn" }
func (GiveTurn) Verb() string       { return "GiveTurn" }
func (EndRelease) Verb() string     { return "EndRelease" }
func (CreateRelease) Verb() string  { return "CreateRelease" }
func (CopyContent) Verb() string    { return "CopyContent" }
func (DeleteRelease) Verb() string  { return "DeleteRelease" }
func (AnswerDecision) Verb() string { return "AnswerDecision" }
func (Event) Verb() string          { return "Event" }

// Object names what the action acts upon, for people.
func (a RenderRelease) Object() string  { return "release/" + a.Release.Name }
func (a PrepareSlot) Object() string    { return "slot/" + a.Slot }
func (a Preflight) Object() string      { return "slot/" + a.Slot }
func (a ApplyBase) Object() string      { return "slot/" + a.Slot }
func (a ApplyMember) Object() string    { return "slot/" + a.Slot + " " + a.Kind + "/" + a.Name }
func (a VerifyContent) Object() string  { return "slot/" + a.Slot }
func (a DialServices) Object() string   { return "slot/" + a.Slot }
func (a TryEntries) Object() string     { return "release/" + a.Release.Name }
func (a Scale) Object() string          { return "slot/" + a.Slot + " " + a.Kind + "/" + a.Name }
func (a ScaleMinimum) Object() string   { return "slot/" + a.Slot + " hpa/" + a.Name }
func (a WriteEntry) Object() string     { return "entry/" + a.Entry }
func (a TakeTurn) Object() string       { return "group/" + a.Group }
func (a GiveTurn) Object() string       { return "group/" + a.Group }
func (a EndRelease) Object() string     { return "release/" + a.Release.Name }
func (a CreateRelease) Object() string  { return "release/" + a.Name }
func (a CopyContent) Object() string    { return "release/" + a.Release.Name }
func (a DeleteRelease) Object() string  { return "release/" + a.Release.Name }
func (a AnswerDecision) Object() string { return "decision/" + a.Name }
func (a Event) Object() string          { return a.Reason }

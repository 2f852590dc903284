package world

import (
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// What comes of a write.
const (
	Written   = "written"
	LeftAlone = "left alone"
	Conflict  = "conflict"
)

// Save replaces the Stack's status if nobody else has since it was read.
func (w *World) Save(who string, read v1alpha1.Stack, status v1alpha1.StackStatus) bool {
	before := w.Stack.Status
	entry := Write{At: w.Now, Who: who, Effect: Conflict, StatusBefore: &before}
	if ok := read.ResourceVersion == w.Stack.ResourceVersion && read.UID == w.Stack.UID; ok {
		w.Stack.Status = *status.DeepCopy()
		truncate(&w.Stack.Status)
		w.Stack.ResourceVersion = w.nextVersion()
		w.changed()
		after := w.Stack.Status
		entry.Effect, entry.StatusAfter = Written, &after
	}
	w.Log = append(w.Log, entry)
	return entry.Effect == Written
}

// truncate drops what the API does not keep of times.
func truncate(s *v1alpha1.StackStatus) {
	for i := range s.Units {
		for j := range s.Units[i].Observations {
			o := &s.Units[i].Observations[j]
			o.At = metav1.NewTime(o.At.Truncate(1e9))
		}
	}
}

// TaskWrite is one write of a task. It holds on to no world, so that it can be done in a fork of the one that it was made for.
type TaskWrite func(*World, *Task) Effect

// Task is an action as it is carried out: one write after the other.
type Task struct {
	Action plan.Action
	Writes []TaskWrite
	// found is the release that the first write of a member found, and version what it left.
	found   string
	version int64
	// observes is the key of the result that the action has; empty where success is seen in the cluster.
	observes string
	// fails is the key of the result where it is refused; empty where that is the same.
	fails string
	about v1alpha1.Observation
}

// Effect is what came of one write.
type Effect struct {
	Write
	// Refused is what people have to change.
	Refused *plan.Problem
}

// Begin takes an action apart into its writes. The Snapshot is the one that it was planned from.
func (w *World) Begin(s plan.Snapshot, action plan.Action) Task {
	t := Task{Action: action}
	switch a := action.(type) {
	case plan.RenderRelease:
		return observing(t, s, "render", a.Release, a.Attempt, func(w *World, _ *Task) Effect { return w.render(a) })
	case plan.Preflight:
		return observing(t, s, "preflight", a.Release, a.Attempt, func(*World, *Task) Effect { return Effect{} })
	case plan.VerifyContent:
		return observing(t, s, "verify", a.Release, a.Attempt, func(w *World, _ *Task) Effect { return w.verify(a) })
	case plan.DialServices:
		return observing(t, s, "dial", a.Release, a.Attempt, func(w *World, _ *Task) Effect { return w.dial(a) })
	case plan.TryEntries:
		return observing(t, s, "entries", a.Release, a.Attempt, func(w *World, _ *Task) Effect { return w.tryEntries() })
	case plan.ApplyBase:
		return observing(t, s, "base", a.Release, a.Attempt, w.applyBase(a)...)
	case plan.ApplyMember:
		if w.Refuses[a.Name] {
			return observing(t, s, "apply/"+a.Name, a.Release, a.Attempt, func(*World, *Task) Effect { return refusedMember(a) })
		}
		t.Writes = applyMember(a)
	case plan.Scale:
		t.Writes = []TaskWrite{func(w *World, _ *Task) Effect { return w.scale(a) }}
	case plan.ScaleMinimum:
		t.Writes = []TaskWrite{func(w *World, _ *Task) Effect { return w.scaleMinimum(a) }}
	case plan.WriteEntry:
		return w.writing(t, s, a)
	case plan.TakeTurn:
		t.Writes = []TaskWrite{func(w *World, _ *Task) Effect { return w.takeTurn(a) }}
	case plan.GiveTurn:
		t.Writes = []TaskWrite{func(w *World, _ *Task) Effect { return w.giveTurn(a) }}
	case plan.PrepareSlot:
		t.Writes = []TaskWrite{func(w *World, _ *Task) Effect { return w.makeNamespace(a) }, func(w *World, _ *Task) Effect { return w.bind(a) }}
	default:
		t.Writes = []TaskWrite{func(w *World, _ *Task) Effect { return w.keepRecord(action) }}
	}
	return t
}

func observing(t Task, s plan.Snapshot, key string, r plan.ReleaseRef, attempt int32, writes ...TaskWrite) Task {
	t.observes, t.Writes = key, writes
	t.about = v1alpha1.Observation{Key: key, Release: r.UID, Attempt: attempt, OK: true}
	if units := s.Stack.Status.Units; len(units) > 0 && units[0].Step != nil {
		t.about.Step = units[0].Step.Kind
	}
	return t
}

// writing says when an entry was written, or what refused it.
func (w *World) writing(t Task, s plan.Snapshot, a plan.WriteEntry) Task {
	t = observing(t, s, plan.WroteKey(a.Entry), plan.ReleaseRef{}, 0, func(w *World, _ *Task) Effect { return w.writeEntry(a) })
	if units := s.Stack.Status.Units; len(units) > 0 && units[0].Step != nil {
		t.about.Attempt = units[0].Step.Attempt
		if r := w.Release(units[0].ActiveRelease); r != nil {
			t.about.Release = r.UID
		}
	}
	t.fails = "entry/" + a.Entry
	return t
}

// Result of a task whose writes are all done, or of one that was refused; nil where there is none.
func (t Task) result(now metav1.Time, refused *plan.Problem) *v1alpha1.Observation {
	if t.observes == "" {
		return nil
	}
	o := t.about
	o.At = now
	if refused != nil {
		o.OK, o.Reason, o.Message = false, refused.Reason, refused.Message
		if t.fails != "" {
			o.Key = t.fails
		}
	}
	return &o
}

func (w *World) render(a plan.RenderRelease) Effect {
	r := w.releaseOf(a.Release)
	if r == nil || r.Status.Started != nil {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	m := w.manifest(r.Spec.Revision)
	if m.Fails != "" {
		return Effect{Refused: &plan.Problem{Reason: m.Fails, Message: "revision " + r.Spec.Revision + ": " + m.Fails}}
	}
	started := &v1alpha1.ReleaseStarted{
		At: w.stamp(), Commit: r.Spec.Revision, Inputs: "inputs-" + r.Spec.Revision, Digest: "digest-" + r.Spec.Revision,
		StepsSchema: v1alpha1.StepsSchema, Steps: slices.Clone(a.Steps), Members: m.Members,
	}
	w.start(r, started)
	return Effect{Write: Write{Effect: Written}}
}

func (w *World) start(r *v1alpha1.Release, started *v1alpha1.ReleaseStarted) {
	w.alter(r).Status.Started = started.DeepCopy()
	w.Content = maps.Clone(w.Content)
	w.Content[r.Name] = true
	w.changed()
}

// alter replaces a Release by a copy that can be written to: forks share what is never changed.
func (w *World) alter(r *v1alpha1.Release) *v1alpha1.Release {
	c := *r
	w.Releases[slices.Index(w.Releases, r)] = &c
	return &c
}

func (w *World) stamp() metav1.Time { return metav1.NewTime(w.Now.Truncate(1e9)) }

func (w *World) releaseOf(ref plan.ReleaseRef) *v1alpha1.Release {
	r := w.Release(ref.Name)
	if r == nil || r.UID != ref.UID {
		return nil
	}
	return r
}

func (w *World) verify(a plan.VerifyContent) Effect {
	for _, x := range w.Namespace(a.Slot).Workloads {
		if x.Edited && x.Release == a.Release.Name {
			return Effect{Refused: &plan.Problem{Reason: v1alpha1.ReasonContentDrifted, Message: x.Kind + "/" + x.Name + " was changed by hand"}}
		}
	}
	return Effect{}
}

// dial connects to the Services of the release in the slot, as Pods there would.
func (w *World) dial(a plan.DialServices) Effect {
	n := w.Namespace(a.Slot)
	for _, m := range w.membersOf(a.Release) {
		for _, name := range m.Services {
			if s := n.Service(name); s == nil || !n.answers(s) {
				return Effect{Refused: &plan.Problem{Reason: v1alpha1.ReasonServiceSilent, Message: "Service " + name + " refuses connections"}}
			}
		}
	}
	return Effect{}
}

// tryEntries is what admission says to a dry-run.
func (w *World) tryEntries() Effect {
	for _, r := range w.Routes {
		if w.Refuses[r.Entry] && !r.Testers {
			return Effect{Refused: refusedBy(r)}
		}
	}
	return Effect{}
}

func refusedBy(r *Route) *plan.Problem {
	return &plan.Problem{Reason: v1alpha1.ReasonEntryRefused, Message: "entry " + r.Entry + ": admission refuses it"}
}

func refusedMember(a plan.ApplyMember) Effect {
	return Effect{Refused: &plan.Problem{Reason: v1alpha1.ReasonAdmissionRefused, Message: a.Kind + "/" + a.Name + ": admission refuses it"}}
}

func (w *World) writeEntry(a plan.WriteEntry) Effect {
	r := w.Route(a.Entry)
	switch {
	case w.Refuses[a.Entry]:
		return Effect{Refused: refusedBy(r)}
	case r.Exists && r.Epoch > a.Intent.Epoch:
		return Effect{Write: Write{Effect: LeftAlone}}
	case a.ResourceVersion != r.resourceVersion():
		return Effect{Write: Write{Effect: Conflict}}
	case !r.Exists && r.Adopted:
		return Effect{Refused: w.missing(r)}
	}
	before := r.copy()
	if r.Adopted && r.Epoch == 0 {
		r.Origin = slices.Clone(r.Weights)
	}
	r.Exists, r.Epoch, r.Preview = true, a.Intent.Epoch, r.shown(a.Intent)
	r.send("lockstep", slices.Clone(r.wanted(a.Intent)))
	w.touch(r)
	return Effect{Write: Write{Effect: Written, RouteBefore: before, RouteAfter: r.copy()}}
}

// send has someone write where users are sent.
func (r *Route) send(by string, weights []v1alpha1.SlotWeight) {
	if r.By = by; r.MovedBy == "" || !slices.Equal(r.Weights, weights) {
		r.MovedBy = by
	}
	r.Weights = weights
}

// touch gives a route whose spec was written a new generation.
func (w *World) touch(r *Route) {
	r.version, r.generation = w.nextNumber(), r.generation+1
	w.changed()
}

func (r *Route) resourceVersion() string {
	if !r.Exists {
		return ""
	}
	return strconv.FormatInt(r.version, 10)
}

func (r *Route) copy() *Route {
	c := *r
	c.Weights, c.Origin = slices.Clone(r.Weights), slices.Clone(r.Origin)
	return &c
}

// keepRecord carries out the actions that write Lockstep's own kinds.
func (w *World) keepRecord(action plan.Action) Effect {
	done := true
	switch a := action.(type) {
	case plan.EndRelease:
		done = w.endRelease(a)
	case plan.CopyContent:
		if r := w.releaseOf(a.Release); r != nil && r.Status.Started == nil {
			w.start(r, &a.Started)
		}
	case plan.CreateRelease:
		w.MakeRelease(a.Name, a.Spec)
	case plan.DeleteRelease:
		w.DeleteRelease(a.Release)
	case plan.AnswerDecision:
		done = w.answer(a)
	}
	if !done {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	return Effect{Write: Write{Effect: Written}}
}

func (w *World) endRelease(a plan.EndRelease) bool {
	r := w.releaseOf(a.Release)
	if r == nil {
		return false
	}
	if is := outcomeOf(r); is == a.Ended.Outcome || is != a.Was {
		return false
	}
	w.alter(r).Status.Ended = a.Ended.DeepCopy()
	w.changed()
	return true
}

func outcomeOf(r *v1alpha1.Release) v1alpha1.Outcome {
	if r.Status.Ended == nil {
		return ""
	}
	return r.Status.Ended.Outcome
}

// DeleteRelease removes a Release, with its content and the Decisions about it.
func (w *World) DeleteRelease(ref plan.ReleaseRef) {
	if w.releaseOf(ref) == nil {
		return
	}
	w.Releases = slices.DeleteFunc(w.Releases, func(r *v1alpha1.Release) bool { return r.UID == ref.UID })
	w.Decisions = slices.DeleteFunc(w.Decisions, func(d *v1alpha1.Decision) bool { return d.Spec.ReleaseUID == string(ref.UID) })
	w.Content = maps.Clone(w.Content)
	delete(w.Content, ref.Name)
	w.changed()
}

func (w *World) answer(a plan.AnswerDecision) bool {
	for i, d := range w.Decisions {
		if d.UID == a.UID && d.Status.Result == "" {
			at, answered := w.stamp(), *d
			w.Decisions[i] = &answered
			answered.Status = v1alpha1.DecisionStatus{Result: a.Result, Message: a.Message, At: &at}
			w.changed()
			return true
		}
	}
	return false
}

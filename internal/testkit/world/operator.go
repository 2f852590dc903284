package world

import (
	"math/rand"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Operator is one process of the controller: it observes, plans, saves and acts in steps so small that anything can
// happen between them. It can crash after each, and be paused for as long as one likes.
type Operator struct {
	Name  string
	world *World
	// chance, where there is one, puts readings and actions into random order.
	chance *rand.Rand

	// snapshot is replaced, and not changed, once it is read: forks share it.
	snapshot *plan.Snapshot
	readings []Reading
	reading  bool
	// early is the part that was read before all others, where one was.
	early   int
	next    *plan.Plan
	tasks   []Task
	results []v1alpha1.Observation
	// disturbed is what the world had done when this pass began to read.
	disturbed int64
	// seen is what was watched when this pass began to read.
	seen int64
	// Last is the plan of the last pass that was not refused for a conflict, and Idle whether that pass changed nothing.
	Last plan.Plan
	Idle bool
	// Planned is when the last plan was made.
	Planned time.Time
	// Wake is when it looks again though no watch tells it to; zero for never.
	Wake time.Time
}

// NewOperator starts a process.
func NewOperator(w *World, name string, chance *rand.Rand) *Operator {
	return &Operator{Name: name, world: w, chance: chance, Wake: w.Now, seen: -1}
}

// Crash loses everything that the process had in memory.
func (o *Operator) Crash() { *o = *NewOperator(o.world, o.Name, o.chance) }

// Busy is whether a pass is under way.
func (o *Operator) Busy() bool { return o.reading || o.next != nil || len(o.tasks) > 0 }

// Due is whether a watch or a timer calls for a pass.
func (o *Operator) Due() bool {
	return o.Busy() || o.seen != o.world.watched || len(o.results) > 0 || (!o.Wake.IsZero() && !o.world.Now.Before(o.Wake))
}

// Step does one small thing of the current pass, or begins one.
func (o *Operator) Step() {
	switch {
	case len(o.tasks) > 0:
		o.Write(0)
	case o.next != nil:
		o.save()
	case !o.reading:
		o.begin()
	case len(o.readings) > 0:
		o.readings[0](o.world, o.snapshot)
		o.readings = o.readings[1:]
	default:
		o.plan()
	}
}

// Pass does a whole pass, undisturbed.
func (o *Operator) Pass() {
	o.Step()
	for o.Busy() {
		o.Step()
	}
}

func (o *Operator) begin() {
	o.reading, o.disturbed, o.seen = true, o.world.disturbed, o.world.watched
	s := o.world.ReadStack()
	o.snapshot, o.readings = &s, o.world.Readings()
	if o.chance != nil {
		o.chance.Shuffle(len(o.readings), func(i, j int) { o.readings[i], o.readings[j] = o.readings[j], o.readings[i] })
	}
}

func (o *Operator) plan() {
	o.reading = false
	o.snapshot.Results = o.results
	o.Planned = o.world.Now
	leaveUnknown(o.snapshot)
	next := plan.Next(*o.snapshot, o.Planned)
	o.next = &next
}

func (o *Operator) saysNothingNew() bool {
	return equality.Semantic.DeepEqual(o.next.Status, o.snapshot.Stack.Status)
}

// save keeps the status before anything is done. A status that says nothing new is not written.
func (o *Operator) save() {
	next, same := *o.next, o.saysNothingNew()
	o.next = nil
	late := !same && o.chance != nil && o.chance.Intn(2) == 0 && plan.Telling(o.snapshot.Stack.Status, next.Status)
	if !same && !late && !o.world.Save(o.Name, o.snapshot.Stack, next.Status) {
		o.Idle, o.seen, o.Wake = false, -1, time.Time{}
		return
	}
	saved := *o.snapshot
	saved.Stack.Status = next.Status
	o.snapshot = &saved
	o.Last, o.Wake, o.Idle = next, next.Wake, same && len(next.Actions) == 0
	if late {
		// What is only told may be saved by a later pass, and what it was made of is kept until then.
		if later := o.world.Now.Add(time.Second); o.Wake.IsZero() || later.Before(o.Wake) {
			o.Wake = later
		}
	} else {
		o.results = nil
	}
	for _, a := range next.Actions {
		if _, tells := a.(plan.Event); !tells {
			o.tasks = append(o.tasks, o.world.Begin(*o.snapshot, a))
		}
	}
	if o.chance != nil {
		o.chance.Shuffle(len(o.tasks), func(i, j int) { o.tasks[i], o.tasks[j] = o.tasks[j], o.tasks[i] })
		o.inOrder(next.Actions)
	}
}

// inOrder puts the writes of entries, wherever they have come to stand, in the order of the plan.
func (o *Operator) inOrder(actions []plan.Action) {
	var writes []plan.WriteEntry
	for _, a := range actions {
		if write, ok := a.(plan.WriteEntry); ok {
			writes = append(writes, write)
		}
	}
	for i := range o.tasks {
		if _, ok := o.tasks[i].Action.(plan.WriteEntry); ok {
			o.tasks[i] = o.world.Begin(*o.snapshot, writes[0])
			writes = writes[1:]
		}
	}
}

// giveUp leaves out the writes of entries that come after one that failed.
func (o *Operator) giveUp(failed plan.Action) {
	if _, ok := failed.(plan.WriteEntry); ok {
		o.tasks = slices.DeleteFunc(o.tasks, func(t Task) bool {
			_, write := t.Action.(plan.WriteEntry)
			return write
		})
	}
}

// Write does the next write of one of the tasks that are left.
func (o *Operator) Write(task int) {
	t := &o.tasks[task]
	var effect Effect
	if len(t.Writes) > 0 {
		effect = t.next(o.world, o.Name, o.snapshot, o.disturbed)
	}
	if effect.Effect == Conflict {
		o.seen = -1
		o.drop(task)
		o.giveUp(effect.Action)
		return
	}
	if len(t.Writes) > 0 && effect.Refused == nil {
		return
	}
	if result := t.result(metav1.NewTime(o.world.Now), effect.Refused); result != nil {
		o.results = append(o.results, *result)
	}
	o.drop(task)
	if effect.Refused != nil {
		o.giveUp(effect.Action)
	}
}

func (o *Operator) drop(task int) { o.tasks = slices.Delete(o.tasks, task, task+1) }

// next does the next write of a task, and logs it.
func (t *Task) next(w *World, who string, saw *plan.Snapshot, disturbed int64) Effect {
	effect := t.Writes[0](w, t)
	t.Writes = t.Writes[1:]
	effect.At, effect.Who, effect.Action = w.Now, who, t.Action
	effect.Saw = saw
	effect.Disturbed = disturbed != w.disturbed
	if effect.Refused != nil {
		effect.Effect = "refused: " + effect.Refused.Reason
	}
	w.Log = append(w.Log, effect.Write)
	return effect
}

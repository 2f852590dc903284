package plan_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// state is a world with two processes of the controller in it, each wherever it is in its pass, and what it has cost to come
// there.
type state struct {
	w     *world.World
	ops   []*world.Operator
	late  []*world.Late
	watch *watcher
	spent disturbances
	// overlaps is how often a process has begun a pass while the other one was in the middle of its own.
	overlaps uint8
}

func newState(w *world.World, watch *watcher) *state {
	return &state{w: w, watch: watch, ops: []*world.Operator{world.NewOperator(w, "1", nil), world.NewOperator(w, "2", nil)}}
}

func (s *state) fork() *state {
	f := *s
	f.w = s.w.Fork()
	f.ops = []*world.Operator{s.ops[0].Fork(f.w), s.ops[1].Fork(f.w)}
	f.late = slices.Clone(s.late)
	f.watch = s.watch.fork(f.w)
	return &f
}

// far is longer than every time limit of the Stack that is explored, and than the planner's own, of which retryAfter is the
// longest with 10 seconds.
const far = 12 * time.Second

func (s *state) fingerprint() world.Fingerprint {
	return s.w.Fingerprint(far, s.ops, s.late, s.watch.met)
}

// disturbances are a set: each may happen once.
type disturbances uint8

const (
	crash disturbances = 1 << iota
	stale
	edit
	abort
	late
	delay
)

// goesWrong are the names of what costs something: overlaps, and the disturbances in their order.
var goesWrong = []string{"overlap", "crash", "stale", "edit", "abort", "late", "delay"}

// move is what one of those that take part does next.
type move struct {
	verb verb
	// who is the process, from 0, and what is for the verb to say.
	who, what uint8
}

type verb uint8

const (
	// look has a process read everything that it has not read yet, and plan.
	look verb = iota
	// save has it save its plan.
	save
	// write has it do the next write of one of its tasks.
	write
	// tick has a group of other controllers do one step each.
	tick
	// promote has someone promote what holds.
	promote
	// land has the late write come to its effect.
	land
	// wait lets so many seconds pass.
	wait
	// read has a process read the Stack and one other part only.
	read
	// send has it send a write that comes late.
	send
	// kill has it lose its memory.
	kill
	// hand is someone who changes something by hand.
	hand
	// leave is someone who aborts the release, or rolls it back once it is live.
	leave
)

// cost is what disturbance a move is; 0 for what happens on an ordinary day.
func (m move) cost() disturbances {
	switch m.verb {
	case read:
		return stale
	case send:
		return late
	case kill:
		return crash
	case hand:
		return edit
	case leave:
		return abort
	case wait:
		return disturbances(m.who) // a wait that nobody called for
	default:
		return 0
	}
}

// groups of other controllers. Those of one group step together, in fixed order: what is asked is how what a slot, a route
// and a gateway replica say falls between the steps of the processes, and less how Pods and endpoints of one slot fall
// between each other, which the model that is driven by chance shuffles.
var groups = []string{"blue", "green", "routes", "gateway-1", "gateway-2"}

func (s *state) tick(group string) bool {
	switch {
	case group == "routes":
		return s.w.TickRoutes()
	case strings.HasPrefix(group, "gateway"):
		return s.w.TickGateway(group)
	}
	return s.w.TickSlot(group)
}

// parts of a Snapshot, by the order of World.Readings.
func (s *state) parts() []string {
	names := []string{"releases", "decisions", "turn"}
	for _, slot := range s.w.Stack.Spec.Slots {
		for _, part := range []string{"namespace", "workloads", "pods", "services", "proof"} {
			names = append(names, part+"-"+slot.Name)
		}
	}
	for _, r := range s.w.Routes {
		names = append(names, "entry-"+r.Entry)
	}
	return names
}

// constant parts say the same in all states that are explored: there is no queue group, nobody deletes a namespace, and
// proof is left to Verify and Dial.
func constant(part string) bool {
	return part == "turn" || strings.HasPrefix(part, "namespace-") || strings.HasPrefix(part, "proof-")
}

// hands are what someone may do by hand, as commands of a story.
var hands = []string{
	"edit-route web blue=100", "edit-route web green=100", "edit-route web blue=50 green=50",
	"edit-route admin blue=100", "edit-route admin green=100",
	"edit-workload green frontend", "scale green frontend 0",
}

// exists is whether what would be changed by hand is there.
func exists(w *world.World, command string) bool {
	words := strings.Fields(command)
	if words[0] == "edit-route" {
		return w.Route(words[1]).Exists
	}
	return w.Namespace(words[1]).Workload(words[2]) != nil
}

func byHand(w *world.World, command string) {
	words := strings.Fields(command)
	s := &story{w: w}
	switch words[0] {
	case "edit-route":
		s.editRoute(words[1:])
	case "edit-workload":
		s.editWorkload(words[1:])
	case "scale":
		s.scale(words[1:])
	}
}

// command is the move as a command of a story; parseMove finds it again.
func (m move) command(s *state) string {
	process := strconv.Itoa(int(m.who) + 1)
	switch m.verb {
	case look:
		return "look " + process
	case save:
		return "save " + process
	case write:
		return fmt.Sprintf("write %s %d", process, m.what)
	case tick:
		return "tick " + groups[m.what]
	case promote:
		return "decide Promote v2"
	case land:
		return "land"
	case wait:
		return fmt.Sprintf("wait %ds", m.what)
	case read:
		return "read " + process + " " + s.parts()[m.what]
	case send:
		return fmt.Sprintf("send %s %d", process, m.what)
	case kill:
		return "crash " + process
	case hand:
		return hands[m.what]
	default:
		return leaveVerb(s.w) + " v2"
	}
}

// apply does the move, and returns whether there was anything to do.
func (s *state) apply(m move) bool {
	s.spent |= m.cost()
	if m.verb == look && s.wouldOverlap(int(m.who)) {
		s.overlaps++
	}
	did := s.do(m)
	for _, o := range s.ops {
		if o.Doomed() {
			o.Save() // comes to nothing whenever it is tried, and touches nothing: there is no need to wait for it
		}
	}
	return did
}

// wouldOverlap is whether the process would begin a pass now while the other one is in the middle of its own, or has results
// of it that it has not planned with yet.
func (s *state) wouldOverlap(who int) bool { return !s.ops[who].Busy() && s.ops[1-who].Remembers() }

func (s *state) do(m move) bool {
	switch m.verb {
	case look:
		idle := !s.ops[m.who].Remembers()
		s.ops[m.who].Look()
		return !idle || s.ops[m.who].Remembers()
	case save:
		s.ops[m.who].Save()
	case write:
		s.ops[m.who].Write(int(m.what))
	case tick:
		return s.tick(groups[m.what])
	case promote:
		s.decide(v1alpha1.VerbPromote)
	case leave:
		s.decide(v1alpha1.Verb(strings.TrimPrefix(leaveVerb(s.w), "decide ")))
	case land:
		s.late[0].Land(s.w)
		s.late = nil
	case wait:
		s.w.Pass(time.Duration(m.what) * time.Second)
	case read:
		s.ops[m.who].Read(int(m.what))
	case send:
		s.late = append(s.late, s.ops[m.who].Send(int(m.what)))
	case kill:
		s.ops[m.who].Crash()
	case hand:
		byHand(s.w, hands[m.what])
	}
	return true
}

func (s *state) decide(verb v1alpha1.Verb) {
	(&story{w: s.w}).decide([]string{string(verb), "v2"})
}

// calm are the moves of an ordinary day: what a process may do next while the other one rests, or once their passes overlap
// already; other controllers; who promotes; a write that is late already.
func (s *state) calm() []move {
	var moves []move
	for i, o := range s.ops {
		if s.twin(i) || s.wouldOverlap(i) {
			continue
		}
		moves = append(moves, next(uint8(i), o)...)
	}
	for i := range groups {
		moves = append(moves, move{verb: tick, what: uint8(i)})
	}
	if s.holds() && !s.decided(v1alpha1.VerbPromote) {
		moves = append(moves, move{verb: promote})
	}
	if len(s.late) > 0 {
		moves = append(moves, move{verb: land})
	}
	return moves
}

// twin is whether the process is like the first one: neither remembers anything.
func (s *state) twin(who int) bool {
	return who > 0 && !s.ops[0].Remembers() && !s.ops[who].Remembers()
}

// next are the steps that a process may do next. It may look at any time: what it is told by watches and timers is left
// out, since a look that finds nothing new leaves everything as it was. What it reads in one look it reads at once; that
// readings fall apart is one of the disturbances.
func next(who uint8, o *world.Operator) []move {
	switch {
	case o.Unsaved():
		return []move{{verb: save, who: who}}
	case o.Tasks() > 0:
		return tasks(write, who, o)
	}
	return []move{{verb: look, who: who}}
}

// tasks are carried out in any order, but for the writes of entries, and for those that only read: these have the order of
// the plan, as if one thread did them.
func tasks(verb verb, who uint8, o *world.Operator) []move {
	var moves []move
	entries, readers := 0, 0
	for i := range o.Tasks() {
		_, entry := o.Task(i).(plan.WriteEntry)
		switch {
		case entry:
			entries++
		case readsOnly(o.Task(i)):
			readers++
		}
		if entry && entries > 1 || readsOnly(o.Task(i)) && readers > 1 {
			continue
		}
		moves = append(moves, move{verb: verb, who: who, what: uint8(i)})
	}
	return moves
}

// disturbed are the moves that cost something: a pass that begins in the middle of another one, and the disturbances that
// have not happened yet.
func (s *state) disturbed() []move {
	var moves []move
	for i, o := range s.ops {
		if s.wouldOverlap(i) {
			moves = append(moves, move{verb: look, who: uint8(i)})
		}
		if !s.twin(i) {
			moves = append(moves, s.failing(uint8(i), o)...)
		}
	}
	for i := range hands {
		if exists(s.w, hands[i]) {
			moves = append(moves, move{verb: hand, what: uint8(i)})
		}
	}
	if leaveVerb(s.w) != "" {
		moves = append(moves, move{verb: leave})
	}
	moves = append(moves, move{verb: wait, who: uint8(delay), what: uint8(far / time.Second)})
	return slices.DeleteFunc(moves, func(m move) bool { return s.spent&m.cost() != 0 })
}

// failing are the disturbances of one process.
func (s *state) failing(who uint8, o *world.Operator) []move {
	moves := slices.DeleteFunc(tasks(send, who, o), func(m move) bool { return readsOnly(o.Task(int(m.what))) })
	if o.Remembers() {
		moves = append(moves, move{verb: kill, who: who})
	}
	if !o.Busy() {
		for i, part := range s.parts() {
			if !constant(part) {
				moves = append(moves, move{verb: read, who: who, what: uint8(i)})
			}
		}
	}
	return moves
}

// readsOnly is whether there is nothing in an action that could come late.
func readsOnly(a plan.Action) bool {
	switch a.(type) {
	case plan.VerifyContent, plan.DialServices, plan.TryEntries, plan.Preflight:
		return true
	default:
		return false
	}
}

func (s *state) unit() v1alpha1.UnitStatus { return unitOf(s.w) }

func (s *state) holds() bool {
	step := s.unit().Step
	return step != nil && step.Kind == v1alpha1.StepHold
}

// decided is whether someone has said so of v2 at this attempt.
func (s *state) decided(verb v1alpha1.Verb) bool {
	step := s.unit().Step
	return slices.ContainsFunc(s.w.Decisions, func(d *v1alpha1.Decision) bool {
		return d.Spec.Verb == verb && (step == nil || d.Spec.Attempt == step.Attempt)
	})
}

// leaveVerb is what someone says who does not like v2; empty where there is nothing to say.
func leaveVerb(w *world.World) string {
	r := w.Release("v2")
	u := unitOf(w)
	warm := slices.ContainsFunc(w.Stack.Status.Slots, func(s v1alpha1.SlotStatus) bool { return s.State == v1alpha1.SlotWarm })
	switch {
	case r == nil:
		return ""
	case u.LiveRelease != "v2" && r.Status.Ended == nil:
		return "decide Abort"
	case u.LiveRelease == "v2" && warm:
		return "decide Rollback"
	}
	return ""
}

// quiet is whether a process that looks now finds nothing to do.
func (s *state) quiet() (*world.Operator, bool) {
	o := world.NewOperator(s.w.Fork(), "3", nil)
	o.Look()
	return o, !o.Busy()
}

// sleep is how many seconds pass until a process finds something to do; 0 where none does, however long one waits. It is
// asked where nobody else has anything to do either: what takes its time there is a delay, which is a disturbance. Clocks
// stand at whole seconds, so that there are few times; processes wake up late by less than one.
func (s *state) sleep() uint8 {
	f := s.w.Fork()
	o, quiet := s.quiet()
	for quiet && !o.Wake.IsZero() && f.Now.Sub(s.w.Now) <= 2*far {
		f.Now = latest(f.Now, o.Wake.Add(-1)).Truncate(time.Second).Add(time.Second)
		o = world.NewOperator(f.Fork(), "3", nil)
		o.Look()
		quiet = !o.Busy()
	}
	if quiet {
		return 0
	}
	return uint8(f.Now.Sub(s.w.Now) / time.Second)
}

// atRest is what is not as it must be where nothing happens any more, and the command of a story that finds it.
func (s *state) atRest() (string, error) {
	if s.spent&edit != 0 {
		return "settled among-hands", settledAmongHands(s.w)
	}
	return "settled", settled(s.w)
}

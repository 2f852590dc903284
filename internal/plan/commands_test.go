package plan_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// commands of a story.
//
//	stack key=value …            settings of the Stack, before anything else
//	repo REVISION key=a,b …      what a revision renders to: broken=, unpullable=, members=, fails=
//	release NAME [REVISION] [slot=]  someone makes a Release
//	rollback NAME OF             someone makes a Release that goes back to OF
//	decide VERB NAME [key=value] someone decides
//	run [DURATION]               everyone does what they do until nothing happens any more, or for so long
//	pass, tick, wait DURATION    one pass of the controller; one step of everyone else; nobody does anything
//	given NAME                   a release that goes live (promoted where it holds), without telling how
//	hold NAME                    a release that comes to its hold, without telling how
//	users                        what users meet now
//	slots                        what is said of each slot
//	respec key=value …           someone changes the settings of the Stack
//	drop-slot NAME               someone takes a slot out of the Stack's spec
//	add-entry NAME SERVICE slot=weight …  someone adds an entry, with a route of the team's own
//	found-hpa SLOT NAME:MIN:MAX  a workload that was found has an autoscaler
//	gateway-gone ENTRY           the gateway of an entry is deleted, and gateway-back made again
//	until-moved ENTRY SLOT       everyone goes on until the entry's route sends users there; right then the controller dies
//
// and, of two processes of the controller whose steps fall between each other (they are called 1 and 2):
//
//	look N                       it reads all that it has not read yet, and plans
//	read N PART                  it reads the Stack and one part (releases, decisions, workloads-SLOT, entry-NAME, …), no more
//	save N, write N TASK         it saves its plan; does the next write of a task of its plan
//	send N TASK, land            it sends the write and knows no more of it; that late write comes to its effect
//	crash N                      it loses what it has in memory
//	tick GROUP                   one step of the controllers of a slot, of routes, or of a gateway replica
//	settled [among-hands]        all has come to a good end; what is left to people may stand
var commands = map[string]func(*story, []string){
	"repo":    (*story).repo,
	"small":   func(s *story, _ []string) { s.w.Default = world.Small() },
	"release": (*story).release,
	"rollback": func(s *story, words []string) {
		s.w.MakeRelease(words[0], v1alpha1.ReleaseSpec{RollbackOf: words[1]})
	},
	"decide":           (*story).decide,
	"given":            (*story).given,
	"hold":             (*story).hold,
	"run":              (*story).run,
	"wait":             func(s *story, words []string) { s.w.Pass(duration(words[0]).Duration) },
	"pass":             func(s *story, _ []string) { s.onePass() },
	"tick":             (*story).tick,
	"users":            func(s *story, _ []string) { s.users() },
	"releases":         func(s *story, _ []string) { s.releases() },
	"conditions":       func(s *story, _ []string) { s.conditions() },
	"workloads":        func(s *story, words []string) { s.workloads(words[0]) },
	"crash":            (*story).crash,
	"look":             func(s *story, words []string) { s.step("look", words) },
	"read":             func(s *story, words []string) { s.step("read", words) },
	"save":             func(s *story, words []string) { s.step("save", words) },
	"write":            func(s *story, words []string) { s.step("write", words) },
	"send":             func(s *story, words []string) { s.step("send", words) },
	"land":             func(s *story, words []string) { s.step("land", words) },
	"settled":          (*story).settle,
	"second":           (*story).second,
	"micro":            (*story).micro,
	"edit-route":       (*story).editRoute,
	"adopt":            (*story).adopt,
	"delete-route":     func(s *story, words []string) { s.w.DeleteRoute(s.w.Route(words[0])) },
	"edit-workload":    (*story).editWorkload,
	"scale":            (*story).scale,
	"found":            (*story).found,
	"kill":             (*story).kill,
	"break":            (*story).breakPods,
	"delete-namespace": func(s *story, words []string) { s.w.DeleteNamespace(s.w.Namespace(words[0])) },
	"namespace":        (*story).namespace,
	"hide":             func(s *story, words []string) { s.w.Hide(s.w.Namespace(words[0]), true) },
	"show":             func(s *story, words []string) { s.w.Hide(s.w.Namespace(words[0]), false) },
	"delete-release":   (*story).deleteRelease,
	"recreate-stack":   func(s *story, _ []string) { s.w.RecreateStack() },
	"policy":           (*story).policy,
	"suspend":          func(s *story, words []string) { s.w.Suspend(words[0] == "on") },
	"router":           func(s *story, words []string) { s.w.RouterRefuses = words[0] == "refuses" },
	"neighbour":        (*story).neighbour,
	"proves":           func(s *story, _ []string) { s.w.Proves = true },
	"direct":           (*story).direct,
	"refuse":           func(s *story, words []string) { s.w.Refuses = map[string]bool{words[0]: true} },
	"gateway-gone":     func(s *story, words []string) { s.w.Unroutable = map[string]bool{words[0]: true} },
	"gateway-back":     func(s *story, _ []string) { s.w.Unroutable = nil },
	"admit":            func(s *story, _ []string) { s.w.Refuses = nil },
	"window":           func(s *story, _ []string) { s.window() },
	"nodes":            func(s *story, words []string) { s.w.NodesLag = words[0] == "lag" },
	"endpoints":        func(s *story, words []string) { s.w.EndpointsLag = words[0] == "lag" },
	"pods":             func(s *story, words []string) { s.w.PodsLinger = words[0] == "linger" },
	"autoscalers":      func(s *story, words []string) { s.autoscalers(words[0]) },
	"blind":            func(s *story, words []string) { s.w.Blind(s.w.Namespace(words[0]).Autoscaler(words[1])) },
	"push":             (*story).push,
	"tag":              (*story).tag,
	"heal":             (*story).healRevision,
	"slots":            func(s *story, _ []string) { s.slotsSaid() },
	"respec":           (*story).respec,
	"drop-slot":        func(s *story, words []string) { s.w.DropSlot(words[0]) },
	"add-entry":        (*story).addEntry,
	"found-hpa":        (*story).foundAutoscaler,
	"until-moved":      (*story).untilMoved,
}

func (s *story) setStack(words []string) {
	spec := &s.stack.Spec
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "promotion":
			spec.Strategy.BlueGreen.Promotion = v1alpha1.Promotion(value)
		case "keep":
			spec.Strategy.BlueGreen.KeepPrevious.For = duration(value)
		case "keep-replicas":
			n := number(value)
			spec.Strategy.BlueGreen.KeepPrevious.Replicas = &n
		case "yield":
			spec.Strategy.BlueGreen.KeepPrevious.Yield = value == "true"
		case "drain":
			spec.Sessions.DrainTimeout = duration(value)
		case "preview-replicas":
			n := number(value)
			spec.Strategy.BlueGreen.PreviewReplicas = &n
		case "queue":
			spec.Queue.Policy = v1alpha1.QueuePolicy(value)
		case "group":
			spec.Queue.Group = value
		case "history":
			spec.HistoryLimit = number(value)
		case "start":
			spec.Start.When = v1alpha1.StartWhen(value)
		case "pattern":
			spec.Start.Pattern = value
		case "deadlines":
			limit := duration(value)
			spec.Deadlines = v1alpha1.Deadlines{Render: limit, Deploy: limit, Check: limit, Switch: limit, Hold: spec.Deadlines.Hold}
		case "check":
			spec.Deadlines.Check = duration(value)
		case "switch":
			spec.Deadlines.Switch = duration(value)
		case "hold":
			spec.Deadlines.Hold = duration(value)
		case "green-namespace":
			spec.Slots[1].Namespace = value
		case "cycle":
			spec.Members = cycle(strings.FieldsFunc(value, func(r rune) bool { return r == ',' }))
		case "preview-hostname":
			spec.Entries[0].Preview.Hostname = value
		case "slots":
			s.addSlots(strings.Split(value, ","))
		case "entries":
			s.setEntries(strings.Split(value, ","))
		case "route":
			s.setRoute(value)
		default:
			s.t.Fatalf("no setting %q", key)
		}
	}
}

func cycle(names []string) []v1alpha1.Member {
	var members []v1alpha1.Member
	for i, name := range names {
		members = append(members, v1alpha1.Member{Name: name, DependsOn: []v1alpha1.Dependency{{Name: names[(i+1)%len(names)]}}})
	}
	return members
}

func (s *story) setEntries(names []string) {
	like := s.stack.Spec.Entries[0]
	s.stack.Spec.Entries = nil
	for _, name := range names {
		e := *like.DeepCopy()
		e.Name = name
		s.stack.Spec.Entries = append(s.stack.Spec.Entries, e)
	}
}

// setRoute has every entry adopt one VirtualService.
func (s *story) setRoute(name string) {
	for i := range s.stack.Spec.Entries {
		s.stack.Spec.Entries[i].VirtualService = &v1alpha1.VirtualServiceEntry{Name: name}
	}
}

func duration(text string) *metav1.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return world.Duration(d)
}

func number(text string) int32 {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return int32(n)
}

func (s *story) repo(words []string) {
	m := world.Shop()
	m.Broken, m.Unpullable = map[string]bool{}, map[string]bool{}
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		for name := range strings.SplitSeq(value, ",") {
			switch key {
			case "broken":
				m.Broken[name] = true
			case "unpullable":
				m.Unpullable[name] = true
			case "without":
				m.Members = slices.DeleteFunc(m.Members, func(x v1alpha1.ReleaseMember) bool { return x.Name == name })
			case "with":
				m.Members = append(m.Members, world.Serves(name, 1))
			case "agent":
				m.Members = append(m.Members, agent(name))
			case "worker":
				m.Members = append(m.Members, world.Works(name))
			case "fails":
				m.Fails = name
			case "hpa":
				autoscale(m.Members, name)
			}
		}
	}
	s.w.Repo[words[0]] = m
}

// agent is a DaemonSet that depends on another member, as NAME:ON.
func agent(text string) v1alpha1.ReleaseMember {
	name, on, _ := strings.Cut(text, ":")
	m := world.Serves(name, 1, on)
	m.Kind = "DaemonSet"
	return m
}

// autoscale gives a member, as NAME:MIN:MAX, an autoscaler of its name.
func autoscale(members []v1alpha1.ReleaseMember, text string) {
	words := strings.Split(text, ":")
	for i := range members {
		if members[i].Name == words[0] {
			members[i].Autoscaler = &v1alpha1.ReleaseAutoscaler{Name: words[0], MinReplicas: number(words[1]), MaxReplicas: number(words[2])}
		}
	}
}

func (s *story) healRevision(words []string) {
	m := s.w.Repo[words[0]]
	m.Broken, m.Unpullable = nil, nil
	s.w.Repo[words[0]] = m
}

func (s *story) release(words []string) {
	spec := v1alpha1.ReleaseSpec{Revision: words[0]}
	for _, word := range words[1:] {
		if slot, is := strings.CutPrefix(word, "slot="); is {
			spec.Slot = slot
			continue
		}
		spec.Revision = word
	}
	s.w.MakeRelease(words[0], spec)
}

// decide is bound to what is seen now, unless told otherwise.
func (s *story) decide(words []string) {
	spec := v1alpha1.DecisionSpec{Verb: v1alpha1.Verb(words[0]), Release: words[1], By: "ann"}
	if r := s.w.Release(words[1]); r != nil {
		spec.ReleaseUID = string(r.UID)
		if r.Status.Started != nil {
			spec.Digest = r.Status.Started.Digest
		}
	}
	if step := s.w.Stack.Status.Units[0].Step; step != nil && spec.Verb == v1alpha1.VerbPromote {
		spec.Step, spec.Attempt = step.Kind, step.Attempt
	}
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "step":
			spec.Step = v1alpha1.StepKind(value)
		case "attempt":
			spec.Attempt = number(value)
		case "digest":
			spec.Digest = value
		case "uid":
			spec.ReleaseUID = value
		case "to":
			spec.To = value
		}
	}
	s.w.Decide(spec)
}

// direct is a rollback without the controller.
func (s *story) direct(words []string) {
	to := ""
	if len(words) > 0 {
		to = words[0]
	}
	d, problem := plan.Direct(s.w.Observe(), to, s.w.Now)
	if problem != nil {
		fmt.Fprintf(&s.out, "  refused: %s: %s\n", problem.Reason, problem.Message)
		return
	}
	for _, w := range d.Writes {
		fmt.Fprintf(&s.out, "  %s %s at epoch %d\n", w.Verb(), w.Object(), w.Intent.Epoch)
	}
	s.w.TakeBack(d)
}

// quietly does something and tells only what came of it.
func (s *story) quietly(do func()) {
	so := s.out.String()
	do()
	s.out.Reset()
	s.out.WriteString(so)
	s.last = s.slots()
	fmt.Fprintf(&s.out, "%s %s\n  slots: %s\n", s.clock(), s.seen(), s.last)
}

func (s *story) given(words []string) {
	s.quietly(func() {
		s.release(words)
		s.run(nil)
		if s.w.Stack.Status.Units[0].Step != nil {
			s.decide([]string{"Promote", words[0]})
			s.run(nil)
		}
	})
}

func (s *story) hold(words []string) {
	s.quietly(func() {
		s.release(words)
		s.run(nil)
	})
}

// run lets time pass from one wake-up to the next.
func (s *story) run(words []string) {
	end := s.w.Now
	if len(words) > 0 {
		end = s.w.Now.Add(duration(words[0]).Duration)
	}
	for range 5000 {
		if s.pass() {
			s.w.Pass(100 * time.Millisecond)
			continue
		}
		if s.op.Due() {
			continue
		}
		if s.op.Wake.IsZero() || s.op.Wake.After(end) {
			s.w.Now = latest(s.w.Now, end)
			return
		}
		s.w.Now = latest(s.w.Now, s.op.Wake)
	}
	s.t.Fatalf("never ends\n%s", s.out.String())
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *story) onePass() {
	before := s.seen()
	s.op.Pass()
	s.report(before)
}

func (s *story) window() {
	w := s.w.Stack.Status.Units[0].Window
	switch {
	case w == nil:
		fmt.Fprintf(&s.out, "  no window\n")
	case w.Milliseconds == nil:
		fmt.Fprintf(&s.out, "  the window to %s at epoch %d is open\n", orDash(w.Live), w.Epoch)
	default:
		fmt.Fprintf(&s.out, "  the window to %s at epoch %d was %d ms\n", orDash(w.Live), w.Epoch, *w.Milliseconds)
	}
}

func (s *story) users() {
	for _, v := range s.w.Visits() {
		fmt.Fprintf(&s.out, "  %s\n", v)
	}
}

func (s *story) releases() {
	for _, r := range s.w.Releases {
		text := "pending"
		if r.Status.Started != nil {
			text = "started"
		}
		if end := r.Status.Ended; end != nil {
			text = fmt.Sprintf("%s in %s, %s: %s", end.Outcome, orDash(end.Slot), end.Reason, end.Message)
		}
		fmt.Fprintf(&s.out, "  %s %s\n", r.Name, text)
	}
}

func (s *story) conditions() {
	for _, c := range s.w.Stack.Status.Conditions {
		fmt.Fprintf(&s.out, "  %s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
}

func (s *story) workloads(slot string) {
	n := s.w.Namespace(slot)
	for _, x := range n.Workloads {
		fmt.Fprintf(&s.out, "  %s/%s %s ×%d at epoch %d\n", x.Kind, x.Name, orDash(x.Release), x.Replicas, x.Epoch)
	}
	for _, p := range n.Pods {
		fmt.Fprintf(&s.out, "  Pod of %s %s\n", p.Member, orDash(p.Release))
	}
}

func (s *story) autoscalers(slot string) {
	for _, a := range s.w.Namespace(slot).Autoscalers {
		held := ""
		if a.Held {
			held = ", held"
		}
		fmt.Fprintf(&s.out, "  %s %d…%d at epoch %d%s\n", a.Name, a.Min, a.Max, a.Epoch, held)
	}
}

// second lets another process of the controller do one whole pass.
func (s *story) second([]string) {
	other := world.NewOperator(s.w, "second", nil)
	other.Pass()
	fmt.Fprintf(&s.out, "  the second process: %s\n", s.seen())
	for _, a := range other.Last.Actions {
		fmt.Fprintf(&s.out, "  %s\n", told(a))
	}
	s.effects()
}

// micro lets the controller do so many of its smallest steps, or go on until it has saved (but not acted), or finish.
func (s *story) micro(words []string) {
	before := s.seen()
	switch words[0] {
	case "until-saved":
		saved := s.w.Stack.ResourceVersion
		for range 1000 {
			if s.op.Step(); saved != s.w.Stack.ResourceVersion {
				break
			}
		}
	case "finish":
		for s.op.Busy() {
			s.op.Step()
		}
	default:
		for range number(words[0]) {
			s.op.Step()
		}
	}
	if now := s.seen(); now != before {
		fmt.Fprintf(&s.out, "%s %s\n", s.clock(), now)
	}
	s.effects()
}

func parseShares(words []string) []v1alpha1.SlotWeight {
	var weights []v1alpha1.SlotWeight
	for _, word := range words {
		slot, weight, _ := strings.Cut(word, "=")
		weights = append(weights, world.Share(slot, number(weight)))
	}
	return weights
}

func (s *story) editRoute(words []string) {
	s.w.EditRoute(s.w.Route(words[0]), parseShares(words[1:])...)
}

func (s *story) adopt(words []string) {
	s.w.Adopt(words[0], parseShares(words[1:])...)
}

func (s *story) scale(words []string) {
	n := s.w.Namespace(words[0])
	s.w.ScaleByHand(n, n.Workload(words[1]), number(words[2]))
}

func (s *story) editWorkload(words []string) {
	n := s.w.Namespace(words[0])
	s.w.EditWorkload(n, n.Workload(words[1]))
}

func (s *story) found(words []string) {
	for _, name := range words[1:] {
		s.w.Found(words[0], name, 1)
	}
	for s.w.Tick(nil) {
		s.check()
	}
}

func (s *story) kill(words []string) {
	n := s.w.Namespace(words[0])
	for _, p := range n.Pods {
		if p.Member == words[1] {
			s.w.KillPod(n, p)
		}
	}
}

// neighbour is another Stack of the queue group: it takes the turn, gives it, waits for it, or leaves it alone.
func (s *story) neighbour(words []string) {
	switch words[0] {
	case "takes":
		s.w.NeighbourTakes()
	case "gives":
		s.w.NeighbourGives()
	case "waits":
		s.w.NeighbourWaits = "release w of Stack other/stack"
	case "leaves":
		s.w.NeighbourWaits = ""
	}
}

// breakPods leaves Pods of a member that are never ready again.
func (s *story) breakPods(words []string) {
	n := s.w.Namespace(words[0])
	for _, p := range n.Pods {
		if p.Member == words[1] {
			s.w.CrashPod(n, p)
		}
	}
}

func (s *story) namespace(words []string) {
	n := s.w.Namespace(words[0])
	n.Exists = true
	n.Consented = slices.Contains(words[1:], "consented")
	n.Bound = n.Consented
}

func (s *story) deleteRelease(words []string) {
	r := s.w.Release(words[0])
	s.w.DeleteRelease(plan.ReleaseRef{Name: r.Name, UID: r.UID})
}

func (s *story) policy(words []string) {
	if words[0] == "lost" {
		s.w.LosePolicy()
		return
	}
	s.w.SetPolicy()
}

func (s *story) push(words []string) {
	if s.w.Source == nil {
		s.w.Source = &plan.SourceFacts{}
	}
	s.w.Push(words[0], words[1])
}

// tag is the newest tag that matches the pattern, with the slot that it names.
func (s *story) tag(words []string) {
	s.push([]string{"commit-" + words[0], "inputs"})
	s.w.Source.Tag = words[0]
	if len(words) > 1 {
		s.w.Source.Slot = words[1]
	}
}

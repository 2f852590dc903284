package plan_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"pgregory.net/rapid"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// machine lets chance choose what happens next in a world, and watches over every promise.
type machine struct {
	w     *world.World
	ops   []*world.Operator
	watch *watcher
	made  int
	// paused processes do nothing until they are resumed.
	paused map[*world.Operator]bool
	story  []string
}

func newMachine(t *rapid.T) *machine {
	m := &machine{w: world.New(drawStack(t)), paused: map[*world.Operator]bool{}}
	if rapid.IntRange(0, 3).Draw(t, "found") == 0 {
		m.find()
	}
	m.w.Proves = rapid.Bool().Draw(t, "proves")
	m.watch = newWatcher(m.w)
	for i := range 2 {
		chance := rand.New(rand.NewSource(rapid.Int64Range(0, 1000).Draw(t, "order"))) //nolint:gosec // chance is meant to be repeatable
		m.ops = append(m.ops, world.NewOperator(m.w, fmt.Sprintf("operator-%d", i+1), chance))
	}
	return m
}

// find begins with a stack that its team has run by hand in the slot blue, with routes of its own.
func (m *machine) find() {
	n := m.w.Namespace("blue")
	n.Exists, n.Consented, n.Bound = true, true, true
	for _, name := range []string{"frontend", "catalog", "mailer"} {
		m.w.Found("blue", name, 1)
	}
	for _, r := range m.w.Routes[:len(m.w.Stack.Spec.Entries)] {
		m.w.Adopt(r.Entry, world.Share("blue", 100))
	}
	for m.w.Tick(nil) {
		m.w.Mark()
	}
}

func drawStack(t *rapid.T) v1alpha1.Stack {
	stack := world.ShopStack()
	spec := &stack.Spec
	spec.Strategy.BlueGreen.Promotion = rapid.SampledFrom([]v1alpha1.Promotion{v1alpha1.PromotionManual, v1alpha1.PromotionAuto}).Draw(t, "promotion")
	spec.Strategy.BlueGreen.KeepPrevious.For = world.Duration(rapid.SampledFrom([]time.Duration{0, time.Minute, 10 * time.Minute}).Draw(t, "keep"))
	spec.Sessions.DrainTimeout = world.Duration(rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute}).Draw(t, "drain"))
	spec.Queue.Policy = rapid.SampledFrom([]v1alpha1.QueuePolicy{v1alpha1.QueueWait, v1alpha1.QueueSupersede}).Draw(t, "queue")
	if rapid.IntRange(0, 2).Draw(t, "group") == 0 {
		spec.Queue.Group = "production"
	}
	spec.HistoryLimit = rapid.Int32Range(1, 4).Draw(t, "history")
	if rapid.Bool().Draw(t, "previewReplicas") {
		one := int32(1)
		spec.Strategy.BlueGreen.PreviewReplicas = &one
	}
	if rapid.Bool().Draw(t, "keep small") {
		one := int32(1)
		spec.Strategy.BlueGreen.KeepPrevious.Replicas = &one
	}
	spec.Strategy.BlueGreen.KeepPrevious.Yield = rapid.Bool().Draw(t, "yield")
	if rapid.Bool().Draw(t, "three slots") {
		spec.Slots = append(spec.Slots, v1alpha1.Slot{Name: "red", Namespace: "shop-red"})
	}
	if rapid.Bool().Draw(t, "two entries") {
		second := *spec.Entries[0].DeepCopy()
		second.Name = "admin"
		if rapid.Bool().Draw(t, "one preview") {
			second.Preview = nil
		}
		spec.Entries = append(spec.Entries, second)
	}
	if rapid.Bool().Draw(t, "preview hostname") {
		spec.Entries[0].Preview.Hostname = "preview.example.com"
	}
	return stack
}

// edited is any route that users come in through: what testers see is Lockstep's own.
func (m *machine) edited(t *rapid.T) *world.Route {
	return m.w.Routes[rapid.IntRange(0, len(m.w.Stack.Spec.Entries)-1).Draw(t, "route")]
}

func (m *machine) tell(format string, args ...any) {
	m.story = append(m.story, m.w.Now.Format("15:04:05.0 ")+fmt.Sprintf(format, args...))
}

// check fails with everything that has happened.
func (m *machine) check(t *rapid.T) {
	for _, e := range m.w.Log[m.watch.seen:] {
		m.story = append(m.story, "    "+describe(&e)+": "+e.Effect+statusText(&e))
	}
	if err := m.watch.check(); err != nil {
		m.tell("gateways: %s", m.gateways())
		t.Fatalf("%v\n%s", err, strings.Join(m.story, "\n"))
	}
}

func (m *machine) gateways() string {
	text := ""
	for _, g := range m.w.Gateways {
		for _, r := range m.w.Routes {
			taken := g.Routes[r.Entry]
			text += fmt.Sprintf("%s has %s at epoch %d by %s: %v; ", g.Name, r.Entry, taken.Epoch, taken.MovedBy, taken.Weights)
		}
	}
	for _, r := range m.w.Routes {
		text += fmt.Sprintf("%s is at epoch %d by %s: %v; ", r.Entry, r.Epoch, r.MovedBy, r.Weights)
	}
	return text
}

func statusText(e *world.Write) string {
	if e.StatusAfter == nil {
		return ""
	}
	u := e.StatusAfter.Units[0]
	text := fmt.Sprintf(" [live %s/%s epoch %d", u.LiveSlot, u.LiveRelease, u.Epoch)
	if u.Route != nil {
		text += fmt.Sprintf(" route %+v", *u.Route)
	}
	if u.Step != nil {
		text += fmt.Sprintf("; %s in %s at %s#%d: %s", u.ActiveRelease, u.ActiveSlot, u.Step.Kind, u.Step.Attempt, u.Step.Reason)
	}
	for _, s := range e.StatusAfter.Slots {
		text += fmt.Sprintf("; %s %s %s@%d", s.Name, s.State, s.Release, s.Epoch)
	}
	return text + "]"
}

// calm is what happens on an ordinary day.
func (m *machine) calm() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":          m.check,
		"operate":   m.operate,
		"operate ":  m.operate,
		"operate  ": m.operate,
		"a pass":    m.pass,
		"tick":      m.tick,
		"tick ":     m.tick,
		"a while":   m.while,
		"a while ":  m.while,
		"a while  ": m.while,
		"wait":      m.wait,
		"release":   m.release,
		"promote":   m.promote,
		"rollback":  m.rollback,
		"decide":    m.decide,
		"kill":      m.kill,
		"router":    m.router,
		"lag":       m.lag,
		"neighbour": m.neighbour,
		"refuse":    m.refuse,
		"crash":     m.crash,
		"pause":     m.pause,
	}
}

// hands is what people do beside.
func (m *machine) hands() map[string]func(*rapid.T) {
	all := m.calm()
	all["edit route"] = m.editRoute
	all["edit workload"] = m.editWorkload
	all["scale by hand"] = m.scaleByHand
	all["delete something"] = m.deleteSomething
	all["policy"] = m.policy
	all["stray"] = m.stray
	all["hide"] = m.hide
	return all
}

func (m *machine) operator(t *rapid.T) *world.Operator {
	return m.ops[rapid.IntRange(0, len(m.ops)-1).Draw(t, "operator")]
}

// operate does a few of the smallest steps of one process.
func (m *machine) operate(t *rapid.T) {
	o := m.operator(t)
	for range rapid.IntRange(1, 20).Draw(t, "steps") {
		o.Step()
		m.check(t)
	}
}

func (m *machine) pass(t *rapid.T) {
	o := m.operator(t)
	if m.paused[o] {
		t.Skip("paused")
	}
	m.tell("%s does a pass", o.Name)
	o.Pass()
}

// pause stops a process wherever it is, or lets one go on with its old plan.
func (m *machine) pause(t *rapid.T) {
	o := m.operator(t)
	m.paused[o] = !m.paused[o]
	m.tell("%s is paused: %v", o.Name, m.paused[o])
}

// while lets everyone do their work for some rounds.
func (m *machine) while(t *rapid.T) {
	m.tell("everyone works")
	for range rapid.IntRange(1, 12).Draw(t, "rounds") {
		m.round(t)
		m.w.Pass(100 * time.Millisecond)
	}
}

func (m *machine) crash(t *rapid.T) {
	o := m.operator(t)
	m.tell("%s crashes", o.Name)
	o.Crash()
}

func (m *machine) tick(t *rapid.T) {
	chance := rand.New(rand.NewSource(rapid.Int64Range(0, 1000).Draw(t, "order"))) //nolint:gosec // chance is meant to be repeatable
	for range rapid.IntRange(1, 4).Draw(t, "rounds") {
		m.w.Tick(chance)
		m.check(t)
	}
}

func (m *machine) wait(t *rapid.T) {
	m.w.Pass(rapid.SampledFrom([]time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 6 * time.Minute}).Draw(t, "wait"))
	m.tell("time passes")
}

func (m *machine) release(t *rapid.T) {
	if m.pending() > 2 {
		t.Skip("enough releases wait")
	}
	m.made++
	name := fmt.Sprintf("v%d", m.made)
	manifest := world.Shop()
	switch rapid.IntRange(0, 14).Draw(t, "manifest") {
	case 0:
		manifest.Broken = map[string]bool{"catalog": true}
	case 1:
		manifest.Unpullable = map[string]bool{"frontend": true}
	case 2:
		manifest.Fails = v1alpha1.ReasonRenderFailed
	case 3:
		manifest.Members = append(manifest.Members, world.Serves("search", 1, "catalog"))
	case 4:
		manifest.Broken = map[string]bool{"mailer": true}
	case 5:
		manifest.Members = append(manifest.Members, world.Strikes("report"))
	}
	if rapid.Bool().Draw(t, "autoscaled") {
		manifest.Members[0].Autoscaler = &v1alpha1.ReleaseAutoscaler{Name: "frontend", MinReplicas: 2, MaxReplicas: 3}
	}
	m.w.Repo[name] = manifest
	m.tell("release %s is made", name)
	m.w.MakeRelease(name, v1alpha1.ReleaseSpec{Revision: name})
}

func (m *machine) pending() int {
	n := 0
	for _, r := range m.w.Releases {
		if r.Status.Ended == nil {
			n++
		}
	}
	return n
}

func (m *machine) unit() v1alpha1.UnitStatus { return unitOf(m.w) }

// promote says what a person says who looks at the hold.
func (m *machine) promote(t *rapid.T) {
	u := m.unit()
	r := m.w.Release(u.ActiveRelease)
	if r == nil || u.Step.Kind != v1alpha1.StepHold {
		t.Skip("nothing holds")
	}
	m.tell("%s is promoted", r.Name)
	m.w.Decide(v1alpha1.DecisionSpec{
		Verb: v1alpha1.VerbPromote, Release: r.Name, ReleaseUID: string(r.UID), By: "ann",
		Step: v1alpha1.StepHold, Attempt: u.Step.Attempt, Digest: r.Status.Started.Digest,
	})
}

// rollback says what a person says who does not like what is live.
func (m *machine) rollback(t *rapid.T) {
	r := m.w.Release(m.unit().LiveRelease)
	if r == nil || rapid.Bool().Draw(t, "content") {
		t.Skip("all is well")
	}
	m.tell("%s is rolled back", r.Name)
	m.w.Decide(v1alpha1.DecisionSpec{Verb: v1alpha1.VerbRollback, Release: r.Name, ReleaseUID: string(r.UID), By: "ann"})
}

// decide says anything about any release, stale things too.
func (m *machine) decide(t *rapid.T) {
	if len(m.w.Releases) == 0 {
		t.Skip("no release")
	}
	r := rapid.SampledFrom(m.w.Releases).Draw(t, "release")
	if active := m.w.Release(m.unit().ActiveRelease); active != nil && rapid.Bool().Draw(t, "the active one") {
		r = active
	}
	spec := v1alpha1.DecisionSpec{
		Verb:    rapid.SampledFrom([]v1alpha1.Verb{v1alpha1.VerbPromote, v1alpha1.VerbAbort, v1alpha1.VerbAbort, v1alpha1.VerbRollback, v1alpha1.VerbRetire}).Draw(t, "verb"),
		Release: r.Name, ReleaseUID: string(r.UID), By: "ann",
		Step: v1alpha1.StepHold, Attempt: rapid.Int32Range(1, 3).Draw(t, "attempt"), Digest: "digest-" + r.Name,
	}
	switch rapid.IntRange(0, 9).Draw(t, "stale") {
	case 0:
		spec.ReleaseUID = "uid-of-another"
	case 1:
		spec.Digest = "digest-of-another"
	case 2:
		spec.Step = v1alpha1.StepCheck
	}
	m.tell("%s of %s is said", spec.Verb, r.Name)
	m.w.Decide(spec)
}

func (m *machine) namespace(t *rapid.T) *world.Namespace {
	return rapid.SampledFrom(m.w.Namespaces).Draw(t, "namespace")
}

func (m *machine) kill(t *rapid.T) {
	n := m.namespace(t)
	if len(n.Pods) == 0 {
		t.Skip("no Pod")
	}
	p := rapid.SampledFrom(n.Pods).Draw(t, "pod")
	if rapid.Bool().Draw(t, "crash") {
		m.tell("Pod %s/%s crashes", n.Name, p.Name)
		m.w.CrashPod(n, p)
		return
	}
	m.tell("Pod %s/%s is killed", n.Name, p.Name)
	m.w.KillPod(n, p)
}

func (m *machine) router(t *rapid.T) {
	m.w.RouterRefuses = rapid.IntRange(0, 2).Draw(t, "refuses") == 0
	m.tell("the router refuses: %v", m.w.RouterRefuses)
}

// neighbour is another Stack of the queue group.
func (m *machine) neighbour(t *rapid.T) {
	if m.w.Stack.Spec.Queue.Group == "" {
		t.Skip("no group")
	}
	if m.w.Lease.Holder == "" {
		m.tell("another Stack takes the turn")
		m.w.NeighbourTakes()
		return
	}
	m.tell("another Stack gives the turn back, if it has it")
	m.w.NeighbourGives()
}

// lag has something be slow that users are served by, or have it keep up again.
func (m *machine) lag(t *rapid.T) {
	what := rapid.IntRange(0, 2).Draw(t, "what")
	slow := []*bool{&m.w.NodesLag, &m.w.EndpointsLag, &m.w.PodsLinger}[what]
	*slow = !*slow
	m.tell("%s: %v", []string{"the nodes lag", "endpoints lag", "Pods linger"}[what], *slow)
}

// refuse has admission let nobody write the route of one entry, or lets them again.
func (m *machine) refuse(t *rapid.T) {
	r := rapid.SampledFrom(m.w.Routes).Draw(t, "route")
	if m.w.Refuses = map[string]bool{}; rapid.Bool().Draw(t, "refuses") {
		m.w.Refuses[r.Entry] = true
	}
	m.tell("admission refuses: %v", m.w.Refuses)
}

func (m *machine) editRoute(t *rapid.T) {
	r := m.edited(t)
	if !r.Exists {
		t.Skip("no route")
	}
	var weights []v1alpha1.SlotWeight
	slots := m.w.Stack.Spec.Slots
	switch rapid.IntRange(0, 2).Draw(t, "weights") {
	case 0:
		weights = []v1alpha1.SlotWeight{world.Share(slots[0].Name, 50), world.Share(slots[1].Name, 50)}
	case 1:
		weights = []v1alpha1.SlotWeight{world.Share(rapid.SampledFrom(slots).Draw(t, "slot").Name, 100)}
	case 2:
		weights = slices.Clone(r.Weights)
	}
	m.tell("route %s is edited: %v", r.Entry, weights)
	m.w.EditRoute(r, weights...)
}

func (m *machine) editWorkload(t *rapid.T) {
	n := m.namespace(t)
	if len(n.Workloads) == 0 {
		t.Skip("no workload")
	}
	x := rapid.SampledFrom(n.Workloads).Draw(t, "workload")
	m.tell("%s/%s is edited", n.Name, x.Name)
	m.w.EditWorkload(n, x)
}

func (m *machine) scaleByHand(t *rapid.T) {
	n := m.namespace(t)
	if len(n.Workloads) == 0 {
		t.Skip("no workload")
	}
	x := rapid.SampledFrom(n.Workloads).Draw(t, "workload")
	replicas := rapid.Int32Range(0, 3).Draw(t, "replicas")
	if x.Name == "mailer" || x.Name == "report" {
		replicas = 0
	}
	m.tell("%s/%s is scaled to %d", n.Name, x.Name, replicas)
	m.w.ScaleByHand(n, x, replicas)
}

// hide takes the right to read a namespace away, or gives it back.
func (m *machine) hide(t *rapid.T) {
	n := m.namespace(t)
	m.tell("namespace %s is hidden: %v", n.Name, !n.Hidden)
	m.w.Hide(n, !n.Hidden)
}

// stray is someone who runs something in a slot that nobody is on.
func (m *machine) stray(t *rapid.T) {
	n := m.namespace(t)
	u := m.unit()
	if !n.Exists || n.Terminating || n.Slot == u.LiveSlot || n.Slot == u.ActiveSlot {
		t.Skip("it is used")
	}
	name := rapid.SampledFrom([]string{"frontend", "catalog", "search"}).Draw(t, "workload")
	m.tell("someone runs %s in %s", name, n.Name)
	if x := n.Workload(name); x != nil {
		m.w.ScaleByHand(n, x, 1)
		return
	}
	m.w.Found(n.Slot, name, 1)
}

func (m *machine) deleteSomething(t *rapid.T) {
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		r := rapid.SampledFrom(m.w.Routes).Draw(t, "route")
		m.tell("route %s is deleted", r.Entry)
		m.w.DeleteRoute(r)
	case 1:
		n := m.namespace(t)
		m.tell("namespace %s is deleted", n.Name)
		m.watch.workersExcused = m.watch.workersExcused || slices.ContainsFunc(n.Pods, func(p *world.Pod) bool { return p.Member == "mailer" && p.Release == "" })
		m.w.DeleteNamespace(n)
	case 2:
		if len(m.w.Releases) > 0 {
			r := rapid.SampledFrom(m.w.Releases).Draw(t, "release")
			m.tell("release %s is deleted", r.Name)
			m.w.DeleteRelease(plan.ReleaseRef{Name: r.Name, UID: r.UID})
		}
	case 3:
		m.tell("the Stack is made again, without status")
		m.w.RecreateStack()
	}
}

func (m *machine) policy(t *rapid.T) {
	if rapid.Bool().Draw(t, "lost") {
		m.tell("the policy is lost")
		m.w.LosePolicy()
		return
	}
	m.w.SetPolicy()
}

// settle lets everyone do their work, fairly and undisturbed, until nothing happens any more.
func (m *machine) settle(t *rapid.T) {
	m.w.RouterRefuses, m.w.NodesLag, m.w.EndpointsLag, m.w.PodsLinger = false, false, false, false
	m.w.Refuses = nil
	m.w.MendPods()
	m.w.NeighbourGives()
	for _, n := range m.w.Namespaces {
		m.w.Hide(n, false)
	}
	clear(m.paused)
	m.tell("from here on nothing disturbs")
	quiet := 0
	for range 20000 {
		if m.round(t) {
			quiet = 0
			m.w.Pass(100 * time.Millisecond)
			continue
		}
		if quiet++; quiet > 3 && !m.moves() {
			return
		}
		m.sleep(t)
	}
	for _, o := range m.ops {
		m.tell("%s: due %v idle %v wake %s last %+v", o.Name, o.Due(), o.Idle, o.Wake.Format("15:04:05.0"), o.Last.Actions)
	}
	t.Fatalf("the world never settles: %+v\n%+v\n%s", m.w.Stack.Status.Slots, m.w.Stack.Status.Conditions, strings.Join(m.story, "\n"))
}

func (m *machine) round(t *rapid.T) (busy bool) {
	for _, o := range m.ops {
		if !m.paused[o] && o.Due() {
			o.Pass()
			busy = busy || !o.Idle
			m.wakes(t, o)
		}
		m.check(t)
	}
	ticked := m.w.Tick(nil)
	busy = busy || ticked
	m.check(t)
	return busy
}

// wakes must lie in the future, or the controller would never rest.
func (m *machine) wakes(t *rapid.T, o *world.Operator) {
	if !o.Wake.IsZero() && !o.Wake.After(o.Planned) {
		t.Fatalf("%s wakes at %s, and it was %s\n%s", o.Name, o.Wake, o.Planned, strings.Join(m.story, "\n"))
	}
}

// sleep goes on to the first wake-up.
func (m *machine) sleep(t *rapid.T) {
	var next time.Time
	for _, o := range m.ops {
		if !o.Wake.IsZero() && (next.IsZero() || o.Wake.Before(next)) {
			next = o.Wake
		}
	}
	if next.IsZero() {
		if m.moves() {
			t.Fatalf("nobody wakes, and not all is at rest\n%s", strings.Join(m.story, "\n"))
		}
		return
	}
	if next.After(m.w.Now) {
		m.w.Now = next
	}
}

// moves is whether a release or a slot is not at rest yet, for which only time has to pass.
func (m *machine) moves() bool {
	if meta.IsStatusConditionTrue(m.w.Stack.Status.Conditions, v1alpha1.ConditionStalled) {
		return false
	}
	u := m.unit()
	if u.Step != nil && u.Step.Reason == v1alpha1.ReasonEntryRefused {
		return true // it is tried again after a while
	}
	if u.ActiveRelease != "" && u.Step.Kind != v1alpha1.StepHold && !atRest[u.Step.Reason] && !waitsForPeople(u.Step) && !slotNeedsPeople(m.w) {
		return true
	}
	return slices.ContainsFunc(m.w.Stack.Status.Slots, func(s v1alpha1.SlotStatus) bool {
		return s.Name != u.ActiveSlot && s.State == v1alpha1.SlotWarm || (s.State == v1alpha1.SlotDraining || s.State == v1alpha1.SlotRetiring) && !needsPeople[s.Reason] && !withheld(u, s)
	})
}

// withheld is whether a slot cannot be left because an entry is not sent to the one that users are on in part, and that is no
// longer fit: the release says so, and waits for people.
func withheld(u v1alpha1.UnitStatus, s v1alpha1.SlotStatus) bool {
	return u.Step != nil && atRest[u.Step.Reason] && s.Reason == v1alpha1.ReasonMemberNotReady
}

// repair is what people do who read what Lockstep says.
func (m *machine) repair() {
	m.w.SetPolicy()
	said := m.w.Stack.Status.Conditions
	for _, c := range said {
		switch c.Reason {
		case v1alpha1.ReasonLiveUnknown:
			m.clear()
		case v1alpha1.ReasonEntryEdited, v1alpha1.ReasonEntryClaimed, v1alpha1.ReasonBackendMissing:
			m.putBack()
		case v1alpha1.ReasonEntryMissing:
			m.makeRoutes()
		}
	}
	for _, s := range m.w.Stack.Status.Slots {
		switch s.Reason {
		case v1alpha1.ReasonEntryEdited:
			m.putBack()
		case v1alpha1.ReasonSlotNotEmpty:
			m.empty(m.w.Namespace(s.Name))
		}
	}
	if u := m.unit(); u.Step != nil && u.Step.Reason == v1alpha1.ReasonSlotNotEmpty {
		m.empty(m.w.Namespace(u.ActiveSlot))
	}
	m.scaleBack()
}

// empty stops what someone runs in a slot.
func (m *machine) empty(n *world.Namespace) {
	m.tell("people stop what they run in %s", n.Name)
	for _, x := range n.Workloads {
		if !x.Labelled {
			m.w.ScaleByHand(n, x, 0)
		}
	}
}

// makeRoutes has the team make the routes again that Lockstep only adopts.
func (m *machine) makeRoutes() {
	slot := "blue"
	if intent := m.unit().Route; intent != nil && intent.Live != "" {
		slot = intent.Live
	}
	for _, r := range m.w.Routes {
		if r.Adopted && !r.Exists {
			m.tell("the team makes route %s again, to %s", r.Entry, slot)
			m.w.Adopt(r.Entry, world.Share(slot, 100))
		}
	}
}

// clear begins anew: no users, no workloads.
func (m *machine) clear() {
	m.tell("people clear away what nobody can account for")
	for _, r := range m.w.Routes {
		m.w.DeleteRoute(r)
	}
	for _, n := range m.w.Namespaces {
		for _, x := range n.Workloads {
			m.w.ScaleByHand(n, x, 0)
		}
	}
}

// putBack has every route say what Lockstep wants it to say.
func (m *machine) putBack() {
	intent := m.unit().Route
	if intent == nil {
		return
	}
	m.tell("people put the routes back to %+v", *intent)
	for _, r := range m.w.Routes {
		m.w.PutBack(r, *intent)
	}
}

// scaleBack has the live slot run what it should.
func (m *machine) scaleBack() {
	u := m.unit()
	live := m.w.Release(u.LiveRelease)
	if live == nil || live.Status.Started == nil {
		return
	}
	n := m.w.Namespace(u.LiveSlot)
	for _, member := range live.Status.Started.Members {
		if x := n.Workload(member.Name); x != nil && x.Replicas == 0 && (u.Step == nil || u.Step.Kind == v1alpha1.StepHold) {
			m.tell("people scale %s/%s back", n.Name, x.Name)
			m.w.ScaleByHand(n, x, member.Replicas)
		}
	}
}

// settled is what must be true once nothing happens any more.
func (m *machine) settled(t *rapid.T) {
	if err := settled(m.w); err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(m.story, "\n"))
	}
}

// TestPromisesAmongHands is the same with people who edit, delete and scale by hand, and repair what they are told to.
func TestPromisesAmongHands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(m.hands())
		m.settle(t)
		for range 3 {
			m.repair()
			m.settle(t)
		}
		m.settled(t)
	})
}

// TestPromisesOnOrdinaryDays has two processes of the controller run at once, crash and pause, while releases are made,
// decided upon, and Pods die.
func TestPromisesOnOrdinaryDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(m.calm())
		m.settle(t)
		m.settled(t)
	})
}

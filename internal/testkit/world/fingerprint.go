package world

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Fingerprint stands for everything that can matter to what happens from here on.
type Fingerprint [16]byte

// Fingerprint of the world, of the processes in it, of writes under way, and of what else is remembered of the past
// (facts: plain data). Two states are the same if one can be turned into the other by
//   - letting the clock start elsewhere: only ages count, and those beyond far are alike, so far must be longer than every
//     time limit of the Stack;
//   - renumbering epochs in their order, since nobody does more with them than compare them and take a greater one;
//   - renumbering Pods, UIDs and versions: of a version it only counts whether it is still the present one;
//   - swapping the processes, or the gateway replicas, which differ in nothing but their names;
//   - saying it in other words: messages are left out, and reasons are not.
func (w *World) Fingerprint(far time.Duration, ops []*Operator, late []*Late, facts ...any) Fingerprint {
	s := &scribe{w: w, far: far, buf: make([]byte, 0, 4096), epochs: make([]mark, 0, 64)}
	s.world()
	for _, l := range late {
		s.number(l.disturbed - w.disturbed)
		s.saw(l.saw)
		s.task(&l.task)
	}
	for _, fact := range facts {
		s.value(fact)
	}
	twins := []int{len(s.buf)}
	for _, g := range w.Gateways {
		s.gateway(g)
		twins = append(twins, len(s.buf))
	}
	processes := []int{len(s.buf)}
	for _, o := range ops {
		s.operator(o)
		processes = append(processes, len(s.buf))
	}
	s.rankEpochs()
	hash := sha256.New()
	hash.Write(s.buf[:twins[0]])
	s.sorted(hash, twins)
	s.sorted(hash, processes)
	return Fingerprint(hash.Sum(nil)[:len(Fingerprint{})])
}

// sorted writes what was written between the bounds in an order of its own.
func (s *scribe) sorted(to io.Writer, bounds []int) {
	var parts [][]byte
	for i := range len(bounds) - 1 {
		parts = append(parts, s.buf[bounds[i]:bounds[i+1]])
	}
	slices.SortFunc(parts, bytes.Compare)
	for _, part := range parts {
		to.Write(part) //nolint:errcheck // a hash takes everything
	}
}

// scribe writes states down in a form that is the same for all that are alike.
type scribe struct {
	w   *World
	far time.Duration
	buf []byte
	// epochs were written at these places, to be replaced by their ranks.
	epochs []mark
}

type mark struct {
	at    int
	epoch int64
}

func (s *scribe) epoch(e int64) {
	s.epochs = append(s.epochs, mark{len(s.buf), e})
	s.buf = append(s.buf, 0)
}

func (s *scribe) rankEpochs() {
	all := make([]int64, 0, len(s.epochs)+1)
	all = append(all, 0) // none is not just any epoch
	for _, m := range s.epochs {
		all = append(all, m.epoch)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, m := range s.epochs {
		rank, _ := slices.BinarySearch(all, m.epoch)
		s.buf[m.at] = byte(rank)
	}
}

func (s *scribe) number(n int64)   { s.buf = binary.AppendVarint(s.buf, n) }
func (s *scribe) text(text string) { s.number(int64(len(text))); s.buf = append(s.buf, text...) }

func (s *scribe) flags(flags ...bool) {
	for _, flag := range flags {
		if flag {
			s.buf = append(s.buf, 1)
		} else {
			s.buf = append(s.buf, 0)
		}
	}
}

// time writes how long ago it was, or how long it is until then.
func (s *scribe) time(t time.Time) {
	if t.IsZero() {
		s.buf = append(s.buf, 0)
		return
	}
	s.buf = append(s.buf, 1)
	s.number(int64(min(max(s.w.Now.Sub(t), -s.far), s.far)))
}

func (s *scribe) world() {
	w := s.w
	s.flags(w.Policy != nil, w.RouterRefuses, w.NodesLag, w.EndpointsLag, w.PodsLinger, w.Stack.Spec.Suspend)
	s.text(string(w.Stack.UID))
	s.status()
	for _, r := range w.Releases {
		s.text(r.Name)
		s.flags(w.Content[r.Name])
		s.value(r.Status)
	}
	for _, d := range w.Decisions {
		s.text(d.Name)
		s.text(string(d.Status.Result))
	}
	s.value([]any{w.Lease.Holder, w.Lease.Release, w.NeighbourWaits, w.Refuses})
	s.epoch(w.Lease.Epoch)
	for _, n := range w.Namespaces {
		s.namespace(n)
		s.time(w.left[n.Slot])
	}
	for _, r := range w.Routes {
		s.route(r)
	}
}

// said is a status as it is written down at a certain time.
type said struct {
	version string
	at      time.Time
	text    []byte
	epochs  []mark
}

// status is by far the longest part, and most moves leave it as it is.
func (s *scribe) status() {
	w := s.w
	if w.said == nil || w.said.version != w.Stack.ResourceVersion || !w.said.at.Equal(w.Now) {
		alone := &scribe{w: w, far: s.far}
		alone.value(w.Stack.Status)
		w.said = &said{w.Stack.ResourceVersion, w.Now, alone.buf, alone.epochs}
	}
	for _, m := range w.said.epochs {
		s.epochs = append(s.epochs, mark{len(s.buf) + m.at, m.epoch})
	}
	s.buf = append(s.buf, w.said.text...)
}

func (s *scribe) gateway(g *Gateway) {
	for _, r := range s.w.Routes {
		taken := g.Routes[r.Entry]
		s.flags(taken.generation == r.generation)
		s.route(&taken)
	}
}

func (s *scribe) route(r *Route) {
	s.flags(r.Exists, r.Adopted, r.Testers, r.accepted == r.generation)
	s.epoch(r.Epoch)
	s.value([]any{r.Weights, r.Origin, r.Preview, r.By, r.MovedBy})
}

func (s *scribe) namespace(n *Namespace) {
	s.flags(n.Exists, n.Terminating, n.Consented, n.Bound, n.Hidden, n.Hurt)
	s.number(int64(len(n.Workloads)))
	for _, x := range n.Workloads {
		s.text(x.Kind)
		s.text(x.Name)
		s.text(x.Release)
		s.epoch(x.Epoch)
		s.number(int64(x.Replicas))
		s.flags(x.Labelled, x.Edited, x.observed == x.generation, x.ready)
		s.time(x.struck)
	}
	s.number(int64(len(n.Pods)))
	for _, p := range n.Pods {
		s.text(p.Member)
		s.text(p.Release)
		s.flags(p.Ready, p.Terminating, p.Broken, p.Kind == cronJob)
		s.time(p.due)
	}
	for _, a := range n.Autoscalers {
		s.value(*a)
	}
	for _, service := range n.Services {
		s.text(service.Name)
		s.text(service.Member)
		s.text(service.Release)
		s.epoch(service.Epoch)
		s.pods(n, service.Endpoints)
		s.pods(n, service.reached)
	}
}

// pods writes which Pods of the namespace are named; those that are gone count, but are all alike.
func (s *scribe) pods(n *Namespace, names []string) {
	s.number(int64(len(names)))
	for _, name := range names {
		s.number(int64(slices.IndexFunc(n.Pods, func(p *Pod) bool { return p.Name == name })))
	}
}

func (s *scribe) operator(o *Operator) {
	s.value(o.results)
	s.flags(o.reading, o.next != nil)
	if !o.Busy() {
		return
	}
	s.flags(o.disturbed == s.w.disturbed)
	if o.reading {
		s.number(int64(len(o.readings)))
		s.number(int64(o.early))
		s.flags(o.snapshot.Stack.ResourceVersion == s.w.Stack.ResourceVersion)
		s.value(*o.snapshot)
		s.versions(o.snapshot)
		return
	}
	s.saw(o.snapshot)
	if o.next != nil {
		s.value(o.next.Status)
		for _, a := range o.next.Actions {
			s.action(a)
		}
	}
	for i := range o.tasks {
		s.task(&o.tasks[i])
	}
}

// versions are whether the entries were read at their present version.
func (s *scribe) versions(snapshot *plan.Snapshot) {
	for _, e := range snapshot.Entries {
		if r := s.w.Route(e.Name); r != nil {
			s.flags(e.ResourceVersion == r.resourceVersion())
		}
	}
}

// saw is what promises ask of what a writer has seen.
func (s *scribe) saw(snapshot *plan.Snapshot) {
	for _, slot := range snapshot.Slots {
		for _, x := range slot.Workloads {
			s.text(x.Name)
			s.text(x.Release)
			s.flags(x.Ready)
		}
		for _, x := range slot.Services {
			s.text(x.Name)
			s.text(x.Release)
			s.flags(x.Endpoints > 0)
		}
	}
	if units := snapshot.Stack.Status.Units; len(units) > 0 {
		s.text(units[0].LiveSlot)
		if units[0].Step != nil {
			s.text(string(units[0].Step.Kind))
		}
		s.value(units[0].Observations)
	}
}

func (s *scribe) action(a plan.Action) {
	s.text(a.Verb())
	s.value(a)
	if a, ok := a.(plan.WriteEntry); ok {
		s.flags(a.ResourceVersion == s.w.Route(a.Entry).resourceVersion())
	}
}

func (s *scribe) task(t *Task) {
	s.action(t.Action)
	s.number(int64(len(t.Writes)))
	s.text(t.found)
	a, ok := t.Action.(plan.ApplyMember)
	if !ok {
		return
	}
	x := s.w.Namespace(a.Slot).Workload(a.Name)
	s.flags(t.version == 0, x != nil && x.version == t.version)
}

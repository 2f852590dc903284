package plan_test

import (
	"fmt"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

func (s *story) respec(words []string) {
	s.stack = s.w.Stack
	s.setStack(words)
	s.w.Respec(s.stack.Spec)
}

func (s *story) addSlots(names []string) {
	for _, name := range names {
		s.stack.Spec.Slots = append(s.stack.Spec.Slots, v1alpha1.Slot{Name: name, Namespace: "shop-" + name})
	}
}

// addEntry is like the first one, but for its name and Service.
func (s *story) addEntry(words []string) {
	e := *s.w.Stack.Spec.Entries[0].DeepCopy()
	e.Name, e.Backend.Service = words[0], words[1]
	s.w.AddEntry(e, parseShares(words[2:])...)
}

func (s *story) foundAutoscaler(words []string) {
	n := s.w.Namespace(words[0])
	for _, x := range n.Workloads {
		member := []v1alpha1.ReleaseMember{{Name: x.Name}}
		autoscale(member, words[1])
		if a := member[0].Autoscaler; a != nil {
			n.Autoscalers = append(n.Autoscalers, &world.Autoscaler{Name: a.Name, Member: x.Name, Min: a.MinReplicas, Max: a.MaxReplicas})
		}
	}
}

func (s *story) slotsSaid() {
	for _, x := range s.w.Stack.Status.Slots {
		fmt.Fprintf(&s.out, "  %s %s %s: %s\n", x.Name, x.State, orDash(x.Reason), orDash(x.Message))
	}
}

func (s *story) untilMoved(words []string) {
	for range 10000 {
		if s.w.Route(words[0]).Sends(words[1]) {
			s.op.Crash()
			return
		}
		if s.op.Due() {
			s.op.Step()
		} else {
			s.w.Tick(nil)
		}
	}
	s.t.Fatalf("no user of %s is ever sent to %s\n%s", words[0], words[1], s.out.String())
}

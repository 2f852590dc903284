package observe

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// readOthers reads all other Stacks. Whoever shares a queue group must not miss the one that has the turn. Claims can be
// judged by what was watched: an older Stack was seen before a younger one.
func (p *pass) readOthers(ctx context.Context) error {
	var stacks v1alpha1.StackList
	reader := p.Watched
	if reader == nil || p.stack.Spec.Queue.Group != "" {
		reader = p.Live
	}
	if err := reader.List(ctx, &stacks); err != nil {
		return fmt.Errorf("listing stacks: %w", err)
	}
	for i := range stacks.Items {
		if other := &stacks.Items[i]; client.ObjectKeyFromObject(other) != client.ObjectKeyFromObject(p.stack) {
			p.others = append(p.others, *WithDefaults(other))
		}
	}
	return nil
}

// refuseClaimed keeps two Stacks from moving the same route, or from deploying to the same namespace. What a route or a
// namespace says of its owner counts first; where it says nothing, the older Stack has it.
func (p *pass) refuseClaimed() {
	for i := range p.snapshot.Entries {
		facts := &p.snapshot.Entries[i]
		if facts.Problem != nil || facts.Epoch > 0 {
			continue // a route that carries our epoch is ours: another owner would have been refused before
		}
		facts.Problem = claimedRoute(p.stack, p.entries[i], p.others)
	}
	claimed := claimedSlot(p.stack, p.snapshot.Slots, p.others)
	for i := range p.snapshot.Entries {
		if p.snapshot.Entries[i].Problem == nil {
			p.snapshot.Entries[i].Problem = claimed
		}
	}
}

func claimedRoute(stack *v1alpha1.Stack, spec entry.Spec, others []v1alpha1.Stack) *plan.Problem {
	for i := range others {
		other := &others[i]
		if older(other, stack) && hasRoute(other, spec) {
			return problem(v1alpha1.ReasonEntryClaimed,
				"%s %s is an entry of Stack %s too, which is older; one route can belong to one Stack: name another route in entry %s, or take it out of the other Stack",
				spec.Kind().Kind, spec.Key(), client.ObjectKeyFromObject(other), spec.Entry.Name)
		}
	}
	return nil
}

func hasRoute(stack *v1alpha1.Stack, spec entry.Spec) bool {
	for _, other := range entry.Specs(stack) {
		if other.Kind() == spec.Kind() && other.Key() == spec.Key() {
			return true
		}
	}
	return false
}

func claimedSlot(stack *v1alpha1.Stack, slots []plan.Slot, others []v1alpha1.Stack) *plan.Problem {
	for _, slot := range slots {
		if slot.Consented {
			continue
		}
		for i := range others {
			if other := &others[i]; older(other, stack) && hasSlot(other, slot.Namespace) {
				return problem(v1alpha1.ReasonEntryClaimed,
					"namespace %s is a slot of Stack %s too, which is older; give slot %s of this Stack a namespace of its own",
					slot.Namespace, client.ObjectKeyFromObject(other), slot.Name)
			}
		}
	}
	return nil
}

func hasSlot(stack *v1alpha1.Stack, namespace string) bool {
	for _, s := range stack.Spec.Slots {
		if s.Namespace == namespace {
			return true
		}
	}
	return false
}

// older orders Stacks; those of the same second by namespace and name.
func older(a, b *v1alpha1.Stack) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) < 0
}

package e2e

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestQueueGroup has two Stacks, in namespaces of two teams, release one at a time; a holder that is deleted gives way.
func TestQueueGroup(t *testing.T) {
	group := beside(t, settings{keep: "1s", more: "queue: {group: e2e-production}"})
	first := started(t, "queue-a", group)
	second := started(t, "queue-b", group)

	first.version("2.0.0", "catalog", "frontend")
	first.run(0, "release", "shop", "--wait=Hold")
	second.version("2.0.0", "catalog", "frontend")
	waiting := second.run(3, "release", "shop", "--wait=Hold", "--timeout=5s")
	if !strings.Contains(waiting.Stderr, "of Stack e2e-queue-a/shop has the turn in queue group e2e-production") {
		t.Errorf("who has the turn is not said: %s", waiting.Stderr)
	}
	if c := second.condition(v1alpha1.ConditionReady); c != v1alpha1.ReasonLive {
		t.Errorf("a Stack that waits for its turn is Ready because of %s", c)
	}
	first.run(0, "promote", "shop", "--wait=Live")
	second.until(time.Minute, "at its hold", atHold)

	first.version("3.0.0", "catalog", "frontend")
	first.run(0, "release", "shop")
	first.until(time.Minute, "waiting for its turn", func(s *v1alpha1.Stack) bool {
		c := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionProgressing)
		return c != nil && c.Reason == v1alpha1.ReasonWaitingForTurn
	})
	stack, err := cluster.Stack(second.ctx, second.home, "shop")
	second.must(err)
	second.must(cluster.Delete(second.ctx, stack, client.GracePeriodSeconds(0)))
	first.until(time.Minute, "at its hold", atHold)
	first.run(0, "promote", "shop", "--wait=Live")
	first.happy()
	second.happy()
}

func atHold(s *v1alpha1.Stack) bool {
	step := s.Status.Units[0].Step
	return step != nil && step.Kind == v1alpha1.StepHold
}

// condition is the reason of a condition.
func (s *shop) condition(kind string) string {
	s.t.Helper()
	stack, err := cluster.Stack(s.ctx, s.home, "shop")
	s.must(err)
	if c := meta.FindStatusCondition(stack.Status.Conditions, kind); c != nil {
		return c.Reason
	}
	return ""
}

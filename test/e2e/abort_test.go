package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestAbortInEveryStep ends releases in each step, once with everything quiet and, in a soak, with the controller killed
// right after the abort was said.
func TestAbortInEveryStep(t *testing.T) {
	o := settings{drain: "9s"}
	if os.Getenv("LOCKSTEP_SOAK") == "" {
		o = beside(t, o) // nobody kills the controller
	}
	s := started(t, "abort-steps", o)
	v1 := s.unit()
	s.must(s.repo.Replace("charts/catalog/values.yaml", "env: {}", "env: {START_DELAY: 3s}"))
	s.must(s.repo.Replace("charts/frontend/values.yaml", "env: {}", "env: {START_DELAY: 3s}"))
	steps := []v1alpha1.StepKind{v1alpha1.StepDeploy, v1alpha1.StepCheck, v1alpha1.StepHold, v1alpha1.StepSwitch}
	kills := []bool{false}
	if os.Getenv("LOCKSTEP_SOAK") != "" {
		steps = append(steps, v1alpha1.StepRender)
		kills = append(kills, true, true)
	}
	s.version("2.0.0", "catalog", "frontend", "cart")
	for _, kill := range kills {
		for _, step := range steps {
			t.Logf("abort at %s, kill the controller: %v", step, kill)
			s.abortAt(step, kill, v1)
		}
	}
	s.happy()
}

func (s *shop) abortAt(step v1alpha1.StepKind, kill bool, v1 v1alpha1.UnitStatus) {
	s.t.Helper()
	args := []string{"release", "shop"}
	if step != v1alpha1.StepRender {
		args = append(args, "--wait=Hold", "--timeout=1s")
	}
	cluster.Run(s.ctx, nil, append(args, "-n", s.home)...)
	s.reach(step)
	s.run(0, "abort", "shop")
	if kill {
		killController(s.t)
	}
	s.until(2*time.Minute, "back where it was", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		return u.ActiveRelease == "" && u.LiveRelease == v1.LiveRelease && u.LiveSlot == v1.LiveSlot
	})
	for _, slot := range []string{"blue", "green"} {
		if slot != v1.LiveSlot {
			s.untilSlot(slot, v1alpha1.SlotIdle)
		}
	}
}

// reach waits until the release is at a step, and promotes it where that is the switch.
func (s *shop) reach(step v1alpha1.StepKind) {
	s.t.Helper()
	at := func(kinds ...v1alpha1.StepKind) func(*v1alpha1.Stack) bool {
		return func(stack *v1alpha1.Stack) bool {
			for _, kind := range kinds {
				if now := stack.Status.Units[0].Step; now != nil && now.Kind == kind {
					return true
				}
			}
			return false
		}
	}
	if step != v1alpha1.StepSwitch {
		s.until(time.Minute, "at "+string(step), at(step, v1alpha1.StepHold))
		return
	}
	s.until(time.Minute, "at its hold", at(v1alpha1.StepHold))
	s.run(0, "promote", "shop")
}

package e2e

import (
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestHTTPRoute takes a release through preview, promotion, rollback and retirement, over a route that Lockstep makes.
func TestHTTPRoute(t *testing.T) { cycle(t, started(t, "httproute", settings{})) }

// TestVirtualService does the same over a VirtualService that Lockstep makes.
func TestVirtualService(t *testing.T) {
	cycle(t, started(t, "virtualservice", settings{entry: "virtualService: {hosts: [virtualservice.example.com], gateways: [istio-system/public]}"}))
}

func cycle(t *testing.T, s *shop) {
	t.Helper()
	v1 := s.unit()
	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	v2 := s.unit()
	if v2.LiveRelease == v1.LiveRelease || v2.LiveSlot == v1.LiveSlot {
		t.Fatalf("nothing moved: %+v → %+v", v1, v2)
	}
	s.usersSee(v2.LiveRelease)
	began := s.run(0, "rollback", "shop", "--wait=Live").Began
	s.usersSee(v1.LiveRelease)
	t.Logf("last request at the left slot began %v after the rollback command", s.users.Snapshot().SwitchLatency(v2.LiveRelease, began))
	s.untilSlot(v2.LiveSlot, v1alpha1.SlotIdle)
	if got := s.releases()[v2.LiveRelease].Status.Ended.Outcome; got != v1alpha1.OutcomeRolledBack {
		t.Errorf("the release that was left is %s, want RolledBack", got)
	}
	s.happy()
}

// TestAbortAtHold ends a release that testers looked at; users never see it.
func TestAbortAtHold(t *testing.T) {
	s := started(t, "abort-hold", settings{})
	v1 := s.unit()
	s.version("2.0.0", "catalog", "frontend", "cart")
	s.run(0, "release", "shop", "--wait=Hold")
	v2 := s.unit().ActiveRelease
	s.run(0, "abort", "shop")
	s.aborted(v1, v2)
}

// TestAbortDuringDeploy ends a release of which some members are applied.
func TestAbortDuringDeploy(t *testing.T) {
	s := started(t, "abort-deploy", settings{})
	v1 := s.unit()
	s.must(s.repo.Replace("charts/catalog/values.yaml", "env: {}", "env: {START_DELAY: 20s}"))
	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop")
	s.until(time.Minute, "waiting for catalog", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Kind == v1alpha1.StepDeploy && step.Reason == v1alpha1.ReasonDependencyWait
	})
	v2 := s.unit().ActiveRelease
	s.run(0, "abort", "shop")
	s.aborted(v1, v2)
}

func (s *shop) aborted(v1 v1alpha1.UnitStatus, v2 string) {
	s.t.Helper()
	s.until(time.Minute, "idle", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].ActiveRelease == "" })
	if u := s.unit(); u.LiveRelease != v1.LiveRelease || u.LiveSlot != v1.LiveSlot {
		s.t.Errorf("abort moved users: %+v → %+v", v1, u)
	}
	if got := s.releases()[v2].Status.Ended; got == nil || got.Outcome != v1alpha1.OutcomeAborted {
		s.t.Errorf("release %s ended as %+v, want Aborted", v2, got)
	}
	for _, slot := range []string{"blue", "green"} {
		if slot != v1.LiveSlot {
			s.untilSlot(slot, v1alpha1.SlotIdle)
		}
	}
	s.happy()
	if n := s.users.Snapshot().Releases[v2].Count; n != 0 {
		s.t.Errorf("users met the aborted release %d times", n)
	}
}

// TestColdRollback goes back when nothing is kept: the frozen bytes are deployed again, whatever Git says by then.
func TestColdRollback(t *testing.T) {
	s := started(t, "cold", settings{keep: "1s", drain: "9s", promotion: "Auto"})
	v1 := s.unit()
	before := s.releases()[v1.LiveRelease].Status.Started
	s.version("2.0.0", "catalog", "frontend", "cart", "ledger")
	s.run(0, "release", "shop", "--wait=Done")
	v2 := s.unit()
	s.untilSlot(v1.LiveSlot, v1alpha1.SlotIdle)
	s.version("3.0.0", "catalog", "frontend", "cart", "ledger") // what a new rendering would take
	s.run(0, "rollback", "shop", "--wait=Live")
	back := s.unit()
	after := s.releases()[back.LiveRelease].Status.Started
	if back.LiveRelease == v2.LiveRelease || after.Digest != before.Digest {
		t.Fatalf("went from %s to %s, digest %s, want that of %s: %s", v2.LiveRelease, back.LiveRelease, after.Digest, v1.LiveRelease, before.Digest)
	}
	for i := range before.Content {
		if got, want := after.Content[i].Secrets, before.Content[i].Secrets; len(got) != len(want) || got[0] != want[0] {
			t.Errorf("the bytes of slot %s differ: %v, want %v", before.Content[i].Slot, got, want)
		}
	}
	s.usersSee(back.LiveRelease)
	s.untilSlot(v2.LiveSlot, v1alpha1.SlotIdle)
	s.happy()
}

package apply

import (
	"context"
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func TestProve(t *testing.T) {
	w, ref := deployed(t, frontend)
	w.s.Releases[0].Status.Started.Members = []v1alpha1.ReleaseMember{{Name: "frontend", Kind: "Deployment", Role: v1alpha1.RoleService, Services: []string{"frontend"}}}
	silent := false
	board := &switchboard{answer: func(_ context.Context, address string) error { return only(!silent, refusal(address)) }}
	w.applier.Dial = board.dial
	proven := func() bool { return w.applier.Prove(w.ctx, &w.s.Stack, &w.s.Releases[0], "green") }

	if proven() {
		t.Error("what was never compared is proven")
	}
	w.ok(plan.VerifyContent{Release: ref, Slot: "green", Attempt: 1})
	if !proven() {
		t.Error("what was compared, and has not changed, is not proven")
	}
	w.edit(w.get("apps/v1", "Deployment", "frontend"), `{"spec":{"replicas":7}}`)
	if !proven() {
		t.Error("a size is no difference")
	}

	silent = true
	if proven() {
		t.Error("a Service that turns callers away is proven")
	}
	silent = false

	w.edit(w.get("v1", "Service", "frontend"), `{"spec":{"selector":{"app":"other"}}}`)
	if proven() {
		t.Error("a Service that was changed is proven")
	}
	w.edit(w.get("v1", "Service", "frontend"), `{"spec":{"selector":{"app":"frontend"}}}`)
	if !proven() {
		t.Error("a Service that was put back is not proven")
	}

	other := w.s.Releases[0].DeepCopy()
	other.UID = "uid-of-another"
	if w.applier.Prove(w.ctx, &w.s.Stack, other, "green") || proven() {
		t.Error("another release is proven by what was compared with the former one, or the former one is remembered")
	}
}

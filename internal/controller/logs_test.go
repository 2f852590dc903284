package controller

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Every line of a pass says which Stack, release and step it is about, each once; so does that of a pass that failed
// before the Stack was read.
func TestEachLineOfTheLogSaysStackReleaseAndStep(t *testing.T) {
	out := &strings.Builder{}
	w := newWorld(t, interceptor.Funcs{})
	w.places = newPlaces(logr.FromSlogHandler(slog.NewJSONHandler(out, nil)))
	request := ctrl.Request{NamespacedName: shop}
	status := epoch(1)
	status.Units[0].ActiveRelease, status.Units[0].Step = "v2", &v1alpha1.StepStatus{Kind: v1alpha1.StepDeploy}
	w.plan = func(plan.Snapshot) plan.Plan {
		return plan.Plan{Status: status, Actions: []plan.Action{plan.WriteEntry{Entry: "web"}}}
	}
	w.applier.does = func(ctx context.Context, _ *plan.Snapshot, _ plan.Action) ([]v1alpha1.Observation, error) {
		log.FromContext(ctx).Info("done")
		return nil, nil
	}
	_, err := w.Reconcile(log.IntoContext(context.Background(), w.places.of(&request)), request)
	mustDo(t, err)
	w.places.of(&request).Info("Reconciler error")

	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: %s", len(lines), out)
	}
	for _, line := range lines {
		var got map[string]any
		mustDo(t, json.Unmarshal([]byte(line), &got))
		if got["stack"] != "home/shop" || got["release"] != "v2" || got["step"] != "Deploy" || strings.Count(line, `"stack"`) != 1 {
			t.Errorf("the line does not say where it is: %s", line)
		}
	}
}

package observe

import (
	"context"
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

type drifter struct {
	says  string
	err   error
	asked int
}

func (d *drifter) Drift(context.Context, *v1alpha1.Stack, *v1alpha1.Release, string) (string, error) {
	d.asked++
	return d.says, d.err
}

func TestDriftIsLookedForWhenAWorkloadHasChanged(t *testing.T) {
	stack := smallestStack()
	stack.Status.Units = []v1alpha1.UnitStatus{{Name: plan.UnitAll, LiveSlot: "blue", LiveRelease: "r1"}}
	release := startedRelease()
	deployment := rolledOut("web", "r1", 1)
	c := cluster(t, interceptor.Funcs{}, stack, &release, deployment)
	d := &drifter{err: errors.New("busy")}
	o := New(Options{Live: c, Drift: d})
	look := func() string {
		t.Helper()
		s, err := o.Observe(context.Background(), shop)
		if err != nil {
			t.Fatal(err)
		}
		return s.Slots[0].Drift
	}

	if got := look(); got != "" || d.asked != 1 {
		t.Errorf("drift %q, asked %d times; what could not be found out is no drift", got, d.asked)
	}
	d.says, d.err = "web differs", nil
	if got := look(); got != "web differs" || d.asked != 2 {
		t.Errorf("drift %q, asked %d times; an error is not remembered", got, d.asked)
	}
	if got := look(); got != "web differs" || d.asked != 2 {
		t.Errorf("drift %q, asked %d times; nothing has changed since", got, d.asked)
	}
	d.says = ""
	if err := c.Get(context.Background(), client.ObjectKeyFromObject(deployment), deployment); err != nil {
		t.Fatal(err)
	}
	deployment.Generation++
	if err := c.Update(context.Background(), deployment); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "" || d.asked != 3 {
		t.Errorf("drift %q, asked %d times; the workload has changed", got, d.asked)
	}

	if err := c.Get(context.Background(), shop, stack); err != nil {
		t.Fatal(err)
	}
	stack.Status.Units[0].ActiveRelease = "r2"
	if err := c.Status().Update(context.Background(), stack); err != nil {
		t.Fatal(err)
	}
	deployment.Generation++
	if err := c.Update(context.Background(), deployment); err != nil {
		t.Fatal(err)
	}
	if look(); d.asked != 3 {
		t.Error("it is looked for while a release is active")
	}
	if err := c.Delete(context.Background(), stack); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Observe(context.Background(), shop); err == nil || len(o.drifts.known) > 0 {
		t.Errorf("error %v; %d slots of a Stack that is gone are remembered", err, len(o.drifts.known))
	}
}

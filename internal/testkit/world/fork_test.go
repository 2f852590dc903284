package world_test

import (
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

const far = time.Hour

// released is a world in which v1 is live and v2 is on its way, with two processes.
func released(t *testing.T) (*world.World, []*world.Operator) {
	t.Helper()
	w := world.New(world.ShopStack())
	w.Default = world.Small()
	ops := []*world.Operator{world.NewOperator(w, "1", nil), world.NewOperator(w, "2", nil)}
	for _, name := range []string{"v1", "v2"} {
		w.MakeRelease(name, v1alpha1.ReleaseSpec{Revision: name})
		for range 30 {
			ops[0].Pass()
			w.Tick(nil)
		}
	}
	if w.Stack.Status.Units[0].LiveRelease != "v1" || w.Stack.Status.Units[0].ActiveRelease != "v2" {
		t.Fatalf("v1 is not live, or v2 not on its way: %+v", w.Stack.Status.Units[0])
	}
	return w, ops
}

// TestForksAreApart has everything happen in a fork, in the middle of passes too, and nothing of it in the world that it
// was forked from.
func TestForksAreApart(t *testing.T) {
	w, ops := released(t)
	for step := range 40 {
		ops[step%2].Step()
		before := w.Fingerprint(far, ops, nil)
		f := w.Fork()
		forked := []*world.Operator{ops[0].Fork(f), ops[1].Fork(f)}
		if f.Fingerprint(far, forked, nil) != before {
			t.Fatalf("step %d: a fork has another fingerprint than the world that it was forked from", step)
		}
		u := f.Stack.Status.Units[0]
		f.Decide(v1alpha1.DecisionSpec{Verb: v1alpha1.VerbAbort, Release: "v2", ReleaseUID: string(f.Release("v2").UID), By: "ann", Attempt: u.Step.Attempt})
		for range 20 {
			forked[0].Pass()
			forked[1].Pass()
			f.Tick(nil)
			f.Pass(time.Minute)
			f.Mark()
		}
		if f.Release("v2").Status.Ended == nil {
			t.Fatalf("step %d: v2 goes on in the fork, where it was aborted", step)
		}
		if w.Fingerprint(far, ops, nil) != before {
			t.Fatalf("step %d: what happened in the fork shows in the world", step)
		}
	}
}

func TestFingerprints(t *testing.T) {
	w, ops := released(t)
	ops[0].Step()
	is := w.Fingerprint(far, ops, nil)
	if w.Fingerprint(far, []*world.Operator{ops[1], ops[0]}, nil) != is {
		t.Error("it counts which process it is")
	}
	tells := map[string]func(*world.World, []*world.Operator){
		"a crash":            func(_ *world.World, ops []*world.Operator) { ops[0].Crash() },
		"time":               func(w *world.World, _ []*world.Operator) { w.Pass(time.Second) },
		"an edit of a route": func(w *world.World, _ []*world.Operator) { w.EditRoute(w.Routes[0], world.Share("green", 100)) },
		"an edit of a member": func(w *world.World, _ []*world.Operator) {
			w.EditWorkload(w.Namespaces[1], w.Namespaces[1].Workloads[0])
		},
		"a dying Pod":         func(w *world.World, _ []*world.Operator) { w.KillPod(w.Namespaces[1], w.Namespaces[1].Pods[0]) },
		"a lost policy":       func(w *world.World, _ []*world.Operator) { w.LosePolicy() },
		"a part that is read": func(_ *world.World, ops []*world.Operator) { ops[0].Step() },
		"a Decision": func(w *world.World, _ []*world.Operator) {
			w.Decide(v1alpha1.DecisionSpec{Verb: v1alpha1.VerbAbort, Release: "v2"})
		},
	}
	for what, happens := range tells {
		f := w.Fork()
		forked := []*world.Operator{ops[0].Fork(f), ops[1].Fork(f)}
		happens(f, forked)
		if f.Fingerprint(far, forked, nil) == is {
			t.Errorf("%s does not count", what)
		}
	}
}

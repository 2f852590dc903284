package controller

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

var render = plan.RenderRelease{Release: plan.ReleaseRef{Name: "r1", UID: "u1"}, Attempt: 1}

func TestALongActionHoldsUpNothingAndRunsOnce(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	release := make(chan struct{})
	var started atomic.Int32
	w.applier.does = func(_ context.Context, _ *plan.Snapshot, a plan.Action) ([]v1alpha1.Observation, error) {
		if _, long := a.(plan.RenderRelease); !long {
			return nil, nil
		}
		started.Add(1)
		<-release
		return []v1alpha1.Observation{{Key: "render", OK: true}}, nil
	}
	var results [][]v1alpha1.Observation
	w.plan = func(s plan.Snapshot) plan.Plan {
		results = append(results, s.Results)
		return plan.Plan{Status: epoch(1), Actions: []plan.Action{render}}
	}
	w.pass()
	w.pass() // while it runs: it is not started again
	close(release)
	w.wanted()
	w.pass() // sees the result

	if started.Load() != 1 {
		t.Errorf("it was started %d times before its result was seen, want once", started.Load())
	}
	want := [][]v1alpha1.Observation{nil, nil, {{Key: "render", OK: true}}}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("results that the passes saw (-want +got):\n%s", diff)
	}
}

// A pass that began to observe before the result came in asks for the action once more.
func TestAResultThatNoPlanHasSeenKeepsTheActionFromRunningAgain(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	var started atomic.Int32
	w.applier.does = func(context.Context, *plan.Snapshot, plan.Action) ([]v1alpha1.Observation, error) {
		started.Add(1)
		return []v1alpha1.Observation{{Key: "render", OK: true}}, nil
	}
	late := false
	w.plan = func(plan.Snapshot) plan.Plan {
		if late {
			w.inbox.put(shop, longKey(render), []v1alpha1.Observation{{Key: "render", OK: true}})
		}
		return plan.Plan{Status: epoch(1), Actions: []plan.Action{render}}
	}
	late = true
	w.pass()
	if started.Load() != 0 {
		t.Error("it was started though its result was there")
	}
}

func TestALongActionThatNoPlanAsksForIsCancelled(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	running := w.untilCancelled()
	w.plan = doing(1, render)
	w.pass()
	running.wait(t, "it to begin")
	w.plan = doing(2) // someone has aborted
	w.pass()
	running.wait(t, "it to be cancelled")
	if got := w.inbox.read(shop); len(got) > 0 {
		t.Errorf("what it said all the same was kept: %v", got)
	}
}

func TestALongActionThatFailsRestsLongerEachTime(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	tries := make(chan struct{}, 10)
	w.applier.does = func(context.Context, *plan.Snapshot, plan.Action) ([]v1alpha1.Observation, error) {
		tries <- struct{}{}
		return nil, errors.New("the API server is busy")
	}
	w.plan = doing(1, render)
	for _, rest := range []time.Duration{firstRetry, 2 * firstRetry, 4 * firstRetry} {
		w.pass()
		<-tries
		w.resting()
		w.clock.Step(rest - time.Millisecond)
		w.pass()
		if len(tries) > 0 {
			t.Fatalf("it was tried again before %v had passed", rest)
		}
		w.clock.Step(time.Millisecond)
		w.wanted()
	}
}

// resting waits until the failure is on record.
func (w *world) resting() {
	w.t.Helper()
	for range 500 {
		if w.clock.HasWaiters() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("nothing waits to try again")
}

// Renders that take for ever keep neither the switches of others waiting, nor their renders.
func TestOneNamespaceDoesNotKeepOthersWaiting(t *testing.T) {
	r := newRunner(newInbox(), clock.RealClock{}, func(types.NamespacedName) {})
	forEver := func(ctx context.Context) ([]v1alpha1.Observation, error) { <-ctx.Done(); return nil, nil }
	for i := range 2 * rendersAtOnce {
		r.start(t.Context(), types.NamespacedName{Namespace: "greedy", Name: fmt.Sprint(i)}, render, forEver)
	}
	for _, action := range []plan.Action{render, plan.VerifyContent{Release: render.Release}, plan.DialServices{Release: render.Release}} {
		began := make(chan struct{})
		r.start(t.Context(), shop, action, func(context.Context) ([]v1alpha1.Observation, error) { close(began); return nil, nil })
		select {
		case <-began:
		case <-time.After(time.Minute):
			t.Fatalf("%s does not begin", action.Verb())
		}
	}
}

func TestAPanicIsAnError(t *testing.T) {
	_, err := guarded(context.Background(), func(context.Context) ([]v1alpha1.Observation, error) { panic("nil map") })
	if !errors.Is(err, errPanic) {
		t.Errorf("error %v, want %v", err, errPanic)
	}
}

func TestPaceSlowsDownWhereNothingChanges(t *testing.T) {
	p := newPace()
	a, b := []plan.Action{plan.ApplyMember{Name: "web"}}, []plan.Action{plan.ApplyMember{Name: "api"}}
	var got []time.Duration
	for _, actions := range [][]plan.Action{a, a, a, b, a, a, a, a, a, a, a, a} {
		got = append(got, p.next(shop, actions))
	}
	p.forget(shop)
	got = append(got, p.next(shop, a))
	ms := time.Millisecond
	want := []time.Duration{20 * ms, 40 * ms, 80 * ms, 20 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, slowest, slowest, 20 * ms}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("intervals (-want +got):\n%s", diff)
	}
}

func TestInboxKeepsTheNewestOfEachThing(t *testing.T) {
	in := newInbox()
	in.put(shop, "", []v1alpha1.Observation{{Key: "a", Reason: "old"}, {Key: "b"}})
	read := in.read(shop)
	in.put(shop, "", []v1alpha1.Observation{{Key: "a", Reason: "new"}})
	in.drop(shop, read)
	want := []v1alpha1.Observation{{Key: "a", Reason: "new"}}
	if diff := cmp.Diff(want, in.read(shop).observations()); diff != "" {
		t.Errorf("what came in since (-want +got):\n%s", diff)
	}
}

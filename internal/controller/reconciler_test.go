package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

var (
	shop   = types.NamespacedName{Namespace: "home", Name: "shop"}
	monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// world is a reconciler with everything around it faked: the plan is what the test says.
type world struct {
	*reconciler
	t       *testing.T
	clock   *clocktesting.FakeClock
	events  *events.FakeRecorder
	applier *fakeApplier
	// plan is what the planner is to say to what it sees.
	plan func(plan.Snapshot) plan.Plan
	// passes are the passes that something asked for.
	passes chan types.NamespacedName
}

type liveObserver struct{ client client.Reader }

func (o liveObserver) Observe(ctx context.Context, key types.NamespacedName) (*plan.Snapshot, error) {
	stack := &v1alpha1.Stack{}
	if err := o.client.Get(ctx, key, stack); err != nil {
		return nil, err
	}
	return &plan.Snapshot{Stack: *stack}, nil
}

// fakeApplier records what it was asked to do, and what was on record then.
type fakeApplier struct {
	mu   sync.Mutex
	did  []string
	does func(ctx context.Context, s *plan.Snapshot, a plan.Action) ([]v1alpha1.Observation, error)
}

func (f *fakeApplier) Do(ctx context.Context, s *plan.Snapshot, a plan.Action) ([]v1alpha1.Observation, error) {
	f.mu.Lock()
	f.did = append(f.did, a.Verb())
	f.mu.Unlock()
	if f.does == nil {
		return nil, nil
	}
	return f.does(ctx, s, a)
}

func (f *fakeApplier) Forget(types.NamespacedName) {}

func (f *fakeApplier) verbs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.did))
}

func newWorld(t *testing.T, funcs interceptor.Funcs) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stack := &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stack).WithStatusSubresource(stack, &v1alpha1.Release{}, &v1alpha1.Decision{}).WithInterceptorFuncs(funcs).Build()
	w := &world{
		t:       t,
		clock:   clocktesting.NewFakeClock(monday),
		events:  events.NewFakeRecorder(100),
		applier: &fakeApplier{},
		passes:  make(chan types.NamespacedName, 100),
	}
	in := newInbox()
	w.reconciler = &reconciler{
		client: c, observer: liveObserver{c}, applier: w.applier, events: w.events, clock: w.clock,
		next:     func(s plan.Snapshot, _ time.Time) plan.Plan { return w.plan(s) },
		inbox:    in,
		runner:   newRunner(in, w.clock, func(stack types.NamespacedName) { w.passes <- stack }),
		pace:     newPace(),
		meter:    newMeter(),
		places:   newPlaces(logr.Discard()),
		patience: newPatience(),
	}
	return w
}

func (w *world) pass() ctrl.Result {
	w.t.Helper()
	result, err := w.Reconcile(context.Background(), ctrl.Request{NamespacedName: shop})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// signals are given one after the other.
type signals chan struct{}

func (s signals) wait(t *testing.T, what string) {
	t.Helper()
	select {
	case <-s:
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for %s", what)
	}
}

// untilCancelled makes actions run until they are cancelled, and speak up all the same; it signals both ends.
func (w *world) untilCancelled() signals {
	s := make(signals, 2)
	w.applier.does = func(ctx context.Context, _ *plan.Snapshot, _ plan.Action) ([]v1alpha1.Observation, error) {
		s <- struct{}{}
		<-ctx.Done()
		s <- struct{}{}
		return []v1alpha1.Observation{{Key: "render", Reason: "Late"}}, nil
	}
	return s
}

// wanted waits until something asks for a pass.
func (w *world) wanted() {
	w.t.Helper()
	select {
	case <-w.passes:
	case <-time.After(5 * time.Second):
		w.t.Fatal("nobody asked for a pass")
	}
}

func (w *world) saved() v1alpha1.StackStatus {
	w.t.Helper()
	stack := &v1alpha1.Stack{}
	if err := w.client.Get(context.Background(), shop, stack); err != nil {
		w.t.Fatal(err)
	}
	return stack.Status
}

// epoch is a status that differs from others by its epoch.
func epoch(n int64) v1alpha1.StackStatus {
	return v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{Name: plan.UnitAll, Epoch: n}}}
}

func doing(n int64, actions ...plan.Action) func(plan.Snapshot) plan.Plan {
	return func(plan.Snapshot) plan.Plan { return plan.Plan{Status: epoch(n), Actions: actions} }
}

func TestIntentIsOnRecordBeforeItsEffect(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.plan = doing(7, plan.WriteEntry{Entry: "web"})
	w.applier.does = func(_ context.Context, s *plan.Snapshot, _ plan.Action) ([]v1alpha1.Observation, error) {
		if diff := cmp.Diff(epoch(7), w.saved()); diff != "" {
			t.Errorf("on record while the effect comes about (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(epoch(7), s.Stack.Status); diff != "" {
			t.Errorf("the status that the action is given (-want +got):\n%s", diff)
		}
		return nil, nil
	}
	if got := w.pass(); got.RequeueAfter != soon {
		t.Errorf("the next pass is after %v, want %v", got.RequeueAfter, soon)
	}
	if diff := cmp.Diff([]string{"WriteEntry"}, w.applier.verbs()); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

func TestNothingIsDoneWhereSomeoneElseHasWritten(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "stacks"}, "shop", errors.New("written meanwhile"))
	w := newWorld(t, interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return conflict
		},
	})
	w.plan = doing(7, plan.WriteEntry{Entry: "web"}, plan.Event{Reason: "Told"}, plan.Preflight{})
	w.inbox.put(shop, "", []v1alpha1.Observation{{Key: "base"}})

	if got := w.pass(); got.RequeueAfter != again {
		t.Errorf("the next pass is after %v, want %v", got.RequeueAfter, again)
	}
	if did := w.applier.verbs(); len(did) > 0 || len(w.events.Events) > 0 {
		t.Errorf("done %v, told %d events; want nothing", did, len(w.events.Events))
	}
	if len(w.inbox.read(shop)) != 1 {
		t.Error("the result was dropped though no plan that has seen it is on record")
	}
}

func TestAStatusThatIsTheSameIsNotWritten(t *testing.T) {
	writes := 0
	w := newWorld(t, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			writes++
			return c.SubResource(sub).Update(ctx, o, opts...)
		},
	})
	w.plan = func(plan.Snapshot) plan.Plan {
		return plan.Plan{Status: epoch(1), Wake: monday.Add(time.Minute)}
	}
	if got := w.pass(); got.RequeueAfter != soon {
		t.Errorf("after a status that is new the next pass is after %v, want %v", got.RequeueAfter, soon)
	}
	if got := w.pass(); got.RequeueAfter != time.Minute {
		t.Errorf("at rest the next pass is after %v, want the plan's minute", got.RequeueAfter)
	}
	if writes != 1 {
		t.Errorf("%d writes, want 1", writes)
	}
}

func TestResultsStayUntilAPlanHasSeenThem(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	refused := v1alpha1.Observation{Key: "apply/web", Reason: "Forbidden"}
	w.applier.does = func(context.Context, *plan.Snapshot, plan.Action) ([]v1alpha1.Observation, error) {
		return []v1alpha1.Observation{refused}, nil
	}
	w.plan = doing(1, plan.ApplyMember{})
	w.pass()

	var results [][]v1alpha1.Observation
	w.plan = func(s plan.Snapshot) plan.Plan {
		results = append(results, s.Results)
		return plan.Plan{Status: epoch(2)}
	}
	w.pass()
	w.pass()

	if diff := cmp.Diff([][]v1alpha1.Observation{{refused}, nil}, results); diff != "" {
		t.Errorf("results that the passes saw (-want +got):\n%s", diff)
	}
}

func TestErrorsAreTriedAgainAndHoldUpNoOthers(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.plan = doing(1, plan.ApplyMember{}, plan.Scale{}, plan.WriteEntry{})
	w.applier.does = func(_ context.Context, _ *plan.Snapshot, a plan.Action) ([]v1alpha1.Observation, error) {
		switch a.(type) {
		case plan.ApplyMember:
			return nil, errors.New("timed out")
		case plan.WriteEntry:
			return nil, fmt.Errorf("writing: %w", apierrors.NewConflict(schema.GroupResource{}, "route", nil))
		}
		return nil, nil
	}
	_, err := w.Reconcile(context.Background(), ctrl.Request{NamespacedName: shop})
	if err == nil || err.Error() != "timed out" {
		t.Errorf("error %v, want the one that may pass, and not the conflict", err)
	}
	if diff := cmp.Diff([]string{"ApplyMember", "Scale", "WriteEntry"}, w.applier.verbs()); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

// TestEntriesAreWrittenInOrder: none is begun before the one that precedes it was written, and none after one that was not.
func TestEntriesAreWrittenInOrder(t *testing.T) {
	refused := []v1alpha1.Observation{{Key: "entry/b", Reason: v1alpha1.ReasonEntryRefused}}
	w := newWorld(t, interceptor.Funcs{})
	w.plan = doing(1, plan.WriteEntry{Entry: "a"}, plan.Scale{}, plan.WriteEntry{Entry: "b"}, plan.WriteEntry{Entry: "c"})
	var written []string
	w.applier.does = func(_ context.Context, _ *plan.Snapshot, a plan.Action) ([]v1alpha1.Observation, error) {
		write, ok := a.(plan.WriteEntry)
		if !ok {
			return nil, nil
		}
		if write.Entry == "a" {
			time.Sleep(20 * time.Millisecond) // others would overtake it
		}
		written = append(written, write.Entry)
		if write.Entry == "b" {
			return refused, nil
		}
		return []v1alpha1.Observation{{Key: plan.WroteKey(write.Entry), OK: true}}, nil
	}
	w.pass()
	if diff := cmp.Diff([]string{"a", "b"}, written); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestEventsAreToldOnce(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.plan = doing(1, plan.Event{Reason: "Live", Message: "users are on it"}, plan.Event{Warning: true, Reason: "Edited", Message: "someone wrote"})
	w.pass()
	got := []string{<-w.events.Events, <-w.events.Events}
	if diff := cmp.Diff([]string{"Normal Live users are on it", "Warning Edited someone wrote"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if did := w.applier.verbs(); len(did) > 0 {
		t.Errorf("events were passed on as actions: %v", did)
	}
}

// TestEventsAreToldOnceTheEntriesWereWritten: users wait for the entries, and not for events. One that was refused is no
// reason not to tell.
func TestEventsAreToldOnceTheEntriesWereWritten(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	w.plan = doing(1, plan.Event{Reason: "First"}, plan.WriteEntry{Entry: "a"}, plan.Event{Reason: "Second"}, plan.WriteEntry{Entry: "b"}, plan.WriteEntry{Entry: "c"})
	w.applier.does = func(_ context.Context, _ *plan.Snapshot, a plan.Action) ([]v1alpha1.Observation, error) {
		if told := len(w.events.Events); told > 0 {
			t.Errorf("%d events were told before %s was written", told, a.Object())
		}
		if a == (plan.WriteEntry{Entry: "b"}) {
			return []v1alpha1.Observation{{Key: "entry/b", Reason: v1alpha1.ReasonEntryRefused}}, nil
		}
		return []v1alpha1.Observation{{Key: plan.WroteKey("a"), OK: true}}, nil
	}
	w.pass()
	close(w.events.Events)
	var got []string
	for event := range w.events.Events {
		got = append(got, event)
	}
	if diff := cmp.Diff([]string{"Normal First ", "Normal Second "}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAStackThatIsGoneIsForgotten(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	running := w.untilCancelled()
	w.plan = doing(1, plan.RenderRelease{})
	w.pass()
	running.wait(t, "the long action to begin")
	w.inbox.put(shop, "", []v1alpha1.Observation{{Key: "base"}})
	if err := w.client.Delete(context.Background(), &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}); err != nil {
		t.Fatal(err)
	}

	if got := w.pass(); got.RequeueAfter != 0 {
		t.Errorf("another pass after %v, want none", got.RequeueAfter)
	}
	running.wait(t, "the long action to be cancelled")
	if len(w.inbox.mails) > 0 || len(w.runner.runs) > 0 || len(w.pace.seen) > 0 {
		t.Error("something is remembered of the Stack")
	}
}

package observe

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// forge is a repository that waits until the test says what it holds.
type forge struct {
	asked   chan plan.SourceFacts
	answers chan any
}

func (f *forge) Newest(_ context.Context, _ *v1alpha1.Stack, known plan.SourceFacts) (plan.SourceFacts, error) {
	f.asked <- known
	switch answer := (<-f.answers).(type) {
	case error:
		return plan.SourceFacts{}, answer
	case string:
		return plan.SourceFacts{Commit: answer, Inputs: "of " + answer}, nil
	}
	return plan.SourceFacts{}, nil
}

type watched struct {
	*Poller
	t       *testing.T
	forge   *forge
	clock   *clocktesting.FakeClock
	changes chan types.NamespacedName
	stack   *v1alpha1.Stack
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{
		t:       t,
		forge:   &forge{asked: make(chan plan.SourceFacts, 10), answers: make(chan any, 10)},
		clock:   clocktesting.NewFakeClock(monday),
		changes: make(chan types.NamespacedName, 10),
	}
	w.stack = smallestStack()
	w.stack.Spec.Start = v1alpha1.Start{When: v1alpha1.StartCommit, Interval: &metav1.Duration{Duration: time.Minute}}
	w.stack = WithDefaults(w.stack)
	w.Poller = NewPoller(PollerOptions{Repository: w.forge, Changed: func(key types.NamespacedName) { w.changes <- key }, Clock: w.clock})
	return w
}

// poll looks at the facts, which starts a poll, and lets the repository answer.
func (w *watched) poll(answer any) {
	w.t.Helper()
	w.Facts(w.stack)
	select {
	case <-w.forge.asked:
	case <-time.After(10 * time.Second):
		w.t.Fatal("the repository was not asked")
	}
	w.forge.answers <- answer
}

func (w *watched) changed() {
	w.t.Helper()
	select {
	case <-w.changes:
	case <-time.After(10 * time.Second):
		w.t.Fatal("nobody was told of a change")
	}
}

func (w *watched) sees(want plan.SourceFacts) {
	w.t.Helper()
	got := w.Facts(w.stack)
	if got == nil {
		w.t.Fatal("nothing is known of the source")
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		w.t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func (w *watched) minutePasses() {
	w.t.Helper()
	for !w.clock.HasWaiters() {
		time.Sleep(time.Millisecond)
	}
	w.clock.Step(time.Minute)
	w.changed() // the poller asks for a pass, which looks at the facts again
}

func TestPollerAsksInTheBackgroundAtItsInterval(t *testing.T) {
	w := watch(t)
	if got := w.Facts(w.stack); got != nil {
		t.Errorf("facts %v before anyone was asked, want none", got)
	}
	w.poll("c1")
	w.changed()
	w.sees(plan.SourceFacts{Commit: "c1", Inputs: "of c1"})
	if len(w.forge.asked) > 0 {
		t.Error("it was asked again before a minute had passed")
	}
	w.minutePasses()
	w.poll("c2")
	w.changed()
	w.sees(plan.SourceFacts{Commit: "c2", Inputs: "of c2"})
}

func TestARepositoryThatIsAwayTakesNothingBack(t *testing.T) {
	w := watch(t)
	w.poll("c1")
	w.changed()
	w.minutePasses()
	w.poll(errors.New("no route to host"))
	w.changed()
	w.sees(plan.SourceFacts{Commit: "c1", Inputs: "of c1", Problem: &plan.Problem{
		Reason: v1alpha1.ReasonWatchFailed, Message: "the source of Stack shop cannot be watched: no route to host",
	}})
	w.minutePasses()
	w.poll("c1")
	w.changed()
	w.sees(plan.SourceFacts{Commit: "c1", Inputs: "of c1"})
}

func TestAnotherSourceIsAskedAtOnce(t *testing.T) {
	w := watch(t)
	w.poll("c1")
	w.changed()
	w.stack.Spec.Source.Git.SecretRef = &v1alpha1.LocalRef{Name: "git"}
	if got := w.Facts(w.stack); got != nil {
		t.Errorf("facts %v of the former source, want none", got)
	}
	select {
	case known := <-w.forge.asked:
		if known.Commit != "" {
			t.Errorf("the commit %q of the former source counts as known", known.Commit)
		}
		w.forge.answers <- "c9"
	case <-time.After(10 * time.Second):
		t.Fatal("the repository was not asked")
	}
}

func TestManualStacksAreNotWatched(t *testing.T) {
	w := watch(t)
	w.stack.Spec.Start.When = v1alpha1.StartManual
	if got := w.Facts(w.stack); got != nil || len(w.known) > 0 {
		t.Errorf("facts %v, want none", got)
	}
}

// slowForge counts how many ask it at once, and answers when it is told to.
type slowForge struct{ asked, answer chan struct{} }

func (f *slowForge) Newest(context.Context, *v1alpha1.Stack, plan.SourceFacts) (plan.SourceFacts, error) {
	f.asked <- struct{}{}
	<-f.answer
	return plan.SourceFacts{}, nil
}

func TestPollsTogetherAreBounded(t *testing.T) {
	const stacks = 5 * pollsAtOnce
	f := &slowForge{asked: make(chan struct{}, stacks), answer: make(chan struct{})}
	p := NewPoller(PollerOptions{Repository: f, Changed: func(types.NamespacedName) {}})
	for i := range stacks {
		stack := smallestStack()
		stack.Namespace, stack.Name = fmt.Sprint("home-", i), "shop"
		stack.Spec.Start = v1alpha1.Start{When: v1alpha1.StartCommit, Interval: &metav1.Duration{Duration: time.Hour}}
		p.Facts(WithDefaults(stack))
	}
	for range pollsAtOnce {
		<-f.asked
	}
	time.Sleep(50 * time.Millisecond)
	if len(f.asked) > 0 {
		t.Errorf("%d more are asked while %d have not answered", len(f.asked), pollsAtOnce)
	}
	close(f.answer)
	for range stacks - pollsAtOnce {
		<-f.asked
	}
}

package observe

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/fair"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Repository tells what a Stack's source holds now. known is the commit that was seen last, and what its inputs were:
// where the commit is still the same, the inputs need not be worked out again.
type Repository interface {
	Newest(ctx context.Context, stack *v1alpha1.Stack, known plan.SourceFacts) (plan.SourceFacts, error)
}

const (
	// pollTimeout bounds one poll, whatever the repository does.
	pollTimeout = 2 * time.Minute
	// pollsAtOnce bounds the polls together, of all Stacks and of a namespace: each may check a repository out.
	pollsAtOnce, pollsOfOne = 4, 2
)

// PollerOptions are what a Poller needs.
type PollerOptions struct {
	Repository Repository
	// Changed is called when there is something new to be seen of a Stack, or time to poll again.
	Changed func(types.NamespacedName)
	Clock   clock.WithDelayedExecution
}

// Poller asks the repositories of Stacks that start on commits, each at its interval, in the background. It needs no
// list of Stacks: looking at the facts of one is what keeps it polled, so that one that is gone is forgotten.
type Poller struct {
	PollerOptions
	places *fair.Places
	mu     sync.Mutex
	known  map[types.NamespacedName]*polled
}

type polled struct {
	uid     types.UID
	source  v1alpha1.GitSource
	pattern string
	asked   string
	facts   *plan.SourceFacts
	at      time.Time
	running bool
}

// NewPoller returns a Poller.
func NewPoller(o PollerOptions) *Poller {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Poller{PollerOptions: o, places: fair.New(pollsAtOnce, pollsOfOne), known: map[types.NamespacedName]*polled{}}
}

// Facts returns what the last poll said, and starts another one where it is time.
func (p *Poller) Facts(stack *v1alpha1.Stack) *plan.SourceFacts {
	key := client.ObjectKeyFromObject(stack)
	p.mu.Lock()
	defer p.mu.Unlock()
	if stack.Spec.Start.When == v1alpha1.StartManual || stack.Spec.Source.Inline != nil || stack.DeletionTimestamp != nil {
		delete(p.known, key)
		return nil
	}
	seen := p.known[key]
	if seen == nil || seen.uid != stack.UID || seen.source != withoutPointers(stack.Spec.Source.Git) || seen.pattern != stack.Spec.Start.Pattern {
		seen = &polled{uid: stack.UID, source: withoutPointers(stack.Spec.Source.Git), pattern: stack.Spec.Start.Pattern}
		p.known[key] = seen
	}
	if !seen.running && p.due(seen, stack) {
		seen.running, seen.asked = true, stack.Annotations[v1alpha1.AnnotationReconcileAt]
		go p.poll(stack.DeepCopy(), seen)
	}
	return seen.facts
}

// withoutPointers makes the source comparable; which Secret is named changes what can be read.
func withoutPointers(git v1alpha1.GitSource) v1alpha1.GitSource {
	if git.SecretRef != nil {
		git.URL += "#" + git.SecretRef.Name
		git.SecretRef = nil
	}
	return git
}

func (p *Poller) due(seen *polled, stack *v1alpha1.Stack) bool {
	return seen.at.IsZero() || seen.asked != stack.Annotations[v1alpha1.AnnotationReconcileAt] || p.Clock.Since(seen.at) >= stack.Spec.Start.Interval.Duration
}

func (p *Poller) poll(stack *v1alpha1.Stack, seen *polled) {
	defer p.places.Take(context.Background(), stack.Namespace)()
	ctx, cancel := context.WithTimeout(context.Background(), pollTimeout)
	defer cancel()
	facts := p.ask(ctx, stack, p.lastOf(seen))
	facts.Asked = stack.Annotations[v1alpha1.AnnotationReconcileAt]
	changed := p.keep(seen, facts)
	key := client.ObjectKeyFromObject(stack)
	p.Clock.AfterFunc(stack.Spec.Start.Interval.Duration, func() { p.Changed(key) })
	if changed {
		p.Changed(key)
	}
}

func (p *Poller) lastOf(seen *polled) plan.SourceFacts {
	p.mu.Lock()
	defer p.mu.Unlock()
	if seen.facts == nil {
		return plan.SourceFacts{}
	}
	return *seen.facts
}

func (p *Poller) ask(ctx context.Context, stack *v1alpha1.Stack, last plan.SourceFacts) plan.SourceFacts {
	last.Problem = nil
	facts, err := p.Repository.Newest(ctx, stack, last)
	if err != nil {
		// What was seen before stays seen: a repository that is away for a while starts nothing and takes nothing back.
		facts = last
		facts.Problem = problem(reasonOf(err), "the source of Stack %s cannot be watched: %v", stack.Name, err)
	}
	return facts
}

func (p *Poller) keep(seen *polled, facts plan.SourceFacts) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed = seen.facts == nil || !sameFacts(*seen.facts, facts)
	seen.facts, seen.at, seen.running = &facts, p.Clock.Now(), false
	return changed
}

func sameFacts(a, b plan.SourceFacts) bool {
	if a.Commit != b.Commit || a.Tag != b.Tag || a.Slot != b.Slot || a.Asked != b.Asked || a.Inputs != b.Inputs || (a.Problem == nil) != (b.Problem == nil) {
		return false
	}
	return a.Problem == nil || *a.Problem == *b.Problem
}

// reasonOf asks the error itself: errors that people can do something about carry a reason.
func reasonOf(err error) string {
	var reasoned interface{ Reason() string }
	if errors.As(err, &reasoned) {
		return reasoned.Reason()
	}
	return v1alpha1.ReasonWatchFailed
}

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/fair"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

const (
	// rendersAtOnce bounds the releases that are fetched and rendered together, of all Stacks and of a namespace. Whoever
	// wrote a repository decides how long that takes.
	rendersAtOnce, rendersOfOne = 6, 2
	// looksAtOnce bounds the other long actions, which ask the API server and Services. Switches wait for these.
	looksAtOnce, looksOfOne = 8, 4

	firstRetry = time.Second
	lastRetry  = time.Minute
)

// work is a long action.
type work func(ctx context.Context) ([]v1alpha1.Observation, error)

// runner carries out long actions in the background, so that a release can be aborted while they run. One that the
// latest plan no longer asks for is cancelled.
type runner struct {
	inbox *inbox
	clock clock.WithDelayedExecution
	// notify asks for a pass.
	notify func(types.NamespacedName)
	// renders are places for RenderRelease, looks those for everything else.
	renders, looks *fair.Places

	mu   sync.Mutex
	runs map[types.NamespacedName]map[string]*run
}

type run struct {
	cancel context.CancelFunc
	active bool
	// failures in a row, and when to try again.
	failures int
	rested   time.Time
}

func newRunner(in *inbox, c clock.WithDelayedExecution, notify func(types.NamespacedName)) *runner {
	return &runner{
		inbox:   in,
		clock:   c,
		notify:  notify,
		renders: fair.New(rendersAtOnce, rendersOfOne),
		looks:   fair.New(looksAtOnce, looksOfOne),
		runs:    map[types.NamespacedName]map[string]*run{},
	}
}

// start begins work, unless it runs, rests after a failure, or has left a result that no plan has seen. ctx is that of a
// pass: controller-runtime ends it with the manager, and not with the pass.
func (r *runner) start(ctx context.Context, stack types.NamespacedName, action plan.Action, w work) {
	key := longKey(action)
	r.mu.Lock()
	defer r.mu.Unlock()
	this := r.runs[stack][key]
	if this == nil {
		this = &run{}
	}
	if this.active || r.clock.Now().Before(this.rested) || r.inbox.holds(stack, key) {
		return
	}
	ctx, this.cancel = context.WithCancel(ctx)
	this.active = true
	if r.runs[stack] == nil {
		r.runs[stack] = map[string]*run{}
	}
	r.runs[stack][key] = this
	go r.run(ctx, stack, action, this, w)
}

func (r *runner) run(ctx context.Context, stack types.NamespacedName, action plan.Action, this *run, w work) {
	defer this.cancel()
	leave := r.placesFor(action).Take(ctx, stack.Namespace)
	if leave == nil {
		return
	}
	found, err := guarded(ctx, w)
	leave()
	if ctx.Err() != nil {
		return // nobody asks for it any more
	}
	r.finish(ctx, stack, longKey(action), this, found, err)
}

func (r *runner) placesFor(action plan.Action) *fair.Places {
	if _, renders := action.(plan.RenderRelease); renders {
		return r.renders
	}
	return r.looks
}

// finish hands the result over before it makes room for another run of the same key.
func (r *runner) finish(ctx context.Context, stack types.NamespacedName, key string, this *run, found []v1alpha1.Observation, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs[stack][key] != this {
		return // cancelled just now
	}
	this.active = false
	if err != nil {
		this.failures++
		delay := backoff(this.failures)
		this.rested = r.clock.Now().Add(delay)
		log.FromContext(ctx).Error(err, "a long action failed and is tried again", "action", key, "after", delay.String())
		r.clock.AfterFunc(delay, func() { r.notify(stack) })
		return
	}
	delete(r.runs[stack], key)
	r.inbox.put(stack, key, found)
	r.notify(stack)
}

func backoff(failures int) time.Duration {
	return min(lastRetry, firstRetry<<min(failures-1, 10))
}

// guarded keeps a panic in one Stack's content from ending the process for all.
func guarded(ctx context.Context, w work) (found []v1alpha1.Observation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return w(ctx)
}

var errPanic = errors.New("this is a bug in Lockstep; please report it")

// keep cancels every run of the Stack that the actions no longer ask for.
func (r *runner) keep(stack types.NamespacedName, actions []plan.Action) {
	asked := map[string]bool{}
	for _, a := range actions {
		asked[longKey(a)] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, this := range r.runs[stack] {
		if !asked[key] {
			this.cancel()
			delete(r.runs[stack], key)
		}
	}
	if len(r.runs[stack]) == 0 {
		delete(r.runs, stack)
	}
}

func (r *runner) forget(stack types.NamespacedName) { r.keep(stack, nil) }

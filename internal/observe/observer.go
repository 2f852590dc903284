package observe

import (
	"context"

	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Source tells the newest commit of a Stack's watched source, without waiting for it.
type Source interface {
	Facts(stack *v1alpha1.Stack) *plan.SourceFacts
}

// Drifter compares what runs in a slot with the frozen content of the release, in a sentence; empty where they agree.
type Drifter interface {
	Drift(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slot string) (string, error)
}

// Prover reports whether a slot runs what was frozen for the release, with every Service answering, where that can be told
// quickly. Seen is what was read in the slot just now: its Services, and what else was read besides.
type Prover interface {
	Prove(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slot string, seen []client.Object) bool
}

// Options are what an Observer needs.
type Options struct {
	// Live reads from the API server, and never from a cache.
	Live client.Reader
	// Watched reads what is watched, as it was last seen: Stacks, Releases, Decisions, and the names of
	// frozen content and of workloads that carry a Stack's label. Default: nothing is watched.
	Watched client.Reader
	// ControllerNamespace holds the frozen content.
	ControllerNamespace string
	// Policy is the admission policy for Decisions as it ships. Without it no policy counts as in force.
	Policy *admissionv1.ValidatingAdmissionPolicy
	// Prober asks gateways. Default: over HTTP.
	Prober Prober
	// Source watches sources. Default: none is watched.
	Source Source
	// Drift looks for changes of the live slot. Default: nobody looks.
	Drift Drifter
	// Proof looks at a slot that users are about to be sent to. Default: nobody looks, and the planner asks for it.
	Proof Prover
}

// Observer reads Snapshots.
type Observer struct {
	Options
	drifts driftCache
}

// New returns an Observer.
func New(o Options) *Observer {
	if o.Prober == nil {
		o.Prober = NewProber()
	}
	return &Observer{Options: o}
}

// Observe reads everything that the next plan for a Stack depends on: the Stack, and then all that is read by what it says. A
// Stack that does not exist is a NotFound error.
func (o *Observer) Observe(ctx context.Context, key types.NamespacedName) (*plan.Snapshot, error) {
	early := o.begin(ctx, key)
	stack := &v1alpha1.Stack{}
	if err := o.Live.Get(ctx, key, stack); err != nil {
		early.giveUp()
		if apierrors.IsNotFound(err) {
			o.drifts.forget(key)
		}
		return nil, err
	}
	p, err := early.of(stack)
	if p == nil {
		p = newPass(o, WithDefaults(stack))
		err = p.read(ctx)
	}
	if err != nil {
		return nil, err
	}
	p.conclude()
	p.compareLive(ctx)
	return &p.snapshot, nil
}

// pass is one reading of one Stack.
type pass struct {
	*Observer
	stack *v1alpha1.Stack
	// entries are what the Stack writes, in the order of the snapshot's.
	entries  []entry.Spec
	snapshot plan.Snapshot
	// others are all other Stacks of the cluster.
	others []v1alpha1.Stack
	// waiting are releases of other Stacks of the queue group.
	waiting []v1alpha1.Release
	// proven is the slot that was proven in this pass, and of which release.
	proven     plan.Slot
	contents   []*contents
	gateways   gateways
	remembered remembered
	// none tells which kinds of workloads need not be asked for.
	none absent
}

func newPass(o *Observer, stack *v1alpha1.Stack) *pass {
	entries := entry.Specs(stack)
	return &pass{
		Observer: o,
		stack:    stack,
		entries:  entries,
		snapshot: plan.Snapshot{
			Stack:   *stack,
			Slots:   make([]plan.Slot, len(stack.Spec.Slots)),
			Entries: make([]plan.Entry, len(entries)),
		},
		contents: make([]*contents, len(stack.Spec.Slots)),
	}
}

// step is what the status says that the active release is at; nil where none is active.
func (p *pass) step() *v1alpha1.StepStatus {
	if len(p.stack.Status.Units) == 0 {
		return nil
	}
	return p.stack.Status.Units[0].Step
}

// read does all that asks the cluster, at once: how long a switch takes depends on it.
func (p *pass) read(ctx context.Context) error {
	p.remembered = p.remember(ctx)
	p.none = p.absent()
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error { return p.readReleases(inner) })
	g.Go(func() error { return p.readPolicy(inner) })
	g.Go(func() error {
		if err := p.readOthers(inner); err != nil {
			return err
		}
		return p.readTurn(inner)
	})
	for i := range p.stack.Spec.Slots {
		g.Go(func() error { return p.readSlot(inner, i) })
	}
	for i := range p.entries {
		g.Go(func() error { return p.readEntry(inner, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	p.prove(ctx)
	return nil
}

// conclude works out what follows from several readings together.
func (p *pass) conclude() {
	seen := viewOf(p.stack, p.snapshot.Releases)
	for i := range p.snapshot.Slots {
		if p.contents[i] != nil {
			seen.fill(&p.snapshot.Slots[i], p.contents[i])
		}
		if p.snapshot.Slots[i].Name == p.proven.Name {
			p.snapshot.Slots[i].Proven = p.proven.Proven
		}
	}
	p.refuseClaimed()
	p.whoIsAhead()
	if p.Source != nil {
		p.snapshot.Source = p.Source.Facts(p.stack)
	}
}

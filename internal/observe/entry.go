package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func (p *pass) readEntry(ctx context.Context, i int) error {
	spec := p.entries[i]
	e := spec.Entry
	facts := &p.snapshot.Entries[i]
	*facts = plan.Entry{
		Name:    e.Name,
		Adopted: spec.Adopted(),
		Testers: spec.Testers,
		Preview: e.Preview != nil,
		Require: e.RequireEvidence,
		Service: e.Backend.Service,
		Port:    e.Backend.Port,
	}
	var ahead sync.WaitGroup
	ahead.Go(func() { p.expectGateways(ctx, spec) })
	ahead.Go(func() { facts.Granted = p.granted(ctx, spec) })
	route, found, err := p.route(ctx, spec)
	ahead.Wait()
	if err != nil || found != nil {
		facts.Problem = found
		return err
	}
	describe(facts, spec, route, p.intent())
	return p.judge(ctx, facts, spec, route)
}

// intent is where the entries were last meant to point; nil where nothing was meant yet.
func (p *pass) intent() *v1alpha1.RouteIntent {
	if len(p.stack.Status.Units) == 0 {
		return nil
	}
	return p.stack.Status.Units[0].Route
}

// route is nil where there is none.
func (p *pass) route(ctx context.Context, spec entry.Spec) (*unstructured.Unstructured, *plan.Problem, error) {
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(spec.Kind())
	err := p.Live.Get(ctx, spec.Key(), route)
	switch {
	case err == nil:
		return route, nil, nil
	case unknownKind(err):
		return nil, problem(v1alpha1.ReasonRouterMissing, "entry %s is a %s, which this cluster does not have: %s", spec.Entry.Name, spec.Kind().Kind, routerAdvice(spec)), nil
	case apierrors.IsNotFound(err):
		return nil, nil, nil
	case lasting(err):
		return nil, problem(v1alpha1.ReasonEntryUnreadable, "%s %s of entry %s cannot be read: %v", spec.Kind().Kind, spec.Key(), spec.Entry.Name, err), nil
	}
	return nil, nil, fmt.Errorf("reading %s %s: %w", spec.Kind().Kind, spec.Key(), err)
}

// granted are the namespaces that let the route in. Of one whose grant cannot be read that is not known: whoever writes the
// route writes the grant, too.
func (p *pass) granted(ctx context.Context, spec entry.Spec) []string {
	wanted := entry.Grants(spec)
	there := make([]bool, len(wanted))
	var reading sync.WaitGroup
	for i, want := range wanted {
		reading.Go(func() {
			live := &unstructured.Unstructured{}
			live.SetGroupVersionKind(want.GroupVersionKind())
			there[i] = p.Live.Get(ctx, client.ObjectKeyFromObject(want), live) == nil && entry.Granted(want, live)
		})
	}
	reading.Wait()
	var namespaces []string
	for i, want := range wanted {
		if there[i] {
			namespaces = append(namespaces, want.GetNamespace())
		}
	}
	return namespaces
}

func routerAdvice(spec entry.Spec) string {
	if spec.Entry.VirtualService != nil {
		return "install Istio, or use an httpRoute"
	}
	return "install the Gateway API and a gateway, or use a virtualService"
}

// describe fills in what the route itself says.
func describe(facts *plan.Entry, spec entry.Spec, route *unstructured.Unstructured, intent *v1alpha1.RouteIntent) {
	says := entry.Read(spec, route)
	facts.Exists = says.Found
	facts.ResourceVersion = says.ResourceVersion
	if route != nil {
		facts.Route = route.Object
	}
	facts.Epoch = says.FenceEpoch
	facts.Weights = slices.DeleteFunc(says.Weights, func(w v1alpha1.SlotWeight) bool { return w.Weight == 0 })
	facts.PreviewSlot = says.Preview
	facts.EditedBy = says.EditedBy
	facts.Accepted = says.Accepted
	facts.Message = strings.Join(messages(says), " ")
	if intent != nil {
		facts.AsIntended, facts.Differs = entry.AsIntended(spec, route, *intent)
	}
}

func messages(says entry.Observed) []string {
	all := slices.Clone(says.Notes)
	if says.Found && !says.Accepted && says.AcceptedMessage != "" {
		all = append(all, says.AcceptedMessage)
	}
	return all
}

// judge finds out whether the entry can be written, and whether its gateways serve it.
func (p *pass) judge(ctx context.Context, facts *plan.Entry, spec entry.Spec, route *unstructured.Unstructured) error {
	trial, err := entry.Write(spec, route, p.trialIntent(facts.Epoch))
	if err != nil {
		facts.Problem = problem(orElse(entry.ReasonOf(err), v1alpha1.ReasonEntryInvalid), "%v", err)
		return nil
	}
	if !facts.Adopted {
		if facts.Problem, err = p.gatewaysMissing(ctx, spec, trial); err != nil || facts.Problem != nil {
			return err
		}
	}
	if route == nil {
		if facts.Problem, err = p.hostnameTaken(ctx, spec, trial); err != nil || facts.Problem != nil {
			return err
		}
	}
	return p.judgeServed(ctx, facts, spec, route)
}

// trialIntent is an intent that the route must be able to take: the saved one, or any.
func (p *pass) trialIntent(epoch int64) v1alpha1.RouteIntent {
	if intent := p.intent(); intent != nil {
		return *intent
	}
	return v1alpha1.RouteIntent{Epoch: epoch, Live: p.stack.Spec.Slots[0].Name}
}

func orElse(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// timesAsked is how many connections in a row must answer alike: the workers of an Envoy learn of a change one by one,
// and each connection meets one of them.
const timesAsked = 3

// askedAtOnce bounds how many questions of one entry are in flight.
const askedAtOnce = 32

// judgeServed finds out whether every gateway answers with the route's epoch. What status says already is believed
// between moves: a route that has not changed since is served by whoever reads it later.
func (p *pass) judgeServed(ctx context.Context, facts *plan.Entry, spec entry.Spec, route *unstructured.Unstructured) error {
	if route == nil || facts.Epoch == 0 || facts.Require != v1alpha1.EvidenceServed || !entry.Read(spec, route).CanMark {
		return nil
	}
	if p.heldServed(facts) && !p.moving() {
		facts.Served = true
		return nil
	}
	why, err := p.served(ctx, spec, route, facts.Epoch)
	if err != nil {
		return err
	}
	facts.Served = why == ""
	facts.Message = joinSentences(facts.Message, why)
	if !facts.Served && !p.justMoving() {
		taken, err := p.hostnameTaken(ctx, spec, route)
		if err != nil || taken == nil {
			return err
		}
		facts.Message = joinSentences(facts.Message, capital(taken.Message)+".")
	}
	return nil
}

// rivalsAfter is how long a route that users are being moved by is given before it is asked who else may have its hostnames:
// that takes reading every route, and meanwhile it is looked again and again.
const rivalsAfter = 5 * time.Second

func (p *pass) justMoving() bool {
	return p.moving() && time.Since(p.step().Since.Time) < rivalsAfter
}

// moving: users are being moved, and what was served a moment ago proves nothing.
func (p *pass) moving() bool {
	step := p.step()
	if step == nil {
		return false
	}
	switch step.Kind {
	case v1alpha1.StepSwitch, v1alpha1.StepAbort, v1alpha1.StepRollback:
		return true
	default:
		return false
	}
}

func (p *pass) heldServed(facts *plan.Entry) bool {
	if len(p.stack.Status.Units) == 0 || !facts.AsIntended {
		return false
	}
	return slices.ContainsFunc(p.stack.Status.Units[0].Entries, func(e v1alpha1.EntryStatus) bool {
		return e.Name == facts.Name && e.Evidence == v1alpha1.EvidenceServed && e.ObservedEpoch == facts.Epoch
	})
}

// served returns why not, and nothing where every ready endpoint of every gateway answers with the epoch.
func (p *pass) served(ctx context.Context, spec entry.Spec, route *unstructured.Unstructured, epoch int64) (string, error) {
	parents := entry.Parents(spec, route)
	if len(parents) == 0 {
		return "The route is attached to no gateway.", nil
	}
	var all []question
	for _, parent := range parents {
		d, err := p.door(ctx, spec, route, parent)
		if err != nil {
			return "", err
		}
		questions, why := d.questions(spec.MarkerPath())
		if why != "" {
			return why, nil
		}
		all = append(all, questions...)
	}
	return p.askAll(ctx, spec, all, epoch), nil
}

const acceptedAdvice = "set requireEvidence: Accepted for this entry"

func (p *pass) door(ctx context.Context, spec entry.Spec, route *unstructured.Unstructured, parent entry.Parent) (*door, error) {
	if parent.Kind != entry.KindGateway {
		return shut("%s cannot be asked which route it serves; %s", parent, acceptedAdvice), nil
	}
	gateway, err := p.gateway(ctx, spec, parent)
	switch {
	case apierrors.IsNotFound(err), err != nil && unknownKind(err):
		return shut("there is no %s", parent), nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", parent, err)
	case spec.Entry.VirtualService != nil:
		return p.istioDoor(ctx, route, gateway, parent)
	}
	return p.apiDoor(ctx, route, gateway, parent)
}

// question is one endpoint of a gateway, asked for one hostname.
type question struct {
	Question
	who string
}

// questions are what to ask of a gateway, or why it cannot be asked.
func (d *door) questions(path string) ([]question, string) {
	switch {
	case d.cannotAsk != "":
		return nil, capital(d.cannotAsk) + "."
	case len(d.listeners) == 0:
		return nil, "No listener of " + d.gateway + " takes the route's hostnames."
	}
	var all []question
	for _, l := range d.listeners {
		found := d.addresses(l.port)
		if len(found) == 0 {
			return nil, fmt.Sprintf("No ready endpoint of %s could be asked at port %d: looked at %s.", d.gateway, l.port, d.lookedAt(l.port))
		}
		for _, a := range found {
			for _, host := range l.hosts {
				all = append(all, question{who: a.pod, Question: Question{Address: a.at, TLS: l.tls, Host: host, Path: path}})
			}
		}
	}
	return all, ""
}

// askAll asks everyone, so that where replicas disagree it is said which has what.
func (p *pass) askAll(ctx context.Context, spec entry.Spec, all []question, epoch int64) string {
	var g errgroup.Group
	g.SetLimit(askedAtOnce)
	failed := make([]error, len(all))
	for i, q := range all {
		g.Go(func() error { failed[i] = p.insist(ctx, spec, q, epoch); return nil })
	}
	_ = g.Wait()
	return disagreement(all, failed, epoch)
}

// namedAtMost bounds how many replicas a message names.
const namedAtMost = 3

// disagreement is empty where everyone has answered with the epoch.
func disagreement(all []question, failed []error, epoch int64) string {
	var behind, there []string
	for i, q := range all {
		switch {
		case failed[i] == nil:
			there = append(there, q.who)
		case len(behind) < namedAtMost:
			behind = append(behind, failed[i].Error()+".")
		}
	}
	if len(behind) == 0 {
		return ""
	}
	text := strings.Join(behind, " ")
	there = slices.Compact(slices.Sorted(slices.Values(there)))
	if len(there) == 0 {
		return text
	}
	return text + fmt.Sprintf(" Epoch %d is served by %s.", epoch, strings.Join(there[:min(len(there), namedAtMost)], ", "))
}

func (p *pass) insist(ctx context.Context, spec entry.Spec, q question, epoch int64) error {
	for range timesAsked {
		answer, err := p.Prober.Ask(ctx, q.Question)
		if err != nil {
			return fmt.Errorf("Gateway Pod %s cannot be asked at %s for %s: %w", q.who, q.Address, q.Host, rootOf(err)) //nolint:staticcheck // a sentence for people
		}
		said, ok := entry.ParseMarker(spec, answer.Code, answer.Header, answer.Body)
		switch {
		case !ok:
			return fmt.Errorf("Gateway Pod %s does not serve the route's marker for %s yet (it answers %d)", q.who, q.Host, answer.Code) //nolint:staticcheck // a sentence for people
		case said != epoch:
			return fmt.Errorf("Gateway Pod %s still serves epoch %d for %s, not %d", q.who, said, q.Host, epoch) //nolint:staticcheck // a sentence for people
		}
	}
	return nil
}

// rootOf leaves out what net/http repeats of the question.
func rootOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

func joinSentences(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// readers bounds how many objects are read by their names at once.
const readers = 16

// readReleases reads what belongs to releases all at once: how long a switch takes depends on it.
func (p *pass) readReleases(ctx context.Context) error {
	var releases []v1alpha1.Release
	var decisions []v1alpha1.Decision
	var kept map[string]bool
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() (err error) { releases, err = p.releases(inner); return err })
	g.Go(func() (err error) { decisions, err = p.decisions(inner); return err })
	g.Go(func() (err error) { kept, err = p.labelledContent(inner); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	p.snapshot.Releases = releasesOf(p.stack.Name, releases)
	p.snapshot.Decisions = unanswered(decisions, p.snapshot.Releases)
	return p.readContent(ctx, kept)
}

// releases are all of the namespace. Of those that may still change what they say is read; the others are history, and taken
// from what is watched: there may be many of them.
func (p *pass) releases(ctx context.Context) ([]v1alpha1.Release, error) {
	if p.Watched == nil || p.remembered.goingBack() {
		var all v1alpha1.ReleaseList
		err := p.Live.List(ctx, &all, client.InNamespace(p.stack.Namespace))
		return all.Items, listing("releases", err)
	}
	if p.remembered.noReleases != nil {
		return nil, listing("releases", p.remembered.noReleases)
	}
	var past []v1alpha1.Release
	changing := spokenOf(p.stack)
	for i := range p.remembered.releases {
		r := &p.remembered.releases[i]
		switch {
		case slices.Contains(changing, r.Name):
		case r.Status.Ended != nil && r.Status.Ended.Outcome != v1alpha1.OutcomeLive:
			past = append(past, *r.DeepCopy())
		default:
			changing = append(changing, r.Name)
		}
	}
	current, err := readEach[v1alpha1.Release](ctx, p.Live, p.stack.Namespace, changing)
	return slices.SortedFunc(slices.Values(append(past, current...)), func(a, b v1alpha1.Release) int { return strings.Compare(a.Name, b.Name) }), err
}

// decisions are those that may be open. While nothing goes on without one, which there are is known by watching, since each
// brings a pass when it is seen; what they say is read. Otherwise users may be moved, and an abort must not be missed.
func (p *pass) decisions(ctx context.Context) ([]v1alpha1.Decision, error) {
	step := p.step()
	goesOn := step != nil && step.Kind != v1alpha1.StepHold
	if p.Watched == nil || goesOn {
		var all v1alpha1.DecisionList
		err := p.Live.List(ctx, &all, client.InNamespace(p.stack.Namespace))
		return all.Items, listing("decisions", err)
	}
	if err := errors.Join(p.remembered.noReleases, p.remembered.noDecisions); err != nil {
		return nil, listing("decisions", err)
	}
	return readEach[v1alpha1.Decision](ctx, p.Live, p.stack.Namespace, p.remembered.openAbout(spokenOf(p.stack)))
}

// readEach reads objects by their names, and leaves out those that are gone.
func readEach[T any, P interface {
	*T
	client.Object
}](ctx context.Context, live client.Reader, namespace string, names []string) ([]T, error) {
	found := make([]T, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for i, name := range names {
		g.Go(func() error {
			err := live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, P(&found[i]))
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("reading %s: %w", name, err)
			}
			return nil
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(found, func(o T) bool { return P(&o).GetName() == "" }), err
}

func listing(what string, err error) error {
	if err != nil {
		return fmt.Errorf("listing %s: %w", what, err)
	}
	return nil
}

func releasesOf(stack string, all []v1alpha1.Release) []v1alpha1.Release {
	var own []v1alpha1.Release
	for _, r := range all {
		if r.Spec.Stack == stack {
			own = append(own, r)
		}
	}
	return own
}

func unanswered(all []v1alpha1.Decision, releases []v1alpha1.Release) []v1alpha1.Decision {
	known := map[string]bool{}
	for _, r := range releases {
		known[r.Name] = true
	}
	var open []v1alpha1.Decision
	for _, d := range all {
		if d.Status.Result == "" && known[d.Spec.Release] {
			open = append(open, d)
		}
	}
	return open
}

// readContent looks for every Secret of every started release once. Releases share Secrets: they are content-addressed.
// Those that were kept when the releases were read need no look of their own.
func (p *pass) readContent(ctx context.Context, kept map[string]bool) error {
	missing, err := p.missingSecrets(ctx, secretsOf(p.snapshot.Releases), kept)
	if err != nil {
		return err
	}
	p.snapshot.Content = map[string]bool{}
	for i := range p.snapshot.Releases {
		r := &p.snapshot.Releases[i]
		if r.Status.Started != nil {
			p.snapshot.Content[r.Name] = complete(r.Status.Started, missing)
		}
	}
	return nil
}

func secretsOf(releases []v1alpha1.Release) map[string]bool {
	names := map[string]bool{}
	for i := range releases {
		if releases[i].Status.Started == nil {
			continue
		}
		for _, content := range releases[i].Status.Started.Content {
			for _, name := range content.Secrets {
				names[name] = true
			}
		}
	}
	return names
}

// missingSecrets looks for each of those that were not seen among the labelled ones: they may have been made since.
func (p *pass) missingSecrets(ctx context.Context, names, kept map[string]bool) (map[string]bool, error) {
	missing := map[string]bool{}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for name := range names {
		if kept[name] {
			continue
		}
		g.Go(func() error {
			found, err := p.secretExists(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			missing[name] = !found
			return err
		})
	}
	return missing, g.Wait()
}

// labelledContent are the Secrets that are labelled as this Stack's content, as they were last watched. Whoever may not list
// sees none.
func (p *pass) labelledContent(ctx context.Context) (map[string]bool, error) {
	reader := p.Watched
	if reader == nil {
		reader = p.Live
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	err := reader.List(ctx, list, client.InNamespace(p.ControllerNamespace), client.HasLabels{v1alpha1.LabelContent},
		client.MatchingLabels{v1alpha1.LabelStack: p.stack.Name, v1alpha1.LabelStackNamespace: p.stack.Namespace})
	if err != nil && !lasting(err) {
		return nil, fmt.Errorf("listing frozen content: %w", err)
	}
	kept := map[string]bool{}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			kept[list.Items[i].Name] = true
		}
	}
	return kept, nil
}

// secretExists asks for metadata alone: what is in the Secret is nobody's business here.
func (p *pass) secretExists(ctx context.Context, name string) (bool, error) {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := p.Live.Get(ctx, types.NamespacedName{Namespace: p.ControllerNamespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking for frozen content: %w", err)
	}
	return secret.DeletionTimestamp == nil, nil
}

func complete(started *v1alpha1.ReleaseStarted, missing map[string]bool) bool {
	for _, content := range started.Content {
		for _, name := range content.Secrets {
			if missing[name] {
				return false
			}
		}
	}
	return len(started.Content) > 0
}

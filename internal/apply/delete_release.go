package apply

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// deleteRelease removes a Release, the Decisions about it, and content of the Stack that no Release names any more.
func (a *Applier) deleteRelease(ctx context.Context, s *plan.Snapshot, act plan.DeleteRelease) error {
	uid := act.Release.UID
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: s.Stack.Namespace, Name: act.Release.Name}}
	if err := a.Client.Delete(ctx, r, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting release %s: %w", act.Release.Name, err)
	}
	if err := a.deleteDecisions(ctx, s, act.Release); err != nil {
		return err
	}
	return a.sweepContent(ctx, &s.Stack)
}

func (a *Applier) deleteDecisions(ctx context.Context, s *plan.Snapshot, of plan.ReleaseRef) error {
	var all v1alpha1.DecisionList
	if err := a.Client.List(ctx, &all, client.InNamespace(s.Stack.Namespace)); err != nil {
		return fmt.Errorf("listing decisions: %w", err)
	}
	for i := range all.Items {
		d := &all.Items[i]
		if d.Spec.Release != of.Name || d.Spec.ReleaseUID != string(of.UID) {
			continue
		}
		if err := client.IgnoreNotFound(a.Client.Delete(ctx, d, client.Preconditions{UID: &d.UID})); err != nil {
			return fmt.Errorf("deleting decision %s: %w", d.Name, err)
		}
	}
	return nil
}

// contentGrace is how long content that no Release names is kept after it was last frozen: a Release that was just
// rendered names it a moment later.
const contentGrace = time.Hour

// sweepContent deletes content of the Stack that no Release names.
func (a *Applier) sweepContent(ctx context.Context, stack *v1alpha1.Stack) error {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	labels := client.MatchingLabels(contentLabels(stack))
	if err := a.Client.List(ctx, secrets, client.InNamespace(a.ControllerNamespace), labels); err != nil {
		return fmt.Errorf("listing frozen content: %w", err)
	}
	named, err := a.namedContent(ctx)
	if err != nil {
		return err
	}
	for i := range secrets.Items {
		if secret := &secrets.Items[i]; !named[secret.Name] && a.isStale(secret) {
			if err := deleteAt(ctx, a.Client, secret); err != nil {
				return fmt.Errorf("deleting frozen content %s: %w", secret.Name, err)
			}
		}
	}
	return nil
}

func (a *Applier) namedContent(ctx context.Context) (map[string]bool, error) {
	var all v1alpha1.ReleaseList
	if err := a.Client.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	named := map[string]bool{}
	for i := range all.Items {
		if started := all.Items[i].Status.Started; started != nil {
			for _, content := range started.Content {
				for _, name := range content.Secrets {
					named[name] = true
				}
			}
		}
	}
	return named, nil
}

func (a *Applier) isStale(secret *metav1.PartialObjectMetadata) bool {
	last := secret.CreationTimestamp.Time
	if at, err := time.Parse(time.RFC3339, secret.Annotations[annotationFrozenAt]); err == nil && at.After(last) {
		last = at
	}
	return a.Clock().Sub(last) > contentGrace
}

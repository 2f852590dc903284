package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// triedAtOnce bounds how many entries are tried at the same time.
const triedAtOnce = 8

// tryEntries has the API server say what it would say to every entry, there and back, with the team's rights: schema,
// admission and limits, and nothing is kept. It returns which entries could not be tried.
func (a *Applier) tryEntries(ctx context.Context, s *plan.Snapshot, act plan.TryEntries) (string, error) {
	specs := entry.Specs(&s.Stack)
	refused, untried := make([]error, len(specs)), make([]string, len(specs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(triedAtOnce)
	for i, spec := range specs {
		if spec.Testers {
			continue // users do not wait for the routes of testers
		}
		group.Go(func() (err error) {
			untried[i], err = a.tryEntry(ctx, s, spec.Entry.Name, act)
			if no := new(Refusal); errors.As(err, &no) {
				refused[i], err = err, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	return listed(untried, maxDrifted), firstError(refused)
}

// firstError is the refusal of the first entry, with what the others say.
func firstError(all []error) error {
	var texts []string
	reason := ""
	for _, err := range all {
		if err == nil {
			continue
		}
		if reason == "" {
			reason = reasonOf(err)
		}
		texts = append(texts, err.Error())
	}
	if reason == "" {
		return nil
	}
	return refuse(reason, "no entry is written, since not all of them can be: %s", strings.Join(texts, "; "))
}

func (a *Applier) tryEntry(ctx context.Context, s *plan.Snapshot, name string, act plan.TryEntries) (string, error) {
	r, err := a.openRoute(ctx, s, name)
	if err != nil {
		return "", err
	}
	there, err := r.next(act.There, false)
	if err != nil {
		return "", err
	}
	if err := r.dryRun(ctx, there); err != nil {
		return r.untriable("switching", err)
	}
	inverse := *r
	inverse.live = there
	back, err := inverse.next(act.Back, true)
	if err != nil {
		return "", err
	}
	if err := r.dryRun(ctx, back); err != nil {
		return r.untriable("taking back", err)
	}
	return "", nil
}

// dryRun asks for the write of an object upon what is there now; the API server keeps nothing of it.
func (r *route) dryRun(ctx context.Context, want *unstructured.Unstructured) error {
	object := want.DeepCopy()
	if r.live == nil {
		return r.team.Create(ctx, object, client.DryRunAll, client.FieldOwner(v1alpha1.ManagerEntry))
	}
	object.SetResourceVersion(r.live.GetResourceVersion())
	return r.team.Update(ctx, object, client.DryRunAll, client.FieldOwner(v1alpha1.ManagerEntry))
}

// untriable lets pass that a webhook cannot be asked by dry-run: that is no word against the write.
func (r *route) untriable(doing string, err error) (string, error) {
	if strings.Contains(err.Error(), "does not support dry run") {
		return fmt.Sprintf("entry %s could not be tried before users were moved (%s); if it is refused, all entries are taken back", r.spec.Entry.Name, said(err)), nil
	}
	return "", r.refused(doing+" by dry-run", err)
}

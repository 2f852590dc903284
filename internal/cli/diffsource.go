package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
	"github.com/lockstep-dev/lockstep/internal/render"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// diffSource compares what is live with what the source renders to for the same slot.
func (a *app) diffSource(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, f *diffFlags) (*view.Diff, error) {
	var unknown []string
	from, err := c.liveSide(ctx, stack, &unknown)
	if err != nil {
		return nil, err
	}
	dir, what, err := a.sourceIn(ctx, c, stack, f)
	if err != nil {
		return nil, err
	}
	if f.checkout == "" {
		defer func() { _ = os.RemoveAll(dir) }() // what is left over lies in a temporary folder
	}
	to, err := renderedSide(ctx, stack, from.Slot, dir, what)
	if err != nil {
		return nil, err
	}
	return view.Compare(stack.Name, from, to, unknown), nil
}

// liveSide is what is live; nothing at all, for the first slot, where nothing is.
func (c *Cluster) liveSide(ctx context.Context, stack *v1alpha1.Stack, unknown *[]string) (view.Side, error) {
	unit := unitOf(stack)
	if unit.LiveSlot == "" {
		return view.Side{What: "nothing live", Slot: stack.Spec.Slots[0].Name, Objects: noObjects}, nil
	}
	name, err := liveRelease(stack)
	if err != nil {
		return view.Side{}, err
	}
	r, err := c.started(ctx, stack, name)
	if err != nil {
		return view.Side{}, err
	}
	side := c.releaseSide(ctx, r, unit.LiveSlot, unknown)
	side.What += ", live"
	// The source is rendered in its name.
	side.Names = nil
	return side, nil
}

// sourceIn is a folder with the files of the source, and what they are.
func (a *app) sourceIn(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, f *diffFlags) (dir, what string, err error) {
	if f.checkout != "" {
		return f.checkout, "checkout " + f.checkout, nil
	}
	remote, err := c.remote(ctx, stack)
	if err != nil {
		return "", "", err
	}
	revision := git.Revision(stack.Spec.Source.Git.Ref, f.revision)
	commit, err := git.Resolve(ctx, remote, revision)
	if err != nil {
		return "", "", unfetched(err)
	}
	dir, err = os.MkdirTemp("", "lockstep-diff-")
	if err != nil {
		return "", "", fmt.Errorf("make a folder for the checkout: %w", err)
	}
	if _, err := git.Checkout(ctx, remote, commit, filepath.Join(dir, "files"), git.Limits{}); err != nil {
		_ = os.RemoveAll(dir) // what is left over lies in a temporary folder
		return "", "", unfetched(err)
	}
	ref := stack.Spec.Source.Git.Ref
	what = cmp.Or(f.revision, ref.Branch, ref.Tag)
	if short := view.Short(commit); what == "" || what == commit {
		what = short
	} else {
		what += " @ " + short
	}
	return filepath.Join(dir, "files"), what, nil
}

func unfetched(err error) error {
	return fmt.Errorf("the source cannot be fetched from here (%w); name a checkout of it with --checkout", err)
}

// remote is the Stack's repository, with the credentials that it names, if its user may read them.
func (c *Cluster) remote(ctx context.Context, stack *v1alpha1.Stack) (git.Remote, error) {
	remote := git.Remote{URL: stack.Spec.Source.Git.URL, AllowFile: true}
	ref := stack.Spec.Source.Git.SecretRef
	if ref == nil {
		return remote, nil
	}
	secret := &corev1.Secret{}
	err := c.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: ref.Name}, secret)
	switch {
	case apierrors.IsForbidden(err):
		return remote, fmt.Errorf("the source needs the credentials in Secret %s/%s, which you may not read (get secrets in namespace %s); name a checkout of it with --checkout", stack.Namespace, ref.Name, stack.Namespace)
	case err != nil:
		return remote, fmt.Errorf("read the source's credentials: %w", explain(err))
	}
	return remote, remote.Authenticate(client.ObjectKeyFromObject(secret).String(), secret.Data)
}

// renderedSide renders a checkout as the release that is live, for one slot.
func renderedSide(ctx context.Context, stack *v1alpha1.Stack, slot, dir, what string) (view.Side, error) {
	result, err := renderAs(ctx, stack, dir, cmp.Or(unitOf(stack).LiveRelease, stack.Name+"-diff"))
	if err != nil {
		return view.Side{}, err
	}
	i := slices.IndexFunc(result.Slots, func(s render.SlotResult) bool { return s.Slot == slot })
	if i < 0 {
		return view.Side{}, fmt.Errorf("slot %s, which is live, is not in spec.slots of Stack %s any more; compare releases instead", slot, stack.Name)
	}
	rendered := result.Slots[i]
	return view.Side{What: what, Slot: slot, Digest: rendered.Digest, Images: view.MemberImages(result.Members), Objects: rendered.Objects}, nil
}

// renderAs renders a checkout in a child process, as a release would be.
func renderAs(ctx context.Context, stack *v1alpha1.Stack, dir, release string) (*render.Result, error) {
	if !exists(dir) {
		return nil, fmt.Errorf("there is no folder %s", dir)
	}
	result, err := render.Run(ctx, render.Request{
		Root: dir, Path: stack.Spec.Source.Git.Path, Source: stack.Spec.Source, Stack: stack.Name, Namespace: stack.Namespace,
		Release: release, Slots: stack.Spec.Slots, Members: stack.Spec.Members, Ignore: stack.Spec.Ignore,
	})
	if err != nil && render.ReasonOf(err) != "" {
		return nil, fmt.Errorf("%s would be refused: %s: %w", dir, render.ReasonOf(err), err)
	}
	return result, err
}

package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// checkoutPattern names the temporary folders of checkouts.
const checkoutPattern = "lockstep-checkout-"

// renderRelease fetches the source, renders it for every slot, keeps the result, and records it in the Release. What has
// started is not rendered again: what was frozen stays. It returns what people should know of it.
func (a *Applier) renderRelease(ctx context.Context, s *plan.Snapshot, act plan.RenderRelease) (string, error) {
	release, err := a.readRelease(ctx, s.Stack.Namespace, act.Release)
	if err != nil || release == nil || release.Status.Started != nil {
		return "", err
	}
	if act.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, act.Timeout)
		defer cancel()
	}
	started, warnings, err := a.rendered(ctx, &s.Stack, release, act)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "", refuse(v1alpha1.ReasonRenderTimeout,
			"fetching and rendering %s took longer than %s (%v); look at it, or raise spec.deadlines.render", sourceOf(&s.Stack), act.Timeout, err)
	}
	if err != nil {
		return "", err
	}
	return listed(warnings, maxProblems), a.startRelease(ctx, s, act.Release, started)
}

func (a *Applier) rendered(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, act plan.RenderRelease) (started *v1alpha1.ReleaseStarted, warnings []string, err error) {
	commit, inputs, result, err := a.renderSource(ctx, stack, release, act.Timeout)
	if err != nil {
		return nil, nil, err
	}
	content, err := a.freezeSlots(ctx, stack, result.Slots)
	if err != nil {
		return nil, nil, err
	}
	return &v1alpha1.ReleaseStarted{
		At:          a.now(),
		Commit:      commit,
		Inputs:      inputs,
		Digest:      digestOf(commit, inputs, result.Digest),
		StepsSchema: v1alpha1.StepsSchema,
		Steps:       act.Steps,
		Members:     result.Members,
		Content:     content,
	}, result.Warnings, nil
}

// renderSource renders what a release is made of, and tells which commit that is and what of it counts.
func (a *Applier) renderSource(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, timeout time.Duration) (commit, inputs string, result *render.Result, err error) {
	if stack.Spec.Source.Inline != nil {
		inputs, result, err = a.renderInline(ctx, stack, release, timeout)
		return "", inputs, result, err
	}
	dir, err := os.MkdirTemp(a.WorkDir, checkoutPattern)
	if err != nil {
		return "", "", nil, fmt.Errorf("making a folder for the checkout: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left over lies in a temporary folder
	tree, err := a.checkout(ctx, stack, release.Spec.Revision, dir)
	if err != nil {
		return "", "", nil, err
	}
	result, err = inChild(ctx, a, renderRequest(stack, release, dir, timeout), render.Run)
	if err != nil {
		return "", "", nil, reasoned(err)
	}
	inputs, err = inputsOf(tree, stack, result.Dependencies)
	return tree.Commit, inputs, result, err
}

// renderInline renders the objects of the Stack, if they are those that the Release was made for.
func (a *Applier) renderInline(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, timeout time.Duration) (inputs string, result *render.Result, err error) {
	inputs = plan.InlineRevision(stack.Spec.Source)
	if wanted := release.Spec.Revision; wanted != "" && wanted != inputs {
		return "", nil, refuse(v1alpha1.ReasonRevisionMissing,
			"Release %s was made for inline objects with the hash %s, and Stack %s now holds others, with the hash %s; make another release (kubectl lockstep release %s), or put the objects back", release.Name, wanted, stack.Name, inputs, stack.Name)
	}
	result, err = inChild(ctx, a, renderRequest(stack, release, "", timeout), render.Run)
	return inputs, result, reasoned(err)
}

// childrenAtOnce bounds the processes that render, of all Stacks and of a namespace. Each may take 512 MiB, within the memory
// limit of the controller's Pod.
const childrenAtOnce, childrenOfOne = 2, 1

// inChild has run start its child process once one more may render.
func inChild[T any](ctx context.Context, a *Applier, req render.Request, run func(context.Context, render.Request) (T, error)) (result T, err error) {
	leave := a.children.Take(ctx, req.Namespace)
	if leave == nil {
		return result, errStillWaiting
	}
	defer leave()
	return run(ctx, req)
}

var errStillWaiting = errors.New("other Stacks were still being rendered")

// sourceOf names the source for people.
func sourceOf(stack *v1alpha1.Stack) string {
	if stack.Spec.Source.Inline != nil {
		return "the inline objects of Stack " + stack.Name
	}
	return git.Remote{URL: stack.Spec.Source.Git.URL}.String()
}

func renderRequest(stack *v1alpha1.Stack, release *v1alpha1.Release, root string, timeout time.Duration) render.Request {
	spec := stack.Spec
	return render.Request{
		Root:      root,
		Path:      spec.Source.Git.Path,
		Source:    spec.Source,
		Stack:     stack.Name,
		Namespace: stack.Namespace,
		Release:   release.Name,
		Slots:     spec.Slots,
		Members:   spec.Members,
		Images:    release.Spec.Images,
		Ignore:    spec.Ignore,
		Limits:    render.Limits{Timeout: timeout},
	}
}

// freezeSlots keeps what was rendered for each slot.
func (a *Applier) freezeSlots(ctx context.Context, stack *v1alpha1.Stack, slots []render.SlotResult) ([]v1alpha1.SlotContent, error) {
	content := make([]v1alpha1.SlotContent, 0, len(slots))
	for _, slot := range slots {
		parts, _, err := render.Encode(slot.Objects)
		if err != nil {
			return nil, reasoned(err)
		}
		names, err := a.freeze(ctx, stack, parts)
		if err != nil {
			return nil, err
		}
		content = append(content, v1alpha1.SlotContent{Slot: slot.Slot, Digest: slot.Digest, Secrets: names})
	}
	return content, nil
}

// digestOf is the identity of everything that makes a release.
func digestOf(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		_, _ = io.WriteString(sum, part+"\n") // a hash takes everything
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

package apply

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/git"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// checkout fetches a revision, or the one that the Stack names, into dir.
func (a *Applier) checkout(ctx context.Context, stack *v1alpha1.Stack, revision, dir string) (*git.Tree, error) {
	remote, err := a.remote(ctx, stack)
	if err != nil {
		return nil, err
	}
	tree, err := git.Checkout(ctx, remote, git.Revision(stack.Spec.Source.Git.Ref, revision), dir, git.Limits{})
	return tree, reasoned(err)
}

// inputsOf is a hash of what a release is rendered from: it stays the same where a commit changes other things.
func inputsOf(tree *git.Tree, stack *v1alpha1.Stack, dependencies []string) (string, error) {
	paths := append([]string{filepath.ToSlash(filepath.Clean(stack.Spec.Source.Git.Path))}, dependencies...)
	inputs, err := tree.Inputs(paths...)
	return inputs, reasoned(err)
}

// Newest tells what a Stack's source holds now. Where its commit is still the known one, the inputs are too, and nothing
// is fetched. Inputs that cannot be told are the commit's own, so that a Release is made, and says what is wrong.
func (a *Applier) Newest(ctx context.Context, stack *v1alpha1.Stack, known plan.SourceFacts) (plan.SourceFacts, error) {
	remote, err := a.remote(ctx, stack)
	if err != nil {
		return plan.SourceFacts{}, err
	}
	if stack.Spec.Start.When == v1alpha1.StartTag {
		tag, err := git.NewestTag(ctx, remote, stack.Spec.Start.Pattern)
		return plan.SourceFacts{Commit: tag.Commit, Tag: tag.Name, Slot: tag.Slot}, err
	}
	commit, err := git.Resolve(ctx, remote, git.Revision(stack.Spec.Source.Git.Ref, ""))
	if err != nil {
		return plan.SourceFacts{}, err
	}
	if commit == known.Commit && known.Inputs != "" {
		return plan.SourceFacts{Commit: commit, Inputs: known.Inputs}, nil
	}
	inputs, err := a.inputsAt(ctx, stack, commit)
	return plan.SourceFacts{Commit: commit, Inputs: inputs}, err
}

func (a *Applier) inputsAt(ctx context.Context, stack *v1alpha1.Stack, commit string) (string, error) {
	dir, err := os.MkdirTemp(a.WorkDir, checkoutPattern)
	if err != nil {
		return "", fmt.Errorf("making a folder for the checkout: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left over lies in a temporary folder
	tree, err := a.checkout(ctx, stack, commit, dir)
	if err != nil {
		return "", err
	}
	inputs, err := a.inputsIn(ctx, tree, stack, dir)
	if reasonOf(err) != "" {
		return commit, nil
	}
	return inputs, err
}

func (a *Applier) inputsIn(ctx context.Context, tree *git.Tree, stack *v1alpha1.Stack, dir string) (string, error) {
	// Which release it is for is not known yet, and does not change what a chart depends on.
	dependencies, err := inChild(ctx, a, renderRequest(stack, &v1alpha1.Release{}, dir, 0), render.Dependencies)
	if err != nil {
		return "", reasoned(err)
	}
	return inputsOf(tree, stack, dependencies)
}

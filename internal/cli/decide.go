package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

type decideFlags struct {
	release string
	to      string
	direct  bool
	reason  string
	wait    waitFlags
	output  output
}

// deed is a command that makes a Decision.
type deed struct {
	verb v1alpha1.Verb
	cmd  cobra.Command
	// choose finds what the decision is about.
	choose func(context.Context, *Cluster, *v1alpha1.Stack, string) (*v1alpha1.Release, error)
	// follow waits for what --wait asks for.
	follow func(context.Context, *Cluster, *v1alpha1.Stack, *v1alpha1.Decision, *waitFlags) error
	goals  []goal
	// to is whether a release to go to may be named, and entries be written without the controller.
	to bool
}

func (a *app) deedCommand(d deed) *cobra.Command {
	f := &decideFlags{}
	cmd := &d.cmd
	cmd.Args, cmd.ValidArgsFunction = atMostOne, a.completeStacks
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.runDeed(cmd.Context(), d, f, args) }
	cmd.Flags().StringVar(&f.release, "release", "", "the release that is meant; refused where it is not the one that it should be")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the history")
	_ = cmd.RegisterFlagCompletionFunc("release", a.completeReleases)
	if d.to {
		cmd.Flags().StringVar(&f.to, "to", "", "the release to go back to (default: the one that users were on before)")
		_ = cmd.RegisterFlagCompletionFunc("to", a.completeReleases)
		cmd.Flags().BoolVar(&f.direct, "direct", false, "write the routes with your own rights, at once, where the controller is down")
	}
	f.wait.add(cmd, d.goals[0], d.goals...)
	outputFlag(cmd, &f.output, outputJSON, outputYAML, outputName)
	return cmd
}

func (a *app) runDeed(ctx context.Context, d deed, f *decideFlags, args []string) error {
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	r, err := d.choose(ctx, c, stack, f.release)
	if err != nil {
		return err
	}
	decide := a.decide
	if f.direct {
		decide = a.decideDirectly
	}
	decision, err := decide(ctx, c, stack, r, d.verb, f)
	if err != nil {
		return err
	}
	if f.output != outputText {
		if err := f.output.object(a.Out, decision, c.Scheme()); err != nil {
			return err
		}
	}
	if f.wait.goal == goalNone {
		return nil
	}
	return d.follow(ctx, c, stack, decision, &f.wait)
}

// decide makes the Decision and waits for what becomes of it.
func (a *app) decide(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, r *v1alpha1.Release, verb v1alpha1.Verb, f *decideFlags) (*v1alpha1.Decision, error) {
	d, err := a.say(ctx, c, stack, r, verb, f)
	if err != nil {
		return nil, err
	}
	if err := a.answered(ctx, c, d, &f.wait); err != nil {
		return nil, err
	}
	if d.Status.Result == v1alpha1.DecisionRefused {
		return nil, refusedf("the %s of release %s was refused: %s", strings.ToLower(string(verb)), r.Name, d.Status.Message)
	}
	a.note(f.output, "%s", d.Status.Message)
	return d, nil
}

// say makes the Decision.
func (a *app) say(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, r *v1alpha1.Release, verb v1alpha1.Verb, f *decideFlags) (*v1alpha1.Decision, error) {
	by, err := c.whoAmI(ctx)
	if err != nil {
		return nil, err
	}
	d := a.newDecision(stack, r, verb, by, f.reason)
	d.Spec.To = f.to
	if err := c.Create(ctx, d); err != nil {
		return nil, explain(err)
	}
	a.note(f.output, "%s created: %s %s", resource(d), strings.ToLower(string(verb)), r.Name)
	return d, nil
}

// newDecision binds a decision to what was seen: a promote to the step and the content, the others to the release alone,
// so that they are never too late.
func (a *app) newDecision(stack *v1alpha1.Stack, r *v1alpha1.Release, verb v1alpha1.Verb, by, reason string) *v1alpha1.Decision {
	d := &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%s-%s", r.Name, strings.ToLower(string(verb)), a.Random(5)), Namespace: stack.Namespace,
			Labels: map[string]string{v1alpha1.LabelStack: stack.Name},
		},
		Spec: v1alpha1.DecisionSpec{Release: r.Name, ReleaseUID: string(r.UID), Verb: verb, By: by, Reason: reason},
	}
	if step := unitOf(stack).Step; verb == v1alpha1.VerbPromote && step != nil && r.Status.Started != nil {
		d.Spec.Step, d.Spec.Attempt, d.Spec.Digest = step.Kind, step.Attempt, r.Status.Started.Digest
	}
	return d
}

func (a *app) answered(ctx context.Context, c *Cluster, d *v1alpha1.Decision, w *waitFlags) error {
	key := client.ObjectKeyFromObject(d)
	err := a.until(ctx, c, w.answer(), func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, key, d); err != nil {
			return false, explain(err)
		}
		return d.Status.Result != "", nil
	}, target{&v1alpha1.DecisionList{}, d.Namespace})
	if errors.Is(err, errTimeUp) {
		return timedOutf("%s was made, and not answered within %s; it still counts once the controller runs. See kubectl lockstep doctor", resource(d), duration.HumanDuration(w.answer()))
	}
	return err
}

// resource names an object as kubectl does.
func resource(obj client.Object) string {
	switch obj.(type) {
	case *v1alpha1.Decision:
		return "decision.lockstep.dev/" + obj.GetName()
	case *v1alpha1.Stack:
		return "stack.lockstep.dev/" + obj.GetName()
	case *v1alpha1.Release:
		return "release.lockstep.dev/" + obj.GetName()
	}
	return obj.GetName()
}

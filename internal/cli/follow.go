package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// followPromotion waits until users are on a release, or its promotion is spent.
func (a *app) followPromotion(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, d *v1alpha1.Decision, w *waitFlags) error {
	return a.waitUnless(ctx, c, stack, d.Spec.Release, w.goal, w.limit(), func(s *v1alpha1.Stack) error { return spent(s, d) })
}

// spent says that a release holds again, at another attempt than was promoted. The controller does that for one reason.
func spent(s *v1alpha1.Stack, d *v1alpha1.Decision) error {
	unit := unitOf(s)
	held := unit.ActiveRelease == d.Spec.Release && unit.Step != nil && unit.Step.Kind == v1alpha1.StepHold
	if !held || unit.Step.Attempt == d.Spec.Attempt {
		return nil
	}
	return refusedf("what ran in slot %s was not the frozen content of release %s. That was deployed again and holds (attempt %d): look at it again, and promote it again with kubectl lockstep promote %s --release %s",
		unit.ActiveSlot, d.Spec.Release, unit.Step.Attempt, s.Name, d.Spec.Release)
}

// followBack waits until users are off a release; for Done, until its slot is empty too.
func (a *app) followBack(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, d *v1alpha1.Decision, w *waitFlags) error {
	name, last := leftBy(stack, d), ""
	return a.followStack(ctx, c, stack, w, "release "+name+" is not left", func(ctx context.Context, s *v1alpha1.Stack) (bool, string, error) {
		all, err := c.releases(ctx, s)
		if err != nil {
			return false, "", err
		}
		cold := coldRollback(all, d)
		if cold != nil && view.EndedBadly(cold) {
			return true, "", failedf("release %s, which was to take users back, has ended: %s", cold.Name, endedBecause(cold.Status.Ended))
		}
		r := named(all, name)
		switch {
		case r == nil:
			return true, "it is gone", nil
		case cold == nil && stayed(s, r):
			return true, "", c.gaveUp(ctx, s, d, last)
		}
		last = leaving(s, all, r)
		return left(s, r, w.goal), last, nil
	})
}

// leftBy is the release that a decision takes users from: while another one is active, a rollback aborts that, and the live
// one stays.
func leftBy(stack *v1alpha1.Stack, d *v1alpha1.Decision) string {
	if active := unitOf(stack).ActiveRelease; d.Spec.Verb == v1alpha1.VerbRollback && active != "" {
		return active
	}
	return d.Spec.Release
}

// stayed reports whether the way back from the live release was given up. The controller says that it is on this way before
// it answers the decision, so that once it was answered, and is no longer, nothing is under way.
func stayed(s *v1alpha1.Stack, r *v1alpha1.Release) bool {
	unit := unitOf(s)
	live := r.Status.Ended != nil && r.Status.Ended.Outcome == v1alpha1.OutcomeLive
	return live && unit.LiveRelease == r.Name && unit.ActiveRelease != r.Name
}

// gaveUp says why users stay: in the controller's words, or else by what it waited for last.
func (c *Cluster) gaveUp(ctx context.Context, s *v1alpha1.Stack, d *v1alpha1.Decision, last string) error {
	why := cmp.Or(c.whyStayed(ctx, s, d), last)
	if why != "" {
		why = ": " + why
	}
	return failedf("the rollback was given up; users stay on release %s%s. See kubectl lockstep status %s", unitOf(s).LiveRelease, why, s.Name)
}

// whyStayed is what the controller said last of users that stay. Events are hints: one that is late, or may not be read, is
// done without.
func (c *Cluster) whyStayed(ctx context.Context, s *v1alpha1.Stack, d *v1alpha1.Decision) string {
	list := &corev1.EventList{}
	if err := c.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
		return ""
	}
	why, at := "", d.CreationTimestamp.Time
	for i := range list.Items {
		e := view.EventOf(&list.Items[i])
		ours := list.Items[i].InvolvedObject.Kind == "Stack" && list.Items[i].InvolvedObject.Name == s.Name
		if ours && e.Type == corev1.EventTypeWarning && strings.Contains(e.Message, "users stay") && !e.Last.Time.Before(at) {
			why, at = e.Reason+": "+e.Message, e.Last.Time
		}
	}
	return why
}

// coldRollback is the release that deploys the content before it again, for a decision; nil where users go back to a
// slot that was kept warm.
func coldRollback(all []v1alpha1.Release, d *v1alpha1.Decision) *v1alpha1.Release {
	for i := range all {
		r := &all[i]
		if r.Spec.RollbackOf != "" && r.Name == plan.RollbackName(r.Spec.Stack, r.Spec.RollbackOf, string(d.UID)) {
			return r
		}
	}
	return nil
}

func left(s *v1alpha1.Stack, r *v1alpha1.Release, to goal) bool {
	ended, unit := r.Status.Ended, unitOf(s)
	if ended == nil || ended.Outcome == v1alpha1.OutcomeLive || unit.ActiveRelease == r.Name || unit.LiveRelease == r.Name {
		return false // the Release says so a moment before the Stack has settled on it
	}
	return to != goalDone || emptied(s, r.Name)
}

// leaving says what the way back waits for: where it is another release, that one's step.
func leaving(s *v1alpha1.Stack, all []v1alpha1.Release, r *v1alpha1.Release) string {
	active := unitOf(s).ActiveRelease
	i := slices.IndexFunc(all, func(other v1alpha1.Release) bool { return other.Name == active })
	if i >= 0 && active != r.Name {
		return active + ": " + phase(s, &all[i])
	}
	return phase(s, r)
}

// emptied reports whether no slot holds a release any more.
func emptied(s *v1alpha1.Stack, release string) bool {
	return !slices.ContainsFunc(s.Status.Slots, func(slot v1alpha1.SlotStatus) bool {
		return slot.Release == release && slot.State != v1alpha1.SlotIdle
	})
}

func (a *app) followRetire(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, d *v1alpha1.Decision, w *waitFlags) error {
	name := d.Spec.Release
	return a.followStack(ctx, c, stack, w, "release "+name+" is not retired", func(_ context.Context, s *v1alpha1.Stack) (bool, string, error) {
		i := slices.IndexFunc(s.Status.Slots, func(slot v1alpha1.SlotStatus) bool { return slot.Release == name })
		if i < 0 {
			return true, string(v1alpha1.SlotIdle), nil
		}
		text := string(s.Status.Slots[i].State)
		if message := s.Status.Slots[i].Message; message != "" {
			text += ": " + message
		}
		return emptied(s, name), text, nil
	})
}

// followStack looks at the Stack until it is as wished, and says on the way what it waits for.
func (a *app) followStack(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, w *waitFlags, not string, look func(context.Context, *v1alpha1.Stack) (bool, string, error)) error {
	say := &progress{out: a.ErrOut, now: a.Clock.Now, began: a.Clock.Now()}
	err := a.until(ctx, c, w.limit(), func(ctx context.Context) (bool, error) {
		s, err := c.stack(ctx, []string{stack.Name})
		if err != nil {
			return false, err
		}
		done, text, err := look(ctx, s)
		if err == nil {
			say.line(text)
		}
		return done, err
	}, target{&v1alpha1.StackList{}, stack.Namespace}, target{&v1alpha1.ReleaseList{}, stack.Namespace})
	if errors.Is(err, errTimeUp) {
		return timedOutf("%s after %s; it goes on without you. Last: %s", not, duration.HumanDuration(w.limit()), say.last)
	}
	return err
}

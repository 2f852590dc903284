package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func (a *app) promoteCommand() *cobra.Command {
	return a.deedCommand(deed{
		verb: v1alpha1.VerbPromote, choose: chooseHeld, goals: []goal{goalLive, goalDone}, follow: a.followPromotion,
		cmd: cobra.Command{
			Use:   "promote [STACK]",
			Short: "Let the release that holds go on: move users to it",
			Long: `Promote the release that is at its hold. The decision is bound to exactly what is there now (the release, its step and
its content), so that nothing else can go live by it. Needs the verb promote on releases.lockstep.dev.`,
			Example: `  kubectl lockstep promote shop
  kubectl lockstep promote shop --release shop-3f9a1c20b4 --wait      # a pipeline promotes what it tested, or nothing`,
		},
	})
}

func (a *app) abortCommand() *cobra.Command {
	return a.deedCommand(deed{
		verb: v1alpha1.VerbAbort, choose: chooseUnlived, goals: []goal{goalDone}, follow: a.followBack,
		cmd: cobra.Command{
			Use:   "abort [STACK]",
			Short: "Give up a release that is not live yet",
			Long: `Abort the active release (or a queued one, with --release). Users and workers stay where they are, or go back there.
It works from every step, and needs nothing of the new slot.`,
			Example: `  kubectl lockstep abort shop
  kubectl lockstep abort shop --reason "smoke test failed" --wait`,
		},
	})
}

func (a *app) rollbackCommand() *cobra.Command {
	return a.deedCommand(deed{
		verb: v1alpha1.VerbRollback, choose: chooseRollback, goals: []goal{goalLive, goalDone}, follow: a.followBack, to: true,
		cmd: cobra.Command{
			Use:     "rollback [STACK]",
			Aliases: []string{"undo"},
			Short:   "Leave the live release for the previous one",
			Long: `Roll back. A release that is not live yet is aborted, and that is all. Otherwise users leave the live release for the
previous one, or for the one that --to names: at once where it is still kept warm, or else by deploying its frozen
content again.

With --direct the command itself writes the routes, with your own rights, and so needs no controller; users go to a slot
that is kept warm and ready, and nowhere else. Workers stay where they are until the controller is back: it finds what
you said and did, and finishes it.`,
			Example: `  kubectl lockstep rollback shop
  kubectl lockstep rollback shop --to shop-3f9a1c20b4                   # see kubectl lockstep history shop
  kubectl lockstep rollback shop --direct                               # the controller is down
  kubectl lockstep undo shop --reason "checkout errors" --wait          # until users are back
  kubectl lockstep undo shop --wait=Done                                # until the slot that they left is empty, too`,
		},
	})
}

func (a *app) retireCommand() *cobra.Command {
	return a.deedCommand(deed{
		verb: v1alpha1.VerbRetire, choose: chooseWarm, goals: []goal{goalDone}, follow: a.followRetire,
		cmd: cobra.Command{
			Use:     "retire [STACK]",
			Short:   "Give up the slot that is kept warm, so that the next release can have it",
			Long:    `Retire the previous release before its time is up. A rollback deploys its content again from then on.`,
			Example: `  kubectl lockstep retire shop`,
		},
	})
}

// chooseHeld finds the release at its hold.
func chooseHeld(ctx context.Context, c *Cluster, s *v1alpha1.Stack, name string) (*v1alpha1.Release, error) {
	unit := unitOf(s)
	switch {
	case unit.ActiveRelease == "":
		return nil, refusedf("no release of Stack %s is active, so there is nothing to promote; see kubectl lockstep status %s", s.Name, s.Name)
	case name != "" && name != unit.ActiveRelease:
		return nil, refusedf("release %s is not the active one, which is %s; see kubectl lockstep status %s", name, unit.ActiveRelease, s.Name)
	case unit.Step == nil || unit.Step.Kind != v1alpha1.StepHold:
		return nil, refusedf("release %s is not at its hold yet: %s. Wait for it with kubectl lockstep status %s --watch", unit.ActiveRelease, stepText(unit), s.Name)
	}
	r, err := c.release(ctx, s, unit.ActiveRelease)
	if err == nil && r.Status.Started == nil {
		return nil, refusedf("what release %s holds is not recorded, so it cannot be promoted; abort it and release again", r.Name)
	}
	return r, err
}

func stepText(unit v1alpha1.UnitStatus) string {
	if unit.Step == nil {
		return "it has not started"
	}
	if unit.Step.WaitingFor != "" {
		return string(unit.Step.Kind) + ", " + unit.Step.WaitingFor
	}
	return string(unit.Step.Kind)
}

// chooseUnlived finds the release to abort.
func chooseUnlived(ctx context.Context, c *Cluster, s *v1alpha1.Stack, name string) (*v1alpha1.Release, error) {
	if name != "" {
		return c.release(ctx, s, name)
	}
	if active := unitOf(s).ActiveRelease; active != "" {
		return c.release(ctx, s, active)
	}
	return nil, refusedf("no release of Stack %s is active, so there is nothing to abort; to leave the live one: kubectl lockstep rollback %s", s.Name, s.Name)
}

// chooseRollback finds the release to leave.
func chooseRollback(ctx context.Context, c *Cluster, s *v1alpha1.Stack, name string) (*v1alpha1.Release, error) {
	unit := unitOf(s)
	leave := unit.ActiveRelease
	if leave == "" {
		leave = unit.LiveRelease
	}
	switch {
	case leave == "":
		return nil, refusedf("Stack %s has no release that Lockstep made live, so there is nothing to leave; see kubectl lockstep status %s", s.Name, s.Name)
	case name != "" && name != unit.ActiveRelease && name != unit.LiveRelease:
		return nil, refusedf("release %s is neither live nor active; that is %s", name, leave)
	case name != "":
		leave = name
	}
	return c.release(ctx, s, leave)
}

// chooseWarm finds the release whose slot is kept.
func chooseWarm(ctx context.Context, c *Cluster, s *v1alpha1.Stack, name string) (*v1alpha1.Release, error) {
	i := slices.IndexFunc(s.Status.Slots, func(st v1alpha1.SlotStatus) bool {
		return st.State == v1alpha1.SlotWarm && st.Release != "" && (name == "" || st.Release == name)
	})
	if i < 0 {
		return nil, refusedf("Stack %s keeps no release warm, so there is nothing to retire; see kubectl lockstep status %s", s.Name, s.Name)
	}
	return c.release(ctx, s, s.Status.Slots[i].Release)
}

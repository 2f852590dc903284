package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// errTimeUp is what until returns when it has waited long enough.
var errTimeUp = errors.New("time is up")

// until looks now, and again whenever a target changes, until look reports that it is done, or fails for good.
func (a *app) until(ctx context.Context, c *Cluster, limit time.Duration, look func(context.Context) (bool, error), targets ...target) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timeUp := a.Clock.After(limit)
	changed := a.changes(ctx, c, targets...)
	for {
		done, err := look(ctx)
		if done || (err != nil && !passing(err)) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeUp:
			return errTimeUp
		case <-changed:
		}
	}
}

// goal is what --wait waits for.
type goal string

const (
	goalNone goal = ""
	goalHold goal = "Hold"
	goalLive goal = "Live"
	goalDone goal = "Done"
)

// wait follows a release until it has come to a goal, and says on the way what it waits for.
func (a *app) wait(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, name string, to goal, limit time.Duration) error {
	return a.waitUnless(ctx, c, stack, name, to, limit, func(*v1alpha1.Stack) error { return nil })
}

// waitUnless is wait, but ends with an error as soon as over returns one.
func (a *app) waitUnless(ctx context.Context, c *Cluster, stack *v1alpha1.Stack, name string, to goal, limit time.Duration, over func(*v1alpha1.Stack) error) error {
	say := &progress{out: a.ErrOut, now: a.Clock.Now, began: a.Clock.Now()}
	last := ""
	err := a.until(ctx, c, limit, func(ctx context.Context) (bool, error) {
		s, err := c.stack(ctx, []string{stack.Name})
		if err != nil {
			return false, err
		}
		r, err := c.release(ctx, s, name)
		if err != nil {
			return false, err
		}
		last = phase(s, r)
		say.line(last)
		if err := over(s); err != nil {
			return true, err
		}
		return reached(s, r, to)
	}, target{&v1alpha1.StackList{}, stack.Namespace}, target{&v1alpha1.ReleaseList{}, stack.Namespace})
	if errors.Is(err, errTimeUp) {
		return timedOutf("release %s is not at %s after %s; it goes on without you. Last: %s", name, to, duration.HumanDuration(limit), last)
	}
	return err
}

// reached reports whether a release has come to a goal, and fails where it no longer can.
func reached(s *v1alpha1.Stack, r *v1alpha1.Release, to goal) (bool, error) {
	if ended := r.Status.Ended; ended != nil {
		return reachedEnd(s, r, to)
	}
	unit := unitOf(s)
	at := unit.ActiveRelease == r.Name && unit.Step != nil && unit.Step.Kind == v1alpha1.StepHold
	return at && to == goalHold && !showing(unit.Step), nil
}

// showing is whether the gateways are still taking in how testers reach the release.
func showing(step *v1alpha1.StepStatus) bool {
	switch step.Reason {
	case v1alpha1.ReasonWritingEntries, v1alpha1.ReasonRouteNotAccepted, v1alpha1.ReasonRouteNotServed:
		return true
	}
	return false
}

func reachedEnd(s *v1alpha1.Stack, r *v1alpha1.Release, to goal) (bool, error) {
	ended := r.Status.Ended
	switch ended.Outcome {
	case v1alpha1.OutcomeReplaced:
		return true, nil
	case v1alpha1.OutcomeLive:
		// The Release says so a moment before the Stack has settled on it.
		return unitOf(s).LiveRelease == r.Name && (to != goalDone || settled(s)), nil
	case v1alpha1.OutcomeFailed, v1alpha1.OutcomeAborted, v1alpha1.OutcomeSuperseded, v1alpha1.OutcomeRolledBack:
	}
	return true, failedf("release %s has ended: %s", r.Name, endedBecause(ended))
}

func endedBecause(e *v1alpha1.ReleaseEnded) string {
	text := string(e.Outcome)
	if e.Reason != "" && e.Reason != text {
		text += " (" + e.Reason + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// settled reports whether no slot is kept, drained or retired any more.
func settled(s *v1alpha1.Stack) bool {
	for _, slot := range s.Status.Slots {
		switch slot.State {
		case v1alpha1.SlotWarm, v1alpha1.SlotDraining, v1alpha1.SlotRetiring:
			return false
		case v1alpha1.SlotLive, v1alpha1.SlotPreview, v1alpha1.SlotIdle:
		}
	}
	return true
}

// phase says in a line where a release is, and what it waits for.
func phase(s *v1alpha1.Stack, r *v1alpha1.Release) string {
	unit := unitOf(s)
	leaving := unit.ActiveRelease == r.Name && unit.Step != nil && unit.Step.Kind == v1alpha1.StepRollback
	switch {
	case leaving:
		return stepPhase(unit.Step)
	case r.Status.Ended != nil && r.Status.Ended.Outcome == v1alpha1.OutcomeLive:
		return "Live" + slotPhase(s)
	case r.Status.Ended != nil:
		return endedBecause(r.Status.Ended)
	case unit.ActiveRelease != r.Name && unit.ActiveRelease != "":
		return "Queued behind " + unit.ActiveRelease
	case unit.ActiveRelease != r.Name || unit.Step == nil:
		return "Queued" + held(s)
	}
	return stepPhase(unit.Step)
}

func stepPhase(step *v1alpha1.StepStatus) string {
	if step.WaitingFor == "" {
		return string(step.Kind)
	}
	return fmt.Sprintf("%s: %s: %s", step.Kind, step.Reason, step.WaitingFor)
}

func slotPhase(s *v1alpha1.Stack) string {
	for _, slot := range s.Status.Slots {
		if slot.Message != "" {
			return fmt.Sprintf("; slot %s is %s: %s", slot.Name, slot.State, slot.Message)
		}
	}
	return ""
}

// held is why no release starts.
func held(s *v1alpha1.Stack) string {
	for _, c := range s.Status.Conditions {
		wrong := c.Type == v1alpha1.ConditionStalled && c.Status == "True" || c.Type == v1alpha1.ConditionReady && c.Status == "False"
		waits := c.Type == v1alpha1.ConditionProgressing && (c.Reason == v1alpha1.ReasonWaitingForTurn || c.Reason == v1alpha1.ReasonSuspended)
		if waits || wrong && c.Reason != v1alpha1.ReasonNothingReleased {
			return ": " + c.Reason + ": " + c.Message
		}
	}
	return ""
}

func unitOf(s *v1alpha1.Stack) v1alpha1.UnitStatus {
	if len(s.Status.Units) == 0 {
		return v1alpha1.UnitStatus{}
	}
	return s.Status.Units[0]
}

// progress prints a line for each change, with the time that has passed.
type progress struct {
	out   io.Writer
	now   func() time.Time
	began time.Time
	last  string
}

func (p *progress) line(text string) {
	text = view.HarmlessLine(text)
	if text == p.last {
		return
	}
	p.last = text
	printf(p.out, "%6s  %s\n", duration.HumanDuration(p.now().Sub(p.began)), text)
}

// gone reports whether an error says that the object is not there.
func gone(err error) bool { return apierrors.IsNotFound(err) }

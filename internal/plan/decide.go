package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// decide carries out what people said, oldest first, and answers each Decision once.
func (p *planner) decide() bool {
	decisions := slices.Clone(p.s.Decisions)
	slices.SortFunc(decisions, func(a, b v1alpha1.Decision) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	for i := range decisions {
		if d := &decisions[i]; d.Status.Result == "" {
			p.answer(d, p.recorded(d))
		}
	}
	return true
}

// recorded is what is on record of a Decision whose answer was not written yet.
func (p *planner) recorded(d *v1alpha1.Decision) *v1alpha1.DecisionRecord {
	for i := range p.u.Decisions {
		if p.u.Decisions[i].UID == d.UID {
			return &p.u.Decisions[i]
		}
	}
	return nil
}

func (p *planner) answer(d *v1alpha1.Decision, known *v1alpha1.DecisionRecord) {
	if known == nil {
		v := p.weigh(d)
		if v.later {
			return
		}
		known = p.remember(d, v)
	}
	p.do(AnswerDecision{Name: d.Name, UID: d.UID, Result: known.Result, Message: known.Message, Because: "it was decided upon"})
}

// maxRecords is the bound of the status field.
const maxRecords = 16

func (p *planner) remember(d *v1alpha1.Decision, v verdict) *v1alpha1.DecisionRecord {
	rec := v1alpha1.DecisionRecord{Name: d.Name, UID: d.UID, Result: v1alpha1.DecisionAccepted, Message: v.message}
	reason := v1alpha1.ReasonDecisionAccepted
	if v.refused {
		rec.Result, reason = v1alpha1.DecisionRefused, v1alpha1.ReasonDecisionRefused
	}
	p.event(v.refused, reason, fmt.Sprintf("%s of %s by %s: %s", strings.ToLower(string(d.Spec.Verb)), d.Spec.Release, d.Spec.By, v.message))
	p.u.Decisions = append(p.u.Decisions, rec)
	if over := len(p.u.Decisions) - maxRecords; over > 0 {
		p.u.Decisions = slices.Delete(p.u.Decisions, 0, over)
	}
	return &p.u.Decisions[len(p.u.Decisions)-1]
}

// verdict is what becomes of a Decision: accepted, refused, or not yet known.
type verdict struct {
	refused bool
	later   bool
	message string
}

func accept(format string, args ...any) verdict {
	return verdict{message: fmt.Sprintf(format, args...)}
}

func refuse(format string, args ...any) verdict {
	return verdict{refused: true, message: fmt.Sprintf(format, args...)}
}

func (p *planner) weigh(d *v1alpha1.Decision) verdict {
	if v := p.trust(d); v != nil {
		return *v
	}
	r := p.release(d.Spec.Release)
	if r == nil || string(r.UID) != d.Spec.ReleaseUID {
		return refuse("release %s with uid %s does not exist (any more)", d.Spec.Release, d.Spec.ReleaseUID)
	}
	switch d.Spec.Verb {
	case v1alpha1.VerbPromote:
		return p.promote(d, r)
	case v1alpha1.VerbAbort:
		return p.abortBy(d, r)
	case v1alpha1.VerbRollback:
		return p.rollbackBy(d, r)
	case v1alpha1.VerbRetire:
		return p.retireBy(r)
	}
	return refuse("the verb %s is not known to this version of Lockstep", d.Spec.Verb)
}

// trust refuses Decisions that were made while nothing vouched for who made them. Abort alone counts on plain RBAC.
func (p *planner) trust(d *v1alpha1.Decision) *verdict {
	if d.Spec.Verb == v1alpha1.VerbAbort {
		return nil
	}
	if message := p.unvouched(d.CreationTimestamp.Time); message != "" {
		v := refuse("%s", message)
		return &v
	}
	return nil
}

// unvouched is why nothing vouches for who made something then; empty where the admission policy does.
func (p *planner) unvouched(made time.Time) string {
	switch {
	case p.s.Policy == nil:
		return fmt.Sprintf("the admission policy %s is missing or was altered, so nothing vouches for who decided; run kubectl lockstep install and decide again", v1alpha1.DecisionPolicy)
	case made.Before(*p.s.Policy):
		return fmt.Sprintf("it was made before the admission policy %s was in force, so nothing vouches for who decided; decide again", v1alpha1.DecisionPolicy)
	}
	return ""
}

func (p *planner) promote(d *v1alpha1.Decision, r *v1alpha1.Release) verdict {
	switch {
	case p.u.ActiveRelease != r.Name:
		return refuse("release %s is not the active one (%s)", r.Name, orNone(p.u.ActiveRelease))
	case p.u.Step.Kind != v1alpha1.StepHold:
		return refuse("release %s is not at its hold but at %s", r.Name, p.u.Step.Kind)
	case d.Spec.Step != v1alpha1.StepHold:
		return refuse("it is for step %s, and only a hold can be promoted", orNone(string(d.Spec.Step)))
	case d.Spec.Attempt != p.u.Step.Attempt:
		return refuse("it is for attempt %d of the hold, and this is attempt %d: look again, and promote again", d.Spec.Attempt, p.u.Step.Attempt)
	case d.Spec.Digest != r.Status.Started.Digest:
		return refuse("it is for other content (digest %s) than release %s holds", d.Spec.Digest, r.Name)
	}
	p.goTo(nextStep(r.Status.Started.Steps, v1alpha1.StepHold))
	return accept("users are being moved to release %s", r.Name)
}

func (p *planner) abortBy(d *v1alpha1.Decision, r *v1alpha1.Release) verdict {
	switch {
	case p.u.ActiveRelease == r.Name && p.at(v1alpha1.StepRollback):
		return refuse("release %s is being rolled back", r.Name)
	case p.u.ActiveRelease == r.Name && p.at(v1alpha1.StepAbort):
		p.writeAnew()
		return accept("release %s is being taken back already", r.Name)
	case p.u.ActiveRelease == r.Name:
		p.back(v1alpha1.OutcomeAborted, v1alpha1.ReasonAborted, said(d))
		return accept("release %s is being aborted", r.Name)
	case r.Status.Ended == nil:
		p.end(r, v1alpha1.OutcomeAborted, v1alpha1.ReasonAborted, said(d))
		return verdict{later: true}
	case r.Status.Ended.Outcome == v1alpha1.OutcomeLive:
		return refuse("release %s is live; to leave it, roll back (kubectl lockstep rollback)", r.Name)
	case r.Status.Ended.Outcome == v1alpha1.OutcomeAborted:
		return accept("release %s is aborted", r.Name)
	}
	return refuse("release %s has ended (%s)", r.Name, r.Status.Ended.Outcome)
}

func said(d *v1alpha1.Decision) string {
	text := strings.ToLower(string(d.Spec.Verb)) + " by " + d.Spec.By
	if d.Spec.Reason != "" {
		text += ": " + d.Spec.Reason
	}
	return text
}

// rollbackBy aborts an unswitched active release and stops there; otherwise it leaves the live one.
func (p *planner) rollbackBy(d *v1alpha1.Decision, r *v1alpha1.Release) verdict {
	switch {
	case p.coldFor(d) != nil:
		return accept("release %s deploys the frozen content of %s again", p.coldFor(d).Name, p.coldFor(d).Spec.RollbackOf)
	case p.at(v1alpha1.StepRollback):
		p.writeAnew()
		return accept("a rollback is under way already")
	case r.Name == p.u.LiveRelease && p.goingBack() != "":
		return p.rollbackAgain(d)
	case p.u.ActiveRelease == r.Name, p.u.ActiveRelease != "" && r.Name == p.u.LiveRelease:
		p.back(v1alpha1.OutcomeAborted, v1alpha1.ReasonAborted, said(d))
		return accept("release %s, which was not live yet, is being aborted; the live one stays", p.u.ActiveRelease)
	case p.u.LiveRelease != r.Name:
		return refuse("release %s is not live (%s is)", r.Name, orNone(p.u.LiveRelease))
	}
	if d.Spec.To != "" {
		return p.rollbackTo(d, r)
	}
	if warm := p.warmest(); warm != nil {
		p.rollBack(r, warm, said(d))
		return accept("users are being moved back to %s in slot %s", orFound(warm.Release), warm.Name)
	}
	return p.rollbackCold(d, r)
}

// rollbackAgain answers who asks for what is done already: to leave the live release twice would be to come back to it.
func (p *planner) rollbackAgain(d *v1alpha1.Decision) verdict {
	name := p.goingBack()
	if r := p.release(name); d.Spec.To != "" && (r == nil || r.Spec.RollbackOf != d.Spec.To) {
		return refuse("a rollback to another release is under way already, with release %s; abort that one first", name)
	}
	if p.redeploys() && p.u.Route.Live == p.u.ActiveSlot {
		p.writeAnew()
	}
	return accept("a rollback is under way already, with release %s", name)
}

// goingBack is the name of the release that goes back already, or is about to; empty where none does.
func (p *planner) goingBack() string {
	if p.redeploys() {
		return p.u.ActiveRelease
	}
	for _, a := range p.actions {
		if c, is := a.(CreateRelease); is && c.Spec.RollbackOf != "" {
			return c.Name
		}
	}
	for _, r := range p.pending() {
		if r.Spec.RollbackOf != "" && p.undecided(r) == "" {
			return r.Name
		}
	}
	return ""
}

// redeploys is whether the active release goes back to an earlier one.
func (p *planner) redeploys() bool {
	active := p.activeRelease()
	return active != nil && active.Spec.RollbackOf != "" && !p.at(v1alpha1.StepAbort)
}

// coldFor is the release that was made because of this Decision.
func (p *planner) coldFor(d *v1alpha1.Decision) *v1alpha1.Release {
	for i := range p.s.Releases {
		r := &p.s.Releases[i]
		if of := r.Spec.RollbackOf; of != "" && r.Name == RollbackName(p.s.Stack.Name, of, string(d.UID)) {
			return r
		}
	}
	return nil
}

func (p *planner) rollbackCold(d *v1alpha1.Decision, live *v1alpha1.Release) verdict {
	previous := p.previous(live)
	if previous == nil {
		return refuse("there is no earlier release to go back to")
	}
	return p.deployAgain(d, previous)
}

// rollbackTo leaves the live release for the one that is named.
func (p *planner) rollbackTo(d *v1alpha1.Decision, live *v1alpha1.Release) verdict {
	to := p.release(d.Spec.To)
	switch {
	case to == nil:
		return refuse("release %s, to go back to, does not exist (any more); see kubectl lockstep history %s -n %s", d.Spec.To, p.s.Stack.Name, p.s.Stack.Namespace)
	case to.Name == live.Name:
		return refuse("release %s is live already", to.Name)
	case !WasServed(to):
		return refuse("%s", neverServed(to))
	}
	if s := p.warmWith(to.Name); s != nil {
		p.rollBack(live, s, said(d))
		return accept("users are being moved back to release %s in slot %s", to.Name, s.Name)
	}
	if !p.s.Content[to.Name] {
		return refuse("the frozen content of release %s is gone; release the revision again", to.Name)
	}
	return p.deployAgain(d, to)
}

// WasServed is whether users have been on a release, and are no longer.
func WasServed(r *v1alpha1.Release) bool {
	switch outcomeOf(r) {
	case v1alpha1.OutcomeReplaced, v1alpha1.OutcomeRolledBack:
		return true
	default:
		return false
	}
}

func neverServed(r *v1alpha1.Release) string {
	return fmt.Sprintf("users were never on release %s, so it cannot be gone back to; release it again with kubectl lockstep retry", r.Name)
}

func (p *planner) deployAgain(d *v1alpha1.Decision, previous *v1alpha1.Release) verdict {
	name := RollbackName(p.s.Stack.Name, previous.Name, string(d.UID))
	p.do(CreateRelease{Name: name, Spec: v1alpha1.ReleaseSpec{Stack: p.s.Stack.Name, RollbackOf: previous.Name}, Because: Because(said(d))})
	return verdict{later: true}
}

// previous is the release that users were on before live: the last one that it replaced.
func (p *planner) previous(live *v1alpha1.Release) *v1alpha1.Release {
	var found *v1alpha1.Release
	for i := range p.s.Releases {
		r := &p.s.Releases[i]
		if !p.s.Content[r.Name] || r.Status.Ended == nil || r.Status.Ended.Outcome != v1alpha1.OutcomeReplaced || sameContent(r, live) {
			continue
		}
		if found == nil || found.Status.Ended.At.Before(&r.Status.Ended.At) {
			found = r
		}
	}
	return found
}

func sameContent(a, b *v1alpha1.Release) bool {
	return a.Status.Started != nil && b.Status.Started != nil && a.Status.Started.Digest == b.Status.Started.Digest
}

func (p *planner) retireBy(r *v1alpha1.Release) verdict {
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		if s.Release != r.Name {
			continue
		}
		switch s.State {
		case v1alpha1.SlotWarm:
			if s.Name == p.u.ActiveSlot {
				return refuse("users are being moved to slot %s", s.Name)
			}
			setState(s, v1alpha1.SlotDraining, p.stamp())
			return accept("slot %s is given up", s.Name)
		case v1alpha1.SlotDraining, v1alpha1.SlotRetiring:
			return accept("slot %s is being given up already", s.Name)
		case v1alpha1.SlotLive, v1alpha1.SlotPreview, v1alpha1.SlotIdle:
		}
	}
	return refuse("no slot is kept warm for release %s", r.Name)
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}

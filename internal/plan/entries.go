package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// point makes a new intent for where the entries point.
func (p *planner) point(live, preview string) {
	was := p.u.Route
	p.u.Route = &v1alpha1.RouteIntent{Epoch: p.bump(), Live: live, Preview: preview}
	if was == nil || was.Live != live {
		p.unfit = nil // that was the slot that users were meant to be sent to before
		p.open(p.u.Route)
	}
}

// record takes what was seen of the entries into the status.
func (p *planner) record() {
	var entries []v1alpha1.EntryStatus
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		seen := e.Epoch
		if p.landed(e) {
			seen = p.u.Route.Epoch // so that an edit is told from a write that did not happen yet
		}
		entries = append(entries, v1alpha1.EntryStatus{
			Name: e.Name, Weights: shareOf(e), ObservedEpoch: seen, Evidence: p.evidence(e), Message: clip(e.Message, 2048),
		})
	}
	p.u.Entries = entries
	p.measure()
}

// shareOf is where an entry leads: the route of testers has no users to share out.
func shareOf(e *Entry) []v1alpha1.SlotWeight {
	if e.Testers && e.PreviewSlot != "" {
		return []v1alpha1.SlotWeight{{Slot: e.PreviewSlot, Weight: 100}}
	}
	return e.Weights
}

// evidence is how sure we are that the saved intent is in force at the entry.
func (p *planner) evidence(e *Entry) v1alpha1.Evidence {
	switch {
	case !p.carries(e):
		return v1alpha1.EvidenceNone
	case !e.Accepted:
		return v1alpha1.EvidenceWritten
	case !e.Served:
		return v1alpha1.EvidenceAccepted
	}
	return v1alpha1.EvidenceServed
}

// carries is whether the route says what the current intent says. What AsIntended says is about the saved intent, so a
// newer one is in force nowhere yet.
func (p *planner) carries(e *Entry) bool {
	return p.u.Route != nil && e.Exists && e.Problem == nil && e.Epoch == p.u.Route.Epoch && e.AsIntended
}

// entryPending is what stands between the current intent and its being in force at every entry; nil where it is.
func (p *planner) entryPending(e *Entry) *Problem {
	switch {
	case e.Problem != nil:
		return e.Problem
	case p.edited(e):
		return p.editedProblem(e)
	case p.u.Route.Epoch == 0 && (e.Exists || e.Testers):
		return nil // the route is the team's own, and not to be written yet; that of testers is not made before it is needed
	case p.withheld(e):
		return p.unfit
	case p.homeless(e) != nil:
		return p.homeless(e)
	case !p.carries(e) && p.refused("entry/"+e.Name) != nil:
		return p.refused("entry/" + e.Name)
	case !p.carries(e):
		return &Problem{Reason: v1alpha1.ReasonWritingEntries, Message: fmt.Sprintf("entry %s does not carry epoch %d yet", e.Name, p.u.Route.Epoch)}
	case e.Require == v1alpha1.EvidenceWritten:
		return nil
	case !e.Accepted:
		return &Problem{Reason: v1alpha1.ReasonRouteNotAccepted, Message: fmt.Sprintf("entry %s is not accepted by its control plane: %s", e.Name, e.Message)}
	case e.Require != v1alpha1.EvidenceAccepted && !e.Served:
		return &Problem{Reason: v1alpha1.ReasonRouteNotServed, Message: fmt.Sprintf("entry %s is not served at epoch %d by every gateway endpoint: %s", e.Name, p.u.Route.Epoch, e.Message)}
	}
	return nil
}

// notInForce is the first entry at which the current intent is not in force with the evidence that the Stack asks for.
// Users do not wait for the routes of testers.
func (p *planner) notInForce() *Problem {
	return p.pendingAt(func(e *Entry) bool { return !e.Testers })
}

// notTakenBack is the same for an abort, which does not wait for entries that it leaves as they are.
func (p *planner) notTakenBack() *Problem {
	return p.pendingAt(func(e *Entry) bool { return !e.Testers && p.homeless(e) == nil })
}

// notInForceAnywhere counts the routes of testers too: a slot is left only once nobody can reach it.
func (p *planner) notInForceAnywhere() *Problem {
	return p.pendingAt(func(*Entry) bool { return true })
}

func (p *planner) pendingAt(counts func(*Entry) bool) *Problem {
	if p.u.Route.Epoch == 0 && p.u.LiveSlot == "" {
		return nil // nothing was ever written, so nothing can contradict it
	}
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if problem := p.entryPending(e); problem != nil && counts(e) {
			p.wakeEntry()
			return problem
		}
	}
	return nil
}

// wakeEntry looks soon while an intent is new, since no watch tells when a gateway has taken it.
func (p *planner) wakeEntry() {
	switch {
	case p.u.Step == nil:
		p.wakeIn(retryAfter)
	case p.now.Sub(p.u.Step.Since.Time) > 10*retryAfter:
		p.wakeIn(lookAgainLater)
	default:
		p.wakeIn(lookAgain)
	}
}

// landed is whether the entry was seen to carry the current intent.
func (p *planner) landed(e *Entry) bool {
	if len(p.was.Units) == 0 || p.was.Units[0].Route == nil || *p.was.Units[0].Route != *p.u.Route {
		return false
	}
	for _, was := range p.was.Units[0].Entries {
		if was.Name == e.Name {
			return was.ObservedEpoch == p.u.Route.Epoch
		}
	}
	return false
}

// edited is whether someone else changed the route after it carried the current intent, or wrote a later epoch; of a
// route that was only found, whether it sends users elsewhere since.
func (p *planner) edited(e *Entry) bool {
	if !e.Exists {
		return false
	}
	if p.u.Route.Epoch == 0 {
		return !e.Testers && p.u.LiveSlot != "" && !onlyTo(e, p.u.LiveSlot)
	}
	if p.replaced(e) {
		return false
	}
	return e.Epoch > p.u.Route.Epoch || (e.Epoch == p.u.Route.Epoch && p.sameIntent() && !e.AsIntended) || (e.Epoch < p.u.Route.Epoch && p.landed(e))
}

// replaced is whether someone made the route anew, without a trace of Lockstep's, and sends users where they should be:
// marking it again moves nobody.
func (p *planner) replaced(e *Entry) bool {
	return e.Exists && e.Epoch == 0 && p.landed(e) && (e.Testers || onlyTo(e, p.u.Route.Live))
}

// sameIntent is whether the intent is the saved one, which AsIntended speaks of.
func (p *planner) sameIntent() bool {
	return len(p.was.Units) > 0 && p.was.Units[0].Route != nil && *p.was.Units[0].Route == *p.u.Route
}

func (p *planner) editedProblem(e *Entry) *Problem {
	return &Problem{
		Reason:  v1alpha1.ReasonEntryEdited,
		Message: fmt.Sprintf("entry %s was changed by someone else%s: %s; put it back, or abort or roll back, which writes it anew", e.Name, by(e), orText(e.Differs, "it carries another epoch")),
	}
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// writeAnew says the same again where someone else has changed a route in the meantime.
func (p *planner) writeAnew() {
	if slices.ContainsFunc(p.s.Entries, func(e Entry) bool { return p.edited(&e) }) {
		p.point(p.u.Route.Live, p.u.Route.Preview)
	}
}

// route writes the entries that do not carry the current intent yet, in the team's order. What someone else changed
// afterwards is left as it is: only a new intent writes again. While users are being moved on, no entry is written before
// those that come earlier in the list.
func (p *planner) route() bool {
	p.record()
	if p.u.Route.Epoch == 0 {
		return true
	}
	for _, e := range usersFirst(p.s.Entries) {
		if p.writable(e) && !p.rests(e) {
			p.do(WriteEntry{Entry: e.Name, ResourceVersion: e.ResourceVersion, Intent: *p.u.Route, Because: Because(p.intentText())})
		} else if p.holdsUp(e) {
			break
		}
	}
	return true
}

// rests is whether an entry that was refused is left alone for a while; on the way back not for long.
func (p *planner) rests(e *Entry) bool {
	o := p.result("entry/" + e.Name)
	if o == nil || o.OK {
		return false
	}
	again := retryAfter
	if p.at(v1alpha1.StepAbort) {
		again = lookAgainLater
	}
	return !p.past(o.At.Add(again))
}

// refusedAtRest is whether the result says why an entry, written while no release is active, still does not carry the intent.
func (p *planner) refusedAtRest(o v1alpha1.Observation) bool {
	name, is := strings.CutPrefix(o.Key, "entry/")
	return is && !o.OK && o.Step == "" && p.u.Step == nil &&
		slices.ContainsFunc(p.s.Entries, func(e Entry) bool { return e.Name == name && !p.carries(&e) })
}

func (p *planner) writable(e *Entry) bool {
	switch {
	case e.Problem != nil, !e.Exists && e.Adopted, p.edited(e), p.withheld(e), p.homeless(e) != nil:
		return false
	case !e.Exists && p.landed(e):
		p.anew(v1alpha1.ReasonEntryMissing, "the route of entry "+e.Name+" was deleted; it is made again")
		return true
	case p.replaced(e):
		p.anew(v1alpha1.ReasonEntryEdited, "the route of entry "+e.Name+" was replaced, and sends users where they should be; it is marked again")
		return true
	}
	return e.Epoch < p.u.Route.Epoch || !e.Exists
}

// withheld is whether writing the entry would send users to a slot that they were not on and that is not fit for them.
func (p *planner) withheld(e *Entry) bool {
	return p.unfit != nil && !p.carries(e) && !sendsUsers(e, p.u.Route.Live)
}

// homeless is why a route of the team's that was never written, of an entry that was added since, is left as it is: its users
// would be sent to what the live slot does not have. A switch and a rollback have looked at every backend.
func (p *planner) homeless(e *Entry) *Problem {
	added := e.Exists && e.Epoch == 0 && p.u.Route.Epoch > 0 && !p.written(e)
	if !added || e.Testers || p.u.LiveSlot == "" || p.forward() || onlyTo(e, p.u.LiveSlot) {
		return nil
	}
	if f := p.facts(p.u.LiveSlot); f.Problem == nil {
		return backendMissing(e, f)
	}
	return p.facts(p.u.LiveSlot).Problem
}

// written is whether the entry was seen to carry an intent, whoever has replaced its route since.
func (p *planner) written(e *Entry) bool {
	return slices.ContainsFunc(p.seen(), func(was v1alpha1.EntryStatus) bool { return was.Name == e.Name && was.ObservedEpoch > 0 })
}

// seen is what was seen of the entries when the status was saved.
func (p *planner) seen() []v1alpha1.EntryStatus {
	if len(p.was.Units) == 0 {
		return nil
	}
	return p.was.Units[0].Entries
}

// anew makes a new intent of the same, for a route that someone has deleted or replaced.
func (p *planner) anew(reason, message string) {
	p.event(true, reason, message)
	p.point(p.u.Route.Live, p.u.Route.Preview)
}

func (p *planner) intentText() string {
	text := "users go to slot " + orNone(p.u.Route.Live)
	if p.u.Route.Preview != "" {
		text += ", testers to slot " + p.u.Route.Preview
	}
	return text
}

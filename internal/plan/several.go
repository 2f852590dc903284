package plan

import (
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// What is done because a Stack has several entries: with one, a switch is one write, which is done or is not.

// tried has all entries written, and written back, by dry-run before the first of them is: what would refuse one of them
// is found while every one still points where it did.
func (p *planner) tried(r *v1alpha1.Release) *Problem {
	if p.users() < 2 || r == nil {
		return nil
	}
	return p.lately("entries",
		TryEntries{
			Release: ref(r), Attempt: p.u.Step.Attempt, Because: "users are about to be moved through several entries",
			There: v1alpha1.RouteIntent{Epoch: p.u.Epoch + 1, Live: p.u.ActiveSlot},
			Back:  v1alpha1.RouteIntent{Epoch: p.u.Epoch + 2, Live: p.u.LiveSlot},
		},
		&Problem{Reason: v1alpha1.ReasonTryingEntries, Message: "every entry is being written, and written back, by dry-run"})
}

// split is why an entry does not follow those that were switched before it: it is refused, the slot has died meanwhile, or the
// step's deadline is over.
// Users of one are on the new slot, and of the other on the old one, and waiting would leave them there.
func (p *planner) split() *Problem {
	if p.users() < 2 || p.u.Route.Live == p.u.LiveSlot || p.u.LiveSlot == "" || !p.landedAnywhere() {
		return nil
	}
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if e.Testers || p.carries(e) || p.edited(e) {
			continue
		}
		no := p.refused("entry/" + e.Name)
		switch {
		case p.withheld(e):
			no = p.unfit
		case no == nil && !p.landed(e) && p.overdue():
			no = p.entryPending(e)
		}
		if no != nil {
			return &Problem{Reason: no.Reason, Message: fmt.Sprintf("entry %s cannot follow those that were switched before it, so all are taken back: %s", e.Name, no.Message)}
		}
	}
	return nil
}

// forward is whether the intent sends users to a slot that they are not on yet; else they are taken, or left, where they
// were, and no entry waits for another one.
func (p *planner) forward() bool {
	return p.u.LiveSlot != "" && p.u.Route.Live != p.u.LiveSlot
}

// holdsUp is whether the entries that come after this one wait for it.
func (p *planner) holdsUp(e *Entry) bool {
	return p.forward() && !e.Testers && !p.carries(e)
}

// usersFirst has entries in the order in which they are written: the routes of testers are not what users wait for.
func usersFirst(entries []Entry) []*Entry {
	all := make([]*Entry, 0, len(entries))
	for i := range entries {
		all = append(all, &entries[i])
	}
	slices.SortStableFunc(all, func(a, b *Entry) int { return turn(a) - turn(b) })
	return all
}

func turn(e *Entry) int {
	if e.Testers {
		return 1
	}
	return 0
}

package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TurnName is the name of the Lease, in the controller's namespace, that says whose turn it is in a queue group.
func TurnName(group string) string {
	sum := sha256.Sum256([]byte(group))
	return "lockstep-queue-" + hex.EncodeToString(sum[:])[:16]
}

// awaitTurn is what keeps a release from starting in its queue group; nil where it has the turn. A rollback does not wait.
func (p *planner) awaitTurn(next *v1alpha1.Release) *Problem {
	t := p.s.Turn
	switch {
	case t == nil || next.Spec.RollbackOf != "":
		return nil
	case t.Problem != nil:
		p.wakeIn(retryAfter)
		return t.Problem
	case t.Mine && t.Release == next.UID && p.u.Turn != nil && t.Epoch == p.u.Turn.Epoch:
		return nil
	case !t.Mine && t.Holder != "":
		p.wakeIn(retryAfter)
		return waitsForTurn("%s has the turn in queue group %s", t.Holder, t.Group)
	case !t.Mine && t.Ahead != "":
		p.wakeIn(retryAfter)
		return waitsForTurn("%s waits for the turn in queue group %s, and was made before", t.Ahead, t.Group)
	}
	p.wantTurn(next.UID)
	p.do(TakeTurn{Group: t.Group, ResourceVersion: t.ResourceVersion, Epoch: p.u.Turn.Epoch, Release: ref(next), Because: "a release is about to start"})
	p.wakeIn(lookAgainLater)
	return waitsForTurn("the turn in queue group %s is being taken", t.Group)
}

func waitsForTurn(format string, args ...any) *Problem {
	return &Problem{Reason: v1alpha1.ReasonWaitingForTurn, Message: fmt.Sprintf(format, args...)}
}

// wantTurn makes a new intent of whether the Stack has the turn. Its epoch makes a late write of an older one fail, or
// shows whose it was.
func (p *planner) wantTurn(release types.UID) {
	if p.u.Turn == nil || p.u.Turn.ReleaseUID != release {
		p.u.Turn = &v1alpha1.TurnIntent{Epoch: p.bump(), ReleaseUID: release}
	}
}

// giveTurn lets others have the turn once no release of this Stack is active.
func (p *planner) giveTurn() bool {
	t := p.s.Turn
	if t == nil || t.Problem != nil || !t.Mine || p.u.ActiveRelease != "" || p.takes() {
		return true
	}
	p.wantTurn("")
	p.do(GiveTurn{Group: t.Group, ResourceVersion: t.ResourceVersion, Epoch: p.u.Turn.Epoch, Because: "no release of this Stack is active"})
	return true
}

// takes is whether this very plan takes the turn.
func (p *planner) takes() bool {
	for _, a := range p.actions {
		if _, is := a.(TakeTurn); is {
			return true
		}
	}
	return false
}

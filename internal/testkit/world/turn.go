package world

import (
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

// neighbour is another Stack of the queue group.
const neighbour = "other/stack"

// Lease says whose turn it is in the queue group.
type Lease struct {
	// Holder is the Stack that has the turn; empty for none.
	Holder  string
	Release types.UID
	Epoch   int64
	version int64
}

// Mine is whether the Stack of this world has the turn.
func (l Lease) Mine() bool { return l.Holder != "" && l.Holder != neighbour }

func (w *World) readTurn(s *plan.Snapshot) {
	group := s.Stack.Spec.Queue.Group
	if group == "" {
		return
	}
	t := &plan.Turn{Group: group, Ahead: w.NeighbourWaits}
	if w.Lease.version > 0 {
		t.ResourceVersion = strconv.FormatInt(w.Lease.version, 10)
	}
	switch {
	case w.Lease.Mine():
		t.Mine, t.Release, t.Epoch = true, w.Lease.Release, w.Lease.Epoch
	case w.Lease.Holder != "":
		t.Holder = "a release of Stack " + w.Lease.Holder
	}
	s.Turn = t
}

func (w *World) takeTurn(a plan.TakeTurn) Effect {
	return w.writeLease(a.ResourceVersion, Lease{Holder: w.Stack.Namespace + "/" + w.Stack.Name, Release: a.Release.UID, Epoch: a.Epoch})
}

func (w *World) giveTurn(a plan.GiveTurn) Effect {
	if !w.Lease.Mine() || w.Lease.Epoch > a.Epoch {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	return w.writeLease(a.ResourceVersion, Lease{})
}

func (w *World) writeLease(resourceVersion string, to Lease) Effect {
	read, _ := strconv.ParseInt(resourceVersion, 10, 64)
	if read != w.Lease.version {
		return Effect{Write: Write{Effect: Conflict}}
	}
	to.version = w.nextNumber()
	w.Lease = to
	w.changed()
	return Effect{Write: Write{Effect: Written}}
}

// NeighbourTakes has another Stack take the turn, where it is free.
func (w *World) NeighbourTakes() {
	if w.Lease.Holder == "" {
		w.writeLease(strconv.FormatInt(w.Lease.version, 10), Lease{Holder: neighbour})
	}
}

// NeighbourGives has another Stack give its turn back.
func (w *World) NeighbourGives() {
	if w.Lease.Holder == neighbour {
		w.writeLease(strconv.FormatInt(w.Lease.version, 10), Lease{})
	}
}

package world

import (
	"slices"
	"time"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Autoscaler is the HorizontalPodAutoscaler of a workload. It sees no load: it keeps the replicas within its bounds.
type Autoscaler struct {
	Name, Member string
	Min, Max     int32
	Epoch        int64
	Held         bool
	// BlindSince is since when it has had no metrics; zero where it has some.
	BlindSince time.Time
}

// Autoscaler by name; nil where there is none.
func (n *Namespace) Autoscaler(name string) *Autoscaler {
	for _, a := range n.Autoscalers {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func (n *Namespace) autoscalerOf(member string) *plan.Autoscaler {
	for _, a := range n.Autoscalers {
		if a.Member != member {
			continue
		}
		out := &plan.Autoscaler{Name: a.Name, Min: a.Min, Max: a.Max, Epoch: a.Epoch, Held: a.Held}
		if !a.BlindSince.IsZero() {
			out.Problem, out.Since = "FailedGetResourceMetric: no metrics", a.BlindSince
		}
		return out
	}
	return nil
}

// autoscale is the controller of autoscalers: it leaves alone what is at zero.
func (w *World) autoscale(n *Namespace, a *Autoscaler) bool {
	x := n.Workload(a.Member)
	if x == nil || x.Replicas == 0 {
		return false
	}
	size := min(max(x.Replicas, a.Min), a.Max)
	if size == x.Replicas {
		return false
	}
	x.Replicas = size
	w.touchWorkload(x)
	return true
}

// applyAutoscalers is one write for each; what a former release has left is removed by prune.
func (w *World) applyAutoscalers(a plan.ApplyBase) []TaskWrite {
	var writes []TaskWrite
	for _, m := range w.membersOf(a.Release) {
		if scaler := m.Autoscaler; scaler != nil {
			like := Autoscaler{Name: scaler.Name, Member: m.Name, Min: scaler.MinReplicas, Max: scaler.MaxReplicas, Epoch: a.Epoch}
			writes = append(writes, func(w *World, _ *Task) Effect { return w.applyAutoscaler(a, like) })
		}
	}
	return writes
}

func (w *World) applyAutoscaler(a plan.ApplyBase, like Autoscaler) Effect {
	n := w.Namespace(a.Slot)
	if !n.usable() {
		return gone(n)
	}
	for _, m := range a.Minimums {
		if m.Name == like.Name {
			like.Min, like.Held = m.Replicas, m.Held
		}
	}
	is := n.Autoscaler(like.Name)
	switch {
	case is == nil:
		n.Autoscalers = append(n.Autoscalers, &like)
	case is.Epoch > a.Epoch:
		return Effect{Write: Write{Effect: LeftAlone}}
	case is.Epoch == a.Epoch:
		is.Max = like.Max
	default:
		*is = like
	}
	w.changed()
	return Effect{Write: Write{Effect: Written}}
}

func (w *World) scaleMinimum(a plan.ScaleMinimum) Effect {
	is := w.Namespace(a.Slot).Autoscaler(a.Name)
	if is == nil || is.Epoch > a.Epoch {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	is.Min, is.Held, is.Epoch = a.Minimum, a.Held, a.Epoch
	w.changed()
	return Effect{Write: Write{Effect: Written}}
}

// pruneAutoscalers removes those of members that are gone, or have none any more.
func (w *World) pruneAutoscalers(n *Namespace, a plan.ApplyBase) {
	n.Autoscalers = slices.DeleteFunc(n.Autoscalers, func(is *Autoscaler) bool {
		for _, m := range w.membersOf(a.Release) {
			if m.Autoscaler != nil && m.Autoscaler.Name == is.Name {
				return false
			}
		}
		return is.Epoch <= a.Epoch
	})
}

// Blind has an autoscaler lose its metrics.
func (w *World) Blind(a *Autoscaler) { a.BlindSince = w.Now }

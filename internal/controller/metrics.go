package controller

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// shared is what the manager serves: metrics belong to the process, as controller-runtime's own do.
var shared = sync.OnceValue(func() *meter {
	m := newMeter()
	ctrlmetrics.Registry.MustRegister(m.collectors()...)
	return m
})

// Metrics are the metrics that Lockstep adds to those of controller-runtime.
func Metrics() []prometheus.Collector { return shared().collectors() }

// meter makes metrics of how the status of Stacks changes.
type meter struct {
	steps    *prometheus.HistogramVec
	releases *prometheus.HistogramVec
	moves    *prometheus.HistogramVec
	waiting  *prometheus.GaugeVec
	writes   *prometheus.CounterVec

	mu      sync.Mutex
	watches map[types.NamespacedName]*stopwatch
}

func newMeter() *meter {
	return &meter{
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lockstep_step_duration_seconds",
			Help:    "How long releases were at a step, by how they left it.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 4 * 3600, 24 * 3600},
		}, []string{"step", "outcome"}),
		releases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lockstep_release_duration_seconds",
			Help:    "From the creation of a Release to its end as the active one, by how it ended.",
			Buckets: []float64{5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600},
		}, []string{"kind", "outcome"}),
		moves: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lockstep_switch_duration_seconds",
			Help:    "From when it was decided to move users to when every entry was seen to send them there.",
			Buckets: []float64{0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 120, 300},
		}, []string{"kind"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lockstep_stack_waiting_since_timestamp_seconds",
			Help: "Since when (Unix time) a Stack waits, for the reason that it says; absent where it waits for nothing.",
		}, []string{"namespace", "stack", "reason"}),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockstep_api_writes_total",
			Help: "Requests of the controller that write, its own and those with the rights of teams, by how the API server answered.",
		}, []string{"verb", "group", "resource", "dry_run", "result"}),
		watches: map[types.NamespacedName]*stopwatch{},
	}
}

func (m *meter) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.steps, m.releases, m.moves, m.waiting, m.writes}
}

// stopwatch times what a status says to the second only. It is lost with the process; what is under way then counts from
// what the status says.
type stopwatch struct {
	step time.Time
	// move is the kind of move that is being timed, away from a slot; empty where none is.
	move  string
	from  string
	moved time.Time
	// waits is the reason of the Stack's series of waiting; empty where there is none.
	waits string
}

// transition is a status that was saved, and the one before it.
type transition struct {
	stack    types.NamespacedName
	was, is  v1alpha1.StackStatus
	releases []v1alpha1.Release
	at       time.Time
}

// saw takes a pass into account.
func (m *meter) saw(t transition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watches[t.stack]
	if w == nil {
		w = resumed(t.was)
		m.watches[t.stack] = w
	}
	was, is := unitOf(t.was), unitOf(t.is)
	if !sameStep(was, is) {
		m.leaveStep(t, w, was, is)
		w.begin(t, was, is)
	}
	m.endRelease(t, was, is)
	m.endMove(t, w, is)
	m.wait(t, w)
}

// forget drops what is known of a Stack that is gone.
func (m *meter) forget(stack types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watches, stack)
	m.waiting.DeletePartialMatch(prometheus.Labels{"namespace": stack.Namespace, "stack": stack.Name})
}

// resumed goes on with what another process began. A move of which every entry was seen already is not counted again.
func resumed(was v1alpha1.StackStatus) *stopwatch {
	w, u := &stopwatch{}, unitOf(was)
	if u.Step == nil {
		return w
	}
	w.step = u.Step.Since.Time
	moving := u.Step.Kind == v1alpha1.StepSwitch || u.Step.Kind == v1alpha1.StepRollback
	sent := u.Route != nil && u.Route.Live == u.ActiveSlot
	if moving && (!sent || !inForce(was)) {
		w.move, w.from, w.moved = moveKind(u, nil), u.LiveSlot, w.step
	}
	return w
}

// sameStep is whether the release is where it was. A step whose time was set anew has begun anew: Deploy counts from when
// it has a slot.
func sameStep(was, is v1alpha1.UnitStatus) bool {
	if was.Step == nil || is.Step == nil {
		return was.Step == is.Step
	}
	return was.ActiveRelease == is.ActiveRelease && was.Step.Kind == is.Step.Kind && was.Step.Attempt == is.Step.Attempt && was.Step.Since.Equal(&is.Step.Since)
}

func (m *meter) leaveStep(t transition, w *stopwatch, was, is v1alpha1.UnitStatus) {
	again := was.Step != nil && is.Step != nil && was.ActiveRelease == is.ActiveRelease && was.Step.Kind == is.Step.Kind && was.Step.Attempt == is.Step.Attempt
	if was.Step == nil || again {
		return
	}
	m.steps.WithLabelValues(string(was.Step.Kind), howLeft(was, is)).Observe(t.at.Sub(w.step).Seconds())
}

// How a step was left, other than by an outcome of the release.
const (
	leftDone     = "Done"
	leftRepeated = "Repeated"
)

func howLeft(was, is v1alpha1.UnitStatus) string {
	same := is.Step != nil && was.ActiveRelease == is.ActiveRelease
	switch {
	case same && is.Step.Kind == v1alpha1.StepAbort:
		return string(is.Step.Outcome)
	case same && is.Step.Attempt != was.Step.Attempt:
		return leftRepeated
	case same, was.Step.Kind == v1alpha1.StepAbort:
		return leftDone
	case was.Step.Kind == v1alpha1.StepRollback && is.LiveRelease == was.ActiveRelease:
		return string(v1alpha1.OutcomeFailed)
	case was.Step.Kind == v1alpha1.StepRollback, is.LiveRelease == was.ActiveRelease:
		return leftDone
	}
	return string(v1alpha1.OutcomeAborted)
}

// begin times the step that the release is at now, and the move that the step makes.
func (w *stopwatch) begin(t transition, was, is v1alpha1.UnitStatus) {
	w.step = t.at
	if is.Step == nil {
		return // a move that was seen through in this very pass is still to be counted
	}
	w.move, w.from, w.moved = moveKind(is, t.release(is.ActiveRelease)), sentTo(was), t.at
	switch {
	case w.move == moveAbort && (was.ActiveSlot == "" || sentTo(was) != was.ActiveSlot):
		w.move = "" // users were never sent there
	case w.move == moveCold:
		w.moved = t.release(is.ActiveRelease).CreationTimestamp.Time
	}
}

// Kinds of moves, and of releases.
const (
	moveFirst    = "First"
	moveSwitch   = "Switch"
	moveRollback = "Rollback"
	moveCold     = "ColdRollback"
	moveAbort    = "Abort"
	kindRelease  = "Release"
)

// moveKind is how the step moves users; empty for steps that do not.
func moveKind(u v1alpha1.UnitStatus, r *v1alpha1.Release) string {
	switch {
	case u.Step.Kind == v1alpha1.StepRollback:
		return moveRollback
	case u.Step.Kind == v1alpha1.StepAbort:
		return moveAbort
	case u.Step.Kind != v1alpha1.StepSwitch:
		return ""
	case r != nil && r.Spec.RollbackOf != "":
		return moveCold
	case u.LiveSlot == "":
		return moveFirst
	}
	return moveSwitch
}

func sentTo(u v1alpha1.UnitStatus) string {
	if u.Route == nil {
		return ""
	}
	return u.Route.Live
}

func (m *meter) endMove(t transition, w *stopwatch, is v1alpha1.UnitStatus) {
	if w.move != "" && sentTo(is) != w.from && inForce(t.is) {
		m.moves.WithLabelValues(w.move).Observe(t.at.Sub(w.moved).Seconds())
		w.move = ""
	}
	if is.Step == nil {
		w.move = ""
	}
}

// endRelease counts a release that is no longer the active one. Leaving a live one is no second end.
func (m *meter) endRelease(t transition, was, is v1alpha1.UnitStatus) {
	r := t.release(was.ActiveRelease)
	if r == nil || was.ActiveRelease == is.ActiveRelease || was.Step == nil || was.Step.Kind == v1alpha1.StepRollback {
		return
	}
	kind, outcome := kindRelease, v1alpha1.OutcomeAborted
	if r.Spec.RollbackOf != "" {
		kind = moveCold
	}
	switch {
	case was.Step.Kind == v1alpha1.StepAbort:
		outcome = was.Step.Outcome
	case is.LiveRelease == was.ActiveRelease:
		outcome = v1alpha1.OutcomeLive
	}
	m.releases.WithLabelValues(kind, string(outcome)).Observe(t.at.Sub(r.CreationTimestamp.Time).Seconds())
}

// wait says what the Stack waits for: one series for each Stack at most.
func (m *meter) wait(t transition, w *stopwatch) {
	reason, since := waitsFor(t.is)
	if w.waits != "" && w.waits != reason {
		m.waiting.DeleteLabelValues(t.stack.Namespace, t.stack.Name, w.waits)
	}
	if w.waits = reason; reason != "" {
		m.waiting.WithLabelValues(t.stack.Namespace, t.stack.Name, reason).Set(float64(since.Unix()))
	}
}

// waitsFor is what stands in the way of the active release; without one, what is wrong, or what Lockstep is busy with.
func waitsFor(s v1alpha1.StackStatus) (string, time.Time) {
	if step := unitOf(s).Step; step != nil && step.Reason != "" && step.WaitingSince != nil {
		return step.Reason, step.WaitingSince.Time
	}
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionFalse && c.Reason != v1alpha1.ReasonNothingReleased {
		return c.Reason, c.LastTransitionTime.Time
	}
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReconciling); c != nil && c.Status == metav1.ConditionTrue {
		return c.Reason, c.LastTransitionTime.Time
	}
	return "", time.Time{}
}

func inForce(s v1alpha1.StackStatus) bool {
	return meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionEntriesInForce)
}

func unitOf(s v1alpha1.StackStatus) v1alpha1.UnitStatus {
	if len(s.Units) == 0 {
		return v1alpha1.UnitStatus{}
	}
	return s.Units[0]
}

func (t transition) release(name string) *v1alpha1.Release {
	for i := range t.releases {
		if r := &t.releases[i]; name != "" && r.Name == name {
			return r
		}
	}
	return nil
}

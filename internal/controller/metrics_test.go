package controller

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// metered feeds statuses to a meter, a second after each other unless it is told otherwise.
type metered struct {
	t        *testing.T
	meter    *meter
	registry *prometheus.Registry
	now      time.Time
	status   v1alpha1.StackStatus
	releases []v1alpha1.Release
}

func newMetered(t *testing.T) *metered {
	t.Helper()
	m := &metered{t: t, meter: newMeter(), registry: prometheus.NewRegistry(), now: monday}
	m.registry.MustRegister(m.meter.collectors()...)
	m.status = v1alpha1.StackStatus{Units: []v1alpha1.UnitStatus{{
		LiveSlot: "blue", LiveRelease: "v1", Route: &v1alpha1.RouteIntent{Epoch: 1, Live: "blue"},
	}}}
	m.inForce(true)
	m.releases = []v1alpha1.Release{released("v1", ""), released("v2", "")}
	return m
}

func released(name, of string) v1alpha1.Release {
	r := v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Stack: "shop", RollbackOf: of}}
	r.Name, r.CreationTimestamp = name, metav1.NewTime(monday.Add(-10*time.Second))
	return r
}

func (m *metered) inForce(is bool) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	m.status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionEntriesInForce, Status: status, Reason: v1alpha1.ReasonInForce}}
}

// pass is one that changes the status, some time after the last.
func (m *metered) pass(after time.Duration, change func(*v1alpha1.UnitStatus)) {
	m.t.Helper()
	was := *m.status.DeepCopy()
	m.now = m.now.Add(after)
	change(&m.status.Units[0])
	m.meter.saw(transition{stack: shop, was: was, is: *m.status.DeepCopy(), releases: m.releases, at: m.now})
}

// at has the release at a step.
func (m *metered) at(release string, kind v1alpha1.StepKind) func(*v1alpha1.UnitStatus) {
	return func(u *v1alpha1.UnitStatus) {
		u.ActiveRelease, u.ActiveSlot = release, "green"
		u.Step = &v1alpha1.StepStatus{Kind: kind, Attempt: 1, Since: metav1.NewTime(m.now.Truncate(time.Second))}
	}
}

func (m *metered) sent(to string) func(*v1alpha1.UnitStatus) {
	m.inForce(false)
	return func(u *v1alpha1.UnitStatus) { u.Route = &v1alpha1.RouteIntent{Epoch: u.Route.Epoch + 1, Live: to} }
}

func nothing(*v1alpha1.UnitStatus) {}

func live(release, slot string) func(*v1alpha1.UnitStatus) {
	return func(u *v1alpha1.UnitStatus) {
		u.ActiveRelease, u.ActiveSlot, u.Step, u.LiveRelease, u.LiveSlot = "", "", nil, release, slot
	}
}

// says compares what the registry gathers of the metrics whose names begin with prefix: name{values} count sum, or value.
func (m *metered) says(prefix string, want ...string) {
	m.t.Helper()
	if diff := cmp.Diff(want, gathered(m.t, m.registry, prefix)); diff != "" {
		m.t.Errorf("%s… (-want +got):\n%s", prefix, diff)
	}
}

func gathered(t *testing.T, registry *prometheus.Registry, prefix string) []string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), prefix) {
			continue
		}
		for _, metric := range family.GetMetric() {
			var values []string
			for _, label := range metric.GetLabel() {
				values = append(values, label.GetValue())
			}
			line := strings.TrimPrefix(family.GetName(), prefix) + "{" + strings.Join(values, ",") + "}"
			switch {
			case metric.GetHistogram() != nil:
				line += fmt.Sprintf(" %d %.1f", metric.GetHistogram().GetSampleCount(), metric.GetHistogram().GetSampleSum())
			case metric.GetGauge() != nil:
				line += fmt.Sprintf(" %.0f", metric.GetGauge().GetValue())
			default:
				line += fmt.Sprintf(" %.0f", metric.GetCounter().GetValue())
			}
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

func TestMetricsOfAReleaseThatGoesLiveAndIsRolledBack(t *testing.T) {
	m := newMetered(t)
	m.pass(0, m.at("v2", v1alpha1.StepRender))
	m.pass(3*time.Second, m.at("v2", v1alpha1.StepDeploy))
	m.pass(20*time.Second, m.at("v2", v1alpha1.StepHold))
	m.pass(time.Minute, m.at("v2", v1alpha1.StepSwitch))
	m.pass(200*time.Millisecond, m.sent("green"))
	m.inForce(true)
	m.pass(200*time.Millisecond, nothing)
	m.pass(2*time.Second, live("v2", "green")) // workers took their time: the switch was over before
	m.says("lockstep_step_duration_seconds", "{Done,Deploy} 1 20.0", "{Done,Hold} 1 60.0", "{Done,Render} 1 3.0", "{Done,Switch} 1 2.4")
	m.says("lockstep_release_duration_seconds", "{Release,Live} 1 95.4")
	m.says("lockstep_switch_duration_seconds", "{Switch} 1 0.4")

	m.pass(time.Hour, func(u *v1alpha1.UnitStatus) {
		m.at("v2", v1alpha1.StepRollback)(u)
		u.ActiveSlot = "blue"
		m.sent("blue")(u)
	})
	m.inForce(true)
	m.pass(300*time.Millisecond, live("v1", "blue")) // seen through and over in one pass
	m.says("lockstep_switch_duration_seconds", "{Rollback} 1 0.3", "{Switch} 1 0.4")
	m.says("lockstep_release_duration_seconds", "{Release,Live} 1 95.4")
}

func TestMetricsOfReleasesThatEndBadly(t *testing.T) {
	m := newMetered(t)
	m.pass(0, m.at("v2", v1alpha1.StepDeploy))
	m.pass(30*time.Second, func(u *v1alpha1.UnitStatus) {
		m.at("v2", v1alpha1.StepAbort)(u)
		u.Step.Outcome = v1alpha1.OutcomeFailed
	})
	m.pass(time.Second, live("v1", "blue"))
	m.says("lockstep_step_duration_seconds", "{Done,Abort} 1 1.0", "{Failed,Deploy} 1 30.0")
	m.says("lockstep_release_duration_seconds", "{Release,Failed} 1 41.0")
	m.says("lockstep_switch_duration_seconds")

	m.pass(0, m.at("v2", v1alpha1.StepHold))
	m.pass(time.Second, live("v1", "blue")) // the Release was deleted
	m.says("lockstep_step_duration_seconds", "{Aborted,Hold} 1 1.0", "{Done,Abort} 1 1.0", "{Failed,Deploy} 1 30.0")
}

// An abort that finds users on their way takes them back, and that is timed; a content that drifted is no end.
func TestMetricsOfAnAbortedSwitchAndOfOneThatIsRepeated(t *testing.T) {
	m := newMetered(t)
	m.pass(0, m.at("v2", v1alpha1.StepSwitch))
	m.pass(time.Second, func(u *v1alpha1.UnitStatus) { m.at("v2", v1alpha1.StepDeploy)(u); u.Step.Attempt = 2 })
	m.pass(time.Second, func(u *v1alpha1.UnitStatus) { m.at("v2", v1alpha1.StepSwitch)(u); u.Step.Attempt = 2 })
	m.pass(0, m.sent("green"))
	m.pass(time.Second, func(u *v1alpha1.UnitStatus) {
		m.at("v2", v1alpha1.StepAbort)(u)
		u.Step.Attempt, u.Step.Outcome = 2, v1alpha1.OutcomeAborted
		m.sent("blue")(u)
	})
	m.inForce(true)
	m.pass(500*time.Millisecond, nothing)
	m.says("lockstep_step_duration_seconds", "{Aborted,Switch} 1 1.0", "{Done,Deploy} 1 1.0", "{Repeated,Switch} 1 1.0")
	m.says("lockstep_switch_duration_seconds", "{Abort} 1 0.5")
}

// A first release has nothing to leave, and a cold rollback counts from when it was asked for.
func TestMetricsOfFirstReleasesAndColdRollbacks(t *testing.T) {
	m := newMetered(t)
	m.status.Units[0] = v1alpha1.UnitStatus{}
	m.pass(0, m.at("v2", v1alpha1.StepSwitch))
	m.pass(0, func(u *v1alpha1.UnitStatus) { u.Route = &v1alpha1.RouteIntent{}; m.sent("green")(u) })
	m.inForce(true)
	m.pass(time.Second, live("v2", "green"))
	m.releases = append(m.releases, released("v1-again", "v1"))
	m.pass(0, func(u *v1alpha1.UnitStatus) { m.at("v1-again", v1alpha1.StepSwitch)(u); u.ActiveSlot = "blue" })
	m.pass(0, m.sent("blue"))
	m.inForce(true)
	m.pass(time.Second, live("v1-again", "blue"))
	m.says("lockstep_switch_duration_seconds", "{ColdRollback} 1 12.0", "{First} 1 1.0")
	m.says("lockstep_release_duration_seconds", "{ColdRollback,Live} 1 12.0", "{Release,Live} 1 11.0")
}

// A controller that takes over counts from what the status says, and counts no move again that was seen through.
func TestMetricsGoOnWhereAnotherControllerStopped(t *testing.T) {
	m := newMetered(t)
	m.at("v2", v1alpha1.StepSwitch)(&m.status.Units[0])
	m.sent("green")(&m.status.Units[0])
	second := *m.status.DeepCopy()
	m.now = m.now.Add(4 * time.Second)
	m.inForce(true)
	m.meter.saw(transition{stack: shop, was: second, is: m.status, releases: m.releases, at: m.now})
	m.says("lockstep_switch_duration_seconds", "{Switch} 1 4.0")
	m.meter.forget(shop) // a third one comes
	m.pass(time.Second, nothing)
	m.pass(time.Second, live("v2", "green"))
	m.says("lockstep_switch_duration_seconds", "{Switch} 1 4.0")
	m.says("lockstep_step_duration_seconds", "{Done,Switch} 1 6.0")
}

func TestMetricsSayWhatAStackWaitsForAndSinceWhen(t *testing.T) {
	m := newMetered(t)
	since := metav1.NewTime(monday)
	waits := func(reason string) func(*v1alpha1.UnitStatus) {
		return func(u *v1alpha1.UnitStatus) {
			m.at("v2", v1alpha1.StepHold)(u)
			u.Step.Reason, u.Step.WaitingSince = reason, &since
		}
	}
	m.pass(0, waits(v1alpha1.ReasonMemberNotReady))
	m.pass(0, waits(v1alpha1.ReasonAwaitingPromotion))
	m.says("lockstep_stack_waiting", fmt.Sprintf("_since_timestamp_seconds{home,AwaitingPromotion,shop} %d", monday.Unix()))
	m.pass(0, live("v2", "green"))
	m.says("lockstep_stack_waiting")
	m.status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonEntryEdited, LastTransitionTime: since},
		{Type: v1alpha1.ConditionReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSlotNotEmpty, LastTransitionTime: since},
	}
	m.pass(0, nothing)
	m.says("lockstep_stack_waiting", fmt.Sprintf("_since_timestamp_seconds{home,EntryEdited,shop} %d", monday.Unix()))
	m.meter.forget(shop)
	m.says("lockstep_stack_waiting")
}

func TestWritesAreCountedByVerbAndResource(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "refused") {
			w.WriteHeader(http.StatusForbidden)
		}
		if strings.Contains(r.URL.Path, "late") {
			w.WriteHeader(http.StatusConflict)
		}
	}))
	defer server.Close()
	m := newMetered(t)
	c := http.Client{Transport: &writeCounter{next: http.DefaultTransport, count: m.meter.writes}}
	for _, request := range []struct{ method, path, kind string }{
		{"GET", "/api/v1/namespaces/shop/services", ""},
		{"POST", "/api/v1/namespaces", ""},
		{"PUT", "/api/v1/namespaces/shop/status", ""},
		{"POST", "/api/v1/namespaces/shop/services", ""},
		{"POST", "/api/v1/namespaces/shop/services?dryRun=All", ""},
		{"PATCH", "/apis/apps/v1/namespaces/shop-blue/deployments/web", "application/apply-patch+yaml"},
		{"PATCH", "/apis/apps/v1/namespaces/shop-blue/deployments/web/scale", "application/merge-patch+json"},
		{"PUT", "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/late", ""},
		{"DELETE", "/apis/apps/v1/namespaces/shop-blue/deployments/refused", ""},
		{"POST", "/version", ""},
	} {
		r, err := http.NewRequest(request.method, server.URL+request.path, nil)
		mustDo(t, err)
		r.Header.Set("Content-Type", request.kind)
		answer, err := c.Do(r)
		mustDo(t, err)
		mustDo(t, answer.Body.Close())
	}
	m.says("lockstep_api_writes_total", // dry_run, group, resource, result, verb
		"{false,,namespaces,ok,create} 1",
		"{false,,namespaces/status,ok,update} 1",
		"{false,,other,ok,create} 1",
		"{false,,services,ok,create} 1",
		"{false,apps,deployments,ok,apply} 1",
		"{false,apps,deployments,refused,delete} 1",
		"{false,apps,deployments/scale,ok,patch} 1",
		"{false,gateway.networking.k8s.io,httproutes,conflict,update} 1",
		"{true,,services,ok,create} 1",
	)
	server.Close()
	if _, err := c.Post(server.URL+"/api/v1/namespaces", "", nil); err == nil {
		t.Fatal("a server that is closed has answered")
	}
	if got := gathered(t, m.registry, "lockstep_api_writes_total"); !slices.Contains(got, "{false,,namespaces,error,create} 1") {
		t.Errorf("a write without an answer is not counted: %v", got)
	}
}

func TestAPassIsMetered(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.meter.collectors()...)
	status := epoch(1)
	since := metav1.NewTime(monday)
	status.Units[0].Step = &v1alpha1.StepStatus{Kind: v1alpha1.StepHold, Reason: v1alpha1.ReasonAwaitingPromotion, WaitingSince: &since}
	w.plan = func(plan.Snapshot) plan.Plan { return plan.Plan{Status: status} }
	w.pass()
	if got := gathered(t, registry, "lockstep_stack_waiting"); len(got) != 1 {
		t.Errorf("after a pass that waits: %v", got)
	}
	mustDo(t, w.client.Delete(t.Context(), &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}))
	w.pass()
	if got := gathered(t, registry, "lockstep_stack_waiting"); len(got) != 0 {
		t.Errorf("after the Stack is gone: %v", got)
	}
}

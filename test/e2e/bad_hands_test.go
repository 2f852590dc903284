package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// careful is a Stack whose releases are held, and fail soon.
var careful = settings{drain: "10s", more: "deadlines: {render: 30s, deploy: 60s, check: 30s, switch: 12s}"}

// TestBadHands has people do what they should not, before, in and between releases, against one shop whose users notice
// nothing.
func TestBadHands(t *testing.T) {
	s := started(t, "hands", beside(t, careful))
	live := s.unit()
	cases := []struct {
		name string
		do   func(*shop)
	}{
		{"paths out of the repository", (*shop).pathsOutside},
		{"dependsOn cycle", (*shop).cycleOfMembers},
		{"live Deployment edited by hand", (*shop).liveEdited},
		{"two Stacks that claim one route and one slot", (*shop).secondStack},
		{"promotes that are stale or forged", (*shop).badPromotes},
		{"preview Deployment edited after the check", (*shop).previewEdited},
		{"route edited in mid-release", (*shop).routeEdited},
		{"slot namespace deleted in mid-release", (*shop).slotDeleted},
		{"Stack deleted in mid-release", (*shop).stackDeleted},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sub := *s
			sub.t = t
			defer s.tidy()
			c.do(&sub)
			sub.wellAgain(live)
		})
	}
	s.happy()
}

// TestPolicyMissing has the cluster to itself: without the policy no promote of anyone counts.
func TestPolicyMissing(t *testing.T) {
	s := started(t, "policy", careful)
	live := s.unit()
	defer s.tidy()
	s.policyMissing()
	s.wellAgain(live)
	s.happy()
}

// wellAgain waits until the Stack is on what worked, with nothing going on.
func (s *shop) wellAgain(live v1alpha1.UnitStatus) {
	s.t.Helper()
	s.until(time.Minute, "well again on what worked", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		return u.ActiveRelease == "" && u.LiveRelease == live.LiveRelease && u.LiveSlot == live.LiveSlot && isReady(stack)
	})
}

// tidy takes back what a case that failed has left, so that the next one tells something.
func (s *shop) tidy() {
	s.must(cluster.Apply(s.ctx, s.manifest(careful)))
	if s.unit().ActiveRelease != "" {
		cluster.Run(s.ctx, nil, "abort", "shop", "--wait", "-n", s.home)
	}
}

// held makes a release and takes it to its hold.
func (s *shop) held() v1alpha1.Release {
	s.t.Helper()
	name := nameOf(s.run(0, "release", "shop", "--wait=Hold"))
	return s.releases()[name]
}

func (s *shop) pathsOutside() {
	err := cluster.Apply(s.ctx, strings.Replace(s.manifest(careful), "path: apps/shop", "path: ../shop", 1))
	s.refusedByAPI(err, "source.git.path must lie inside the repository")
	err = cluster.Apply(s.ctx, strings.Replace(s.manifest(careful), "path: apps/shop", "path: /etc", 1))
	s.refusedByAPI(err, "source.git.path must lie inside the repository")
}

func (s *shop) refusedByAPI(err error, says ...string) {
	s.t.Helper()
	if err == nil {
		s.t.Fatalf("the API server took it, want a refusal that says %v", says)
	}
	s.contains("the API server", err.Error(), says...)
}

func (s *shop) cycleOfMembers() {
	const worker = "{name: ledger, role: Worker}"
	s.must(cluster.Apply(s.ctx, strings.Replace(s.manifest(careful), worker, worker+"\n  - {name: catalog, dependsOn: [{name: frontend}]}", 1)))
	circle := "catalog → frontend"
	s.untilCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
	r := s.run(3, "release", "shop", "--wait=Live", "--timeout=3s")
	s.contains("the command", r.Stderr, v1alpha1.ReasonInvalidSpec, "circle")
	s.event(v1alpha1.ReasonInvalidSpec, circle)
	s.must(cluster.Apply(s.ctx, s.manifest(careful)))
	s.until(time.Minute, "going on once it is put right", func(stack *v1alpha1.Stack) bool {
		return stack.Status.Units[0].Step != nil && stack.Status.Units[0].Step.Kind == v1alpha1.StepHold
	})
	s.run(0, "abort", "shop", "--wait")
}

func (s *shop) untilCondition(kind string, status metav1.ConditionStatus, reason string) {
	s.t.Helper()
	s.until(30*time.Second, fmt.Sprintf("%s=%s (%s)", kind, status, reason), func(stack *v1alpha1.Stack) bool {
		return hasCondition(stack, kind, status, reason)
	})
}

// liveEdited changes the image of the worker, which users do not meet.
func (s *shop) liveEdited() {
	slot := s.unit().LiveSlot
	s.setImage(slot, "ledger", "2.0.0")
	s.untilCondition(v1alpha1.ConditionLiveAsReleased, metav1.ConditionFalse, v1alpha1.ReasonLiveDrifted)
	s.event(v1alpha1.ReasonLiveDrifted, "/ledger differs")
	s.contains("status", s.run(0, "status", "shop").Stdout, "/ledger differs", "kubectl-edit")
	s.setImage(slot, "ledger", "1.0.0")
	s.untilCondition(v1alpha1.ConditionLiveAsReleased, metav1.ConditionTrue, "")
}

func (s *shop) setImage(slot, name, tag string) {
	s.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.home + "-" + slot, Name: name}}
	patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":%q,"image":"lockstep.dev/shop/%s:%s"}]}}}}`, name, name, tag)
	s.must(cluster.Patch(s.ctx, d, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner("kubectl-edit")))
}

// secondStack names the shop's route, and by default its slots too.
func (s *shop) secondStack() {
	second := strings.Replace(s.manifest(careful), "name: shop,", "name: second,", 1)
	second = strings.Replace(second, "httpRoute: {", "httpRoute: {name: shop-web, ", 1)
	s.must(cluster.Apply(s.ctx, second))
	defer func() { s.must(cluster.Remove(s.ctx, second)) }()
	r := s.run(3, "release", "second", "--wait=Live", "--timeout=5s")
	s.contains("the command", r.Stderr, v1alpha1.ReasonEntryClaimed, "shop")
	s.event(v1alpha1.ReasonEntryClaimed, "shop-web")
	slots := strings.NewReplacer("name: shop,", "name: second,", s.host, "second.example.com").Replace(s.manifest(careful))
	s.must(cluster.Apply(s.ctx, slots))
	r = s.run(3, "release", "second", "--wait=Live", "--timeout=5s")
	s.contains("the command", r.Stderr, v1alpha1.ReasonEntryClaimed, s.home+"-blue")
}

// badPromotes are Decisions made by hand, since the command makes none of them.
func (s *shop) badPromotes() {
	live := s.releases()[s.unit().LiveRelease]
	s.refusedDecision(promoteOf(live, 1), "is not the active one")
	name := nameOf(s.run(0, "release", "shop"))
	s.until(time.Minute, "active", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].ActiveRelease == name })
	early := promoteOf(s.releases()[name], 1)
	early.Spec.Digest = "sha256:unknown"
	s.refusedDecision(early, "is not at its hold")
	s.until(time.Minute, "at its hold", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Kind == v1alpha1.StepHold
	})
	release := s.releases()[name]
	other := promoteOf(release, 1)
	other.Spec.Digest = live.Status.Started.Digest + "0"
	s.refusedDecision(other, "other content")
	s.refusedDecision(promoteOf(release, 7), "attempt 7")
	recreated := promoteOf(release, 1)
	recreated.Spec.ReleaseUID = string(live.UID)
	s.refusedDecision(recreated, "does not exist")
	misspelt := promoteOf(release, 1)
	misspelt.Spec.Release += "0"
	s.refusedDecision(misspelt, "lists those that do")
	forged := promoteOf(release, 1)
	forged.Spec.By = "system:admin-of-everything"
	s.refusedByAPI(cluster.Create(s.ctx, forged), "spec.by must be the caller")
	r := s.run(4, "promote", "shop", "--release", live.Name)
	s.contains("the command", r.Stderr, live.Name)
	s.event(v1alpha1.ReasonDecisionRefused, "promote of")
	s.run(0, "abort", "shop", "--wait")
}

func promoteOf(r v1alpha1.Release, attempt int32) *v1alpha1.Decision {
	d := &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "by-hand-", Namespace: r.Namespace, Labels: map[string]string{v1alpha1.LabelStack: r.Spec.Stack}},
		Spec: v1alpha1.DecisionSpec{
			Release: r.Name, ReleaseUID: string(r.UID), Verb: v1alpha1.VerbPromote, Step: v1alpha1.StepHold, Attempt: attempt,
		},
	}
	if r.Status.Started != nil {
		d.Spec.Digest = r.Status.Started.Digest
	}
	return d
}

// refusedDecision makes a Decision as who we are, and expects it to be refused.
func (s *shop) refusedDecision(d *v1alpha1.Decision, says string) {
	s.t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	s.must(err)
	me, err := clients.AuthenticationV1().SelfSubjectReviews().Create(s.ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	s.must(err)
	d.Spec.By = me.Status.UserInfo.Username
	s.must(cluster.Create(s.ctx, d))
	s.must(journey.Until(s.ctx, 20*time.Second, func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		if d.Status.Result == "" {
			return fmt.Errorf("decision %s is not answered", d.Name)
		}
		return nil
	}))
	if d.Status.Result != v1alpha1.DecisionRefused || !strings.Contains(d.Status.Message, says) {
		s.t.Errorf("the decision was %s: %q, want it refused with %q", d.Status.Result, d.Status.Message, says)
	}
}

func (s *shop) previewEdited() {
	s.held()
	s.setImage(s.otherSlot(), "ledger", "2.0.0")
	r := s.run(4, "promote", "shop", "--wait=Live")
	s.contains("the command", r.Stderr, "promote it again")
	s.event(v1alpha1.ReasonContentDrifted, "/ledger differs")
	s.until(time.Minute, "held once more", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Kind == v1alpha1.StepHold && step.Attempt == 2
	})
	s.run(0, "abort", "shop", "--wait")
}

func (s *shop) otherSlot() string {
	if s.unit().LiveSlot == "blue" {
		return "green"
	}
	return "blue"
}

func (s *shop) routeEdited() {
	name := s.held().Name
	s.sendHalf()
	s.until(30*time.Second, "saying that the route was edited", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Reason == v1alpha1.ReasonEntryEdited && strings.Contains(step.WaitingFor, "kubectl-edit")
	})
	s.event(v1alpha1.ReasonEntryEdited, "kubectl-edit")
	r := s.run(5, "promote", "shop", "--wait=Live")
	s.contains("the command", r.Stderr, v1alpha1.ReasonEntryEdited, "kubectl-edit")
	s.event(v1alpha1.ReasonEntryEdited, "release "+name+": ")
}

// sendHalf lets half of the users onto the release that is at its hold, by hand.
func (s *shop) sendHalf() {
	s.t.Helper()
	s.must(journey.Until(s.ctx, 10*time.Second, func(ctx context.Context) error {
		route := &unstructured.Unstructured{}
		route.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
		if err := cluster.Get(ctx, client.ObjectKey{Namespace: s.home, Name: "shop-web"}, route); err != nil {
			return err
		}
		rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
		var half []any
		for _, slot := range []string{"blue", "green"} {
			half = append(half, map[string]any{"name": "frontend", "namespace": s.home + "-" + slot, "port": int64(80), "weight": int64(50)})
		}
		rules[len(rules)-1].(map[string]any)["backendRefs"] = half //nolint:forcetypeassert // the API server has checked it
		if err := unstructured.SetNestedSlice(route.Object, rules, "spec", "rules"); err != nil {
			return err
		}
		return cluster.Update(ctx, route, client.FieldOwner("kubectl-edit"))
	}))
}

func (s *shop) slotDeleted() {
	name := s.held().Name
	gone := s.home + "-" + s.otherSlot()
	s.must(cluster.DeleteNamespace(s.ctx, gone))
	s.until(time.Minute, "idle", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].ActiveRelease == "" })
	ended := s.releases()[name].Status.Ended
	if ended == nil || ended.Outcome != v1alpha1.OutcomeFailed || ended.Reason != v1alpha1.ReasonSlotGone {
		s.t.Fatalf("release %s ended as %+v, want Failed with SlotGone", name, ended)
	}
	s.event(v1alpha1.ReasonSlotGone, gone)
	s.contains("history", s.run(0, "history", "shop", "-o", "wide").Stdout, v1alpha1.ReasonSlotGone, gone)
}

// stackDeleted takes the Stack away with a release at its hold: everything stays as it is, and is found again.
func (s *shop) stackDeleted() {
	name := s.held().Name
	s.must(cluster.Remove(s.ctx, s.manifest(careful)))
	time.Sleep(3 * time.Second)
	for _, slot := range []string{"blue", "green"} {
		d := &appsv1.Deployment{}
		s.must(cluster.Get(s.ctx, client.ObjectKey{Namespace: s.home + "-" + slot, Name: "frontend"}, d))
		if d.Status.ReadyReplicas == 0 {
			s.t.Errorf("frontend in slot %s did not survive the Stack", slot)
		}
	}
	r := s.run(1, "promote", "shop")
	s.contains("the command", r.Stderr, "shop")
	s.must(cluster.Apply(s.ctx, s.manifest(careful)))
	s.until(2*time.Minute, "at its hold again", func(stack *v1alpha1.Stack) bool {
		return len(stack.Status.Units) > 0 && stack.Status.Units[0].ActiveRelease == name && stack.Status.Units[0].Step.Kind == v1alpha1.StepHold
	})
	s.run(0, "abort", "shop", "--wait")
}

// policyMissing takes away what vouches for who decided: a promote does not count then, and an abort does.
func (s *shop) policyMissing() {
	shipped, err := os.ReadFile(filepath.Join(cluster.Root, "config", "policy", "decisions.yaml"))
	s.must(err)
	s.held()
	s.must(cluster.Remove(s.ctx, string(shipped)))
	defer func() { s.must(cluster.Apply(s.ctx, string(shipped))) }()
	s.until(30*time.Second, "saying that the policy is missing", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Reason == v1alpha1.ReasonPolicyMissing
	})
	s.event(v1alpha1.ReasonPolicyMissing, v1alpha1.DecisionPolicy)
	r := s.run(4, "promote", "shop")
	s.contains("the command", r.Stderr, v1alpha1.DecisionPolicy, "kubectl lockstep install")
	s.run(0, "abort", "shop", "--wait")
}
